"""A run's folder while it is being made: whose it is, and whether it is finished."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lmdistill.core.atomic_io import read_json, write_json, write_text
from lmdistill.core.errors import RunError
from lmdistill.engine.distributed import exclusive, on_main_process
from lmdistill.records.record import RECORD

RECIPE = "recipe.yaml"
INPUTS = "inputs.json"


@dataclass(frozen=True, kw_only=True)
class RunFolder:
    """The folder of one run."""

    path: Path
    """Where."""

    result: str = RECORD
    """The file that is written last, and says that the run is over."""

    @property
    def is_finished(self) -> bool:
        """Whether the run is over and recorded."""
        return (self.path / self.result).is_file()

    @property
    def student(self) -> Path:
        """The trained network."""
        return self.path / "student"

    @property
    def teacher(self) -> Path:
        """The network it learned from."""
        return self.path / "teacher"

    @property
    def stages(self) -> Path:
        """The runs that come before this one."""
        return self.path / "stages"

    @property
    def checkpoints(self) -> Path:
        """What a killed run continues from; gone when it is finished."""
        return self.path / "checkpoints"

    def require(self, recipe: Mapping[str, Any], inputs: Mapping[str, str] | None = None) -> None:
        """Refuse a folder that is neither free nor this run's; nothing is written.

        Args:
            recipe: The resolved recipe.
            inputs: Fingerprints of the data and the models, where they are known yet.

        Raises:
            RunError: If the folder holds another run, or anything else.
        """
        if self._is_free():
            return
        if not (self.path / RECIPE).is_file() or not (self.path / INPUTS).is_file():
            what = (
                "holds several runs"
                if (self.path / RECIPE).is_file()
                else "exists and is no run of lmdistill"
            )
            raise RunError(f"{self.path} {what}. Choose another --out, or remove it.")
        differing = first_difference(_recipe_in(self.path), dict(recipe))
        if inputs is not None:
            differing = differing or first_difference(read_json(self.path / INPUTS), dict(inputs))
        if differing:
            name, old, new = differing
            raise RunError(
                f"{self.path} holds another run: {name} is {old!r} there and {new!r} here. "
                "Choose another --out, or remove the folder."
            )

    def claim(self, recipe: Mapping[str, Any], inputs: Mapping[str, str]) -> None:
        """Make the folder this run's, if it is free."""
        if self._is_free():
            write_json(self.path / INPUTS, dict(inputs))
            write_text(self.path / RECIPE, yaml.safe_dump(dict(recipe), sort_keys=False, allow_unicode=True))

    def _is_free(self) -> bool:
        """Whether nothing but a teacher and earlier stages is there, or what a kill has left of `claim`."""
        return not self.path.exists() or (
            self.path.is_dir()
            and all(
                entry in (self.teacher, self.stages, self.path / INPUTS) or entry.name.endswith(".part")
                for entry in self.path.iterdir()
            )
        )

    def clean(self) -> None:
        """Drop what only an unfinished run needs."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)


def lock_of(path: Path) -> Path:
    """The file that is held while `path`, which several commands may share, is being made."""
    return path.with_name(f".{path.name}.lock")


@contextmanager
def to_be_made(place: RunFolder) -> Iterator[bool]:
    """Whether a run that several commands share is still to be done; if so, nobody else does it meanwhile."""
    if on_main_process(lambda: place.is_finished):
        yield False
        return
    with exclusive(lock_of(place.path)):
        yield not on_main_process(lambda: place.is_finished)


def _recipe_in(folder: Path) -> Any:
    """What the recipe of a run says."""
    try:
        return yaml.safe_load((folder / RECIPE).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RunError(
            f"{folder / RECIPE} cannot be read ({' '.join(str(error).split())}). "
            "Choose another --out, or remove it."
        ) from None


def first_difference(old: Any, new: Any, where: str = "") -> tuple[str, Any, Any] | None:
    """Path and both values of the first place where two trees differ, or None."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            found = first_difference(old.get(key), new.get(key), f"{where}.{key}" if where else str(key))
            if found:
                return found
        return None
    return None if old == new else (where, old, new)
