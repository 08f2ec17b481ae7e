"""A run's folder while it is being made: whose it is, and whether it is finished."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lmdistill.core.errors import RunError
from lmdistill.core.storage import read_json, write_json, write_text
from lmdistill.report.record import RECORD

RECIPE = "recipe.yaml"
INPUTS = "inputs.json"


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """The folder of one run."""

    path: Path
    """Where."""

    @property
    def is_finished(self) -> bool:
        """Whether the run is over and recorded."""
        return (self.path / RECORD).is_file()

    @property
    def student(self) -> Path:
        """The trained network."""
        return self.path / "student"

    @property
    def teacher(self) -> Path:
        """The network it learned from."""
        return self.path / "teacher"

    @property
    def checkpoints(self) -> Path:
        """What a killed run continues from; gone when it is finished."""
        return self.path / "checkpoints"

    def claim(self, recipe: Mapping[str, Any], inputs: Mapping[str, str]) -> None:
        """Make the folder this run's, or find that it already is.

        Args:
            recipe: The resolved recipe.
            inputs: Fingerprints of the data and the models.

        Raises:
            RunError: If the folder holds another run, or anything else.
        """
        if not self.path.exists() or all(entry == self.teacher for entry in self.path.iterdir()):
            write_json(self.path / INPUTS, dict(inputs))
            write_text(self.path / RECIPE, yaml.safe_dump(dict(recipe), sort_keys=False, allow_unicode=True))
            return
        if not (self.path / RECIPE).is_file() or not (self.path / INPUTS).is_file():
            raise RunError(
                f"{self.path} exists and is no run of lmdistill. Choose another --out, or remove it."
            )
        there = yaml.safe_load((self.path / RECIPE).read_text(encoding="utf-8"))
        differing = first_difference(there, dict(recipe)) or first_difference(
            read_json(self.path / INPUTS), dict(inputs)
        )
        if differing:
            name, old, new = differing
            raise RunError(
                f"{self.path} holds another run: {name} is {old!r} there and {new!r} here. "
                "Choose another --out, or remove the folder."
            )

    def clean(self) -> None:
        """Drop what only an unfinished run needs."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)


def first_difference(old: Any, new: Any, where: str = "") -> tuple[str, Any, Any] | None:
    """Path and both values of the first place where two trees differ, or None."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            found = first_difference(old.get(key), new.get(key), f"{where}.{key}" if where else str(key))
            if found:
                return found
        return None
    return None if old == new else (where, old, new)
