"""The run folder while a run is in progress: which run it belongs to, and whether that run is finished."""

import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from lmdistill.core.atomic_io import read_json, write_json, write_text
from lmdistill.core.errors import ConfigError, RunError
from lmdistill.core.file_lock import lock_of
from lmdistill.core.file_names import require_new_name
from lmdistill.engine.distributed import exclusive, on_main_process
from lmdistill.recipes.augmentation import Augmentation
from lmdistill.recipes.bounded_yaml import yaml_in
from lmdistill.recipes.classifier import Recipe
from lmdistill.recipes.language_model import LanguageRecipe
from lmdistill.recipes.serialization import plain
from lmdistill.records.model_integrity import run_damage
from lmdistill.records.record import RECIPE, RECORD

log = logging.getLogger("lmdistill")

CHOSEN = ("epochs", "learning_rate")
"""Settings that may be null in a recipe; the run chooses them and writes what it chose."""

INPUTS = "inputs.json"
"""Fingerprints of data and models, written when a run starts."""

TABLES = frozenset(
    {
        "data",
        "texts",
        "teacher",
        "student",
        "training",
        "optimizer",
        "pruning",
        "writing",
        "augmentation",
        "scoring",
    }
)
"""Tables of a recipe whose keys are the same in every recipe."""

OPTIONAL: Mapping[str, Mapping[str, Any]] = {
    "augmentation": {one.name: one.default for one in fields(Augmentation) if one.default is not MISSING}
}
"""The same settings of tables that a recipe may leave out."""


@dataclass(frozen=True, kw_only=True)
class RunFolder:
    """The folder of one run."""

    path: Path
    """Path of the folder."""

    result: str = RECORD
    """Name of the file that is written last; it marks the run as finished."""

    @property
    def is_finished(self) -> bool:
        """Whether the run is finished and recorded."""
        return (self.path / self.result).is_file()

    @property
    def student(self) -> Path:
        """Folder of the trained student."""
        return self.path / "student"

    @property
    def teacher(self) -> Path:
        """Folder of the teacher."""
        return self.path / "teacher"

    @property
    def stages(self) -> Path:
        """Folder of the earlier stages of a schedule."""
        return self.path / "stages"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints that an interrupted run continues from; removed at the end."""
        return self.path / "checkpoints"

    def require(self, recipe: Mapping[str, Any], inputs: Mapping[str, str] | None = None) -> None:
        """Check that the folder is free or belongs to this run; nothing is written.

        Args:
            recipe: The resolved recipe.
            inputs: Fingerprints of the data and the models by name; None if they are not known yet.

        Raises:
            RunError: If the folder holds another run or other files.
        """
        require_new_name(self.path)
        if self._is_free():
            return
        if not (self.path / RECIPE).is_file() or not (self.path / INPUTS).is_file():
            what = (
                "holds several runs"
                if (self.path / RECIPE).is_file()
                else "exists and is no run of lmdistill"
            )
            raise RunError(f"{self.path} {what}. Choose another --out, or remove it.")
        old = with_new_settings(_recipe_in(self.path))
        differing = first_difference(old, _chosen_as(old, with_new_settings(dict(recipe))))
        if inputs is not None:
            differing = differing or first_difference(_inputs_in(self.path), dict(inputs))
        if differing:
            name, old, new = differing
            raise RunError(
                f"{self.path} holds another run: {name} is {old!r} there and {new!r} here. "
                "Choose another --out, or remove the folder."
            )

    def claim(self, recipe: Mapping[str, Any], inputs: Mapping[str, str]) -> None:
        """Write recipe and inputs into the folder, if it is free."""
        if self._is_free():
            write_json(self.path / INPUTS, dict(inputs))
            write_text(self.path / RECIPE, yaml.safe_dump(dict(recipe), sort_keys=False, allow_unicode=True))

    def _is_free(self) -> bool:
        """Whether the folder holds at most a teacher, earlier stages and an interrupted `claim`."""
        return not self.path.exists() or (
            self.path.is_dir()
            and all(
                entry in (self.teacher, self.stages, self.path / INPUTS) or entry.name.endswith(".part")
                for entry in self.path.iterdir()
            )
        )

    def drop_if_damaged(self) -> None:
        """Remove a finished run whose files are not as it wrote them, so that it is made again; say so."""
        damage = run_damage(self.path) if self.is_finished else None
        if damage:
            log.warning("%s is damaged (%s); it is made again.", self.path, damage)
            shutil.rmtree(self.path)

    def clean(self) -> None:
        """Remove the checkpoints."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)


@contextmanager
def to_be_made(folder: RunFolder) -> Iterator[bool]:
    """Yield whether a shared run is still to be done; if so, no other command does it meanwhile.

    A damaged one is removed first.
    """
    if on_main_process(lambda: folder.is_finished and run_damage(folder.path) is None):
        on_main_process(folder.clean)  # of a process that was killed before it did so
        yield False
        return
    with exclusive(lock_of(folder.path)):
        on_main_process(folder.drop_if_damaged)
        yield not on_main_process(lambda: folder.is_finished)


def _recipe_in(folder: Path) -> Any:
    """The recipe of the run in `folder`."""
    try:
        return yaml_in(folder / RECIPE)
    except ConfigError as error:
        said = str(error).rstrip(".")
        raise RunError(
            f"{folder / RECIPE} cannot be read ({said}). Choose another --out, or remove it."
        ) from None


def _inputs_in(folder: Path) -> Any:
    """The fingerprints of the run in `folder`."""
    try:
        return read_json(folder / INPUTS)
    except (ValueError, RecursionError) as error:
        raise RunError(
            f"{folder / INPUTS} is damaged ({error}). Choose another --out, or remove the folder."
        ) from None


def _chosen_as(old: Any, new: Any) -> Any:
    """`new` with the epochs and the learning rate of `old` where they are null and still to be chosen."""
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new
    return {
        key: old.get(key) if value is None and key in CHOSEN else _chosen_as(old.get(key), value)
        for key, value in new.items()
    }


def with_new_settings(recipe: Any) -> Any:
    """A recipe of an older version with the defaults of settings that it did not have yet.

    Methods and schedules stay as they are.
    """
    if not isinstance(recipe, Mapping):
        return recipe
    return _filled(recipe, plain(LanguageRecipe() if "texts" in recipe else Recipe()), is_table=False)


def _filled(old: Mapping[str, Any], usual: Mapping[str, Any], *, is_table: bool = True) -> dict[str, Any]:
    """`old` with what only `usual` has, and the same in the tables inside."""
    added = {key: value for key, value in usual.items() if is_table and key not in old}
    known = {**OPTIONAL, **{key: value for key, value in usual.items() if value is not None}}
    inside = {
        key: _filled(value, known[key])
        for key, value in old.items()
        if isinstance(value, Mapping) and isinstance(known.get(key), Mapping) and key in TABLES
    }
    return {**old, **added, **inside}


def first_difference(old: Any, new: Any, where: str = "") -> tuple[str, Any, Any] | None:
    """Path and both values of the first place where two trees differ, or None."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            difference = first_difference(old.get(key), new.get(key), f"{where}.{key}" if where else str(key))
            if difference:
                return difference
        return None
    return None if old == new else (where, old, new)
