"""Load the student of a run, or the classifier of a model folder."""

import copy
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmdistill.core.errors import ConfigError, RunError
from lmdistill.linear.classifier import LinearClassifier, is_linear, load_linear
from lmdistill.models.classifier import Network
from lmdistill.models.loading.classifier import load
from lmdistill.models.loading.resolve import no_network, resolve
from lmdistill.recipes.classifier import Data
from lmdistill.recipes.parsing import parse
from lmdistill.recipes.yaml_tables import override
from lmdistill.records.record import RECIPE, RECORD, Record, find_run, read_record
from lmdistill.studies.schema import FILE

log = logging.getLogger("lmdistill")


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A loaded classifier, its task and its data."""

    model: Network | LinearClassifier
    """The student of a run, or the model of a folder."""

    place: str
    """Folder or hub id of the weights."""

    task: str | None
    """Name of the run's task; None for a model without a run, unless it is set."""

    data: Data
    """Data settings of the run; the defaults for a model without a run."""

    columns: tuple[str, ...]
    """Text columns that the run was trained on; () if they are not known."""

    teacher: str | None
    """Folder or name of the run's teacher."""

    who: str
    """What to call the network in messages: "the student", or "the model" without a run."""

    @property
    def network(self) -> Network:
        """The model as a network.

        Raises:
            ModelError: If it is a linear model.
        """
        if isinstance(self.model, LinearClassifier):
            raise no_network(self.place)
        return self.model


def open_model(target: str | Path, overrides: Sequence[str] = ()) -> Opened:
    """The student of the run in `target`, or the classifier that `target` names.

    Args:
        target: A run folder, a model folder, a hub id.
        overrides: `a.b=value` for the task and the data of the run's recipe.

    Raises:
        RunError: If `target` is a folder of several runs, or of an unfinished one.
        ModelError: If there is no such model.
        ConfigError: For an override of another key than `task` and `data`.
    """
    folder = find_run(Path(target))
    require_finished(folder)
    is_run = (folder / RECORD).is_file() and (folder / "student").is_dir()
    record = read_record(folder) if is_run else None
    if record is not None and record.task.kind == "language":
        raise RunError(
            f"{folder} is a run of a language model, and this is for classifiers and scorers. "
            "Use lmdistill generate or lmdistill evaluate."
        )
    table = {} if record is None else _made_for(record)
    for text in overrides:
        override(table, text)
    strange = sorted(set(table) - {"task", "data"})
    if strange:
        raise ConfigError(f"{strange[0]} has no effect on a finished network; task and data can be set.")
    place = str(folder / "student") if is_run else resolve(target)
    return Opened(
        model=load_linear(place) if is_linear(Path(place)) else load(place),
        place=place,
        task=parse(str | None, table.get("task"), "task"),
        data=parse(Data, table.get("data", {}), "data", code="name"),
        columns=() if record is None else _columns_of(record),
        teacher=None if record is None else find_teacher(folder, record),
        who="the model" if record is None else "the student",
    )


def _columns_of(record: Record) -> tuple[str, ...]:
    """Text columns of a run; older records name them only in the recipe, if it does."""
    data = record.recipe.get("data")
    named = data.get("text", ()) if isinstance(data, dict) else ()
    return record.task.columns or tuple(str(name) for name in named)


def require_finished(folder: Path) -> None:
    """Refuse a folder of several runs, or of an unfinished one."""
    if (folder / RECORD).is_file() or not any((folder / name).is_file() for name in (RECIPE, FILE)):
        return
    inside = sorted(path.parent.name for path in folder.glob(f"*/{RECORD}") if path.parent.name != "teacher")
    if inside:
        raise RunError(
            f"{folder} holds several runs: {', '.join(inside)}. Name one of them, as in {folder / inside[0]}."
        )
    raise RunError(f"the run in {folder} is not finished. Start it again; it continues.")


def warn_of_other_examples(target: str | Path, fingerprint: str) -> None:
    """Say so if a run was evaluated on other dev examples than those that are read now.

    Args:
        target: A run folder; anything else has no examples of its own.
        fingerprint: Of the dev examples that are read now.
    """
    folder = Path(target)
    recorded = read_record(folder).task.dev_fingerprint if (folder / RECORD).is_file() else None
    if recorded not in (None, fingerprint):
        log.warning(
            "the dev examples of %s have changed since its run (fingerprint %s then, %s now); scores differ "
            "from its record for that.",
            folder,
            recorded,
            fingerprint,
        )


def _made_for(record: Record) -> dict[str, Any]:
    """Task and data settings of a run; for a run from Python, those that its record names."""
    table = copy.deepcopy(dict(record.recipe))
    data = table.get("data", {"max_length": table["max_length"]} if "max_length" in table else {})
    if "text" not in data:  # no whole recipe, so its source is a description
        files, _, test = record.task.source.partition(", test ")
        paths = re.sub(r" \(\w+ layout\)$", "", files).split(" and ")
        known = dict(zip(("source", "dev"), paths, strict=False)) | ({"test": test} if test else {})
        known = known if all(map(_exists, known.values())) else {}
        data = {**data, "source": "hub", **known}
    return {"task": table["task"], "data": data}


def _exists(path: str) -> bool:
    """Whether a file or folder of this name exists."""
    return Path(path).exists()


def find_teacher(folder: Path, record: Record) -> str | None:
    """Folder or hub id of the teacher of the run in `folder`; None without one, or if it no longer exists."""
    if record.teacher is None:
        return None
    source = record.teacher.source
    kept = [place for place in (folder / "teacher", folder.parent / "teacher") if place.is_dir()]
    return str(kept[0]) if kept else source if _exists(resolve(source)) else None
