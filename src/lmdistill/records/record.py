"""`record.json`: what a run writes down about itself, and how records are found again.

A record is one JSON object with a schema number. The rule for changes within one schema number:

- Fields are only added, never removed or renamed. A field keeps its meaning, its unit, its type and its
  allowed values. So every version reads the records of older and of newer versions with the same number.
- A new field has a default, which stands for "not known" in older records.
- A field of a newer version is ignored, and its name is logged once.

Any other change takes a new schema number, and records with another number are refused. A test compares all
fields with the list in `tests/records/record_fields.json`. `docs/run-folder.md` describes the other files.
"""

import json
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from lmdistill.core.atomic_io import read_json, write_text
from lmdistill.core.checksums import is_unchanged, object_checksum
from lmdistill.core.errors import RunError
from lmdistill.records.answer_facts import AnswerFacts
from lmdistill.records.calibration_facts import Calibration
from lmdistill.records.class_facts import ClassFacts
from lmdistill.records.integrity import require_reported
from lmdistill.records.label_thresholds import LabelThresholds
from lmdistill.records.linear_facts import LinearFacts
from lmdistill.records.number_ranges import Amount, Named, Scores, Whole
from lmdistill.records.origin import Origin
from lmdistill.records.parsing import damage_message, parse_part
from lmdistill.records.schema import (
    Environment,
    MapFacts,
    NetworkFacts,
    Part,
    Risk,
    ScheduleFacts,
    Stretch,
    TaskFacts,
    TokenFacts,
    Training,
)
from lmdistill.records.teacher_terms import TeacherTerms
from lmdistill.records.teaching_facts import TeachingFacts
from lmdistill.records.vocabulary_facts import VocabularyFacts

SCHEMA = 1
"""Number of the layout of `record.json`; see the rule above before changing it."""

RECORD = "record.json"

TRIALS = "trials.json"
"""What a search writes beside the runs of its trials."""

TRIALS_NOTE = "Trials of a search: the best one is selected on dev, so its score is optimistic."
"""What tables say of the runs of a search, whose best one is chosen by its dev score."""
RECIPE = "recipe.yaml"
"""The resolved recipe, written when a run starts."""

REPORT = "report.html"
"""The page about a run, or about several in the folders below."""

logger = logging.getLogger("lmdistill")


class Record(Part):
    """The contents of `record.json`: settings, quality and cost of one run."""

    schema_number: int = Field(default=SCHEMA, alias="schema")
    """Number of the layout, 1 in all versions so far; called `schema` in the file."""
    lmdistill: str
    """Version of the package that wrote it."""
    kind: Literal["finetune", "distill"]
    """Whether the run fine-tuned or distilled."""
    name: str
    """Label in tables; runs that share it and differ in the seed are one row."""
    seed: Whole
    """Seed of the run."""
    task: TaskFacts
    """The task and its data."""
    method: dict[str, Any]
    """The method's `name` and its fields."""
    changed: dict[str, Any] | None = None
    """Fields of the method that differ from their defaults; None in older records."""
    recipe: dict[str, Any]
    """The resolved recipe."""
    command: str
    """Command line that repeats the run."""
    environment: Environment
    """Versions, machine and commit."""
    student: NetworkFacts
    """Size and cost of the trained network."""
    teacher: NetworkFacts | None = None
    """The teacher; None without one."""
    answers: AnswerFacts | None = None
    """Answers that stood in for a teacher; None if a network taught, or nobody."""
    teaching: TeachingFacts | None = None
    """The models that taught, if they were several, prompted, or had a temperature."""
    teacher_terms: TeacherTerms | None = None
    """Licence of the teacher and use of its answers; None without a teacher, and in older records."""
    origin: Origin | None = None
    """The trained classifier that the student began as; None if it began otherwise, and in older records."""
    linear: LinearFacts | None = None
    """Training of a linear model on TF-IDF features; None for networks."""
    metrics: Annotated[Scores, Field(min_length=1)]
    """Metrics of the student by split and name; the first split is the headline."""
    teacher_metrics: Scores | None = None
    """Metrics of the teacher on the same examples."""
    majority: Scores = Field(default_factory=dict)
    """Metrics of a constant prediction: the most frequent class, the mean score, or equally likely tokens."""
    classes: dict[str, tuple[ClassFacts, ...]] = Field(default_factory=dict)
    """Precision, recall and F1 of the student for each class by split; empty in older records."""
    teacher_classes: dict[str, tuple[ClassFacts, ...]] = Field(default_factory=dict)
    """The same of the teacher."""
    selected: Literal["last", "dev-best"]
    """Which weights were kept; with `dev-best` the dev score is optimistic."""
    class_weights: dict[str, Amount] = Field(default_factory=dict)
    """Weight of each class in the loss of gold labels; empty if all count the same, and in older records."""
    agreement: Named | None = None
    """Agreement of the student's predictions with the teacher's."""
    thresholds: LabelThresholds | None = None
    """Thresholds of the labels; None is 0.5 for all, or one label a text."""
    calibration: Calibration | None = None
    """Calibration of the student."""
    teacher_calibration: Calibration | None = None
    """Calibration of the teacher."""
    tokens: TokenFacts | None = None
    """Scores of easy and hard tokens, for language models with a teacher."""
    positions: tuple[Stretch, ...] = ()
    """Scores by position in the text, for language models; empty in older records."""
    written: Named | None = None
    """What the student wrote for prompts: ROUGE-L, distinct n-grams, length, how often it came to an end."""
    risk: Risk | None = None
    """Training and dev loss, and the generalization gap."""
    map: MapFacts | None = None
    """Separation of the classes in the hidden states, if the recipe asks for a map."""
    vocabulary: VocabularyFacts | None = None
    """The student's vocabulary if it was trimmed; None if not, and in older records."""
    schedule: ScheduleFacts | None = None
    """Schedule and candidates, if the recipe asks for pruning or assistants."""
    training: Training
    """Steps, epochs and time of the training."""
    alarms: tuple[str, ...] = ()
    """Warnings about the numbers of this run."""
    files: dict[str, str] | None = None
    """SHA-256 by path of the files that other commands read of this run; None in older records."""
    checksum: str | None = None
    """SHA-256 of the other fields; None in older records, and where somebody has removed it to edit one."""

    @property
    def headline(self) -> tuple[str, str]:
        """Split and name of the headline metric."""
        return next(iter(self.metrics)), self.task.metrics[0]


@dataclass(frozen=True, kw_only=True)
class RecordedRun:
    """A run folder and its record."""

    path: Path
    """Path of the run folder."""

    record: Record
    """Contents of its `record.json`."""


def find_run(folder: Path) -> Path:
    """The folder of a run, which may be named as if its recipe had several methods or seeds.

    A recipe of one method and one seed writes its run into the output folder itself, others into
    `NAME-seedN` inside it. Either name finds a run of the first kind.

    Args:
        folder: A run folder, or `NAME-seedN` inside one.

    Returns:
        `folder`, or the folder around it if that is the run of this name and seed.
    """
    if folder.exists() or not (folder.parent / RECORD).is_file():
        return folder
    record = read_record(folder.parent)
    return folder.parent if folder.name == f"{record.name}-seed{record.seed}" else folder


def write_record(folder: Path, record: Record) -> Path:
    """Write `folder/record.json` with its checksum, whole or not at all; infinities become words.

    Returns:
        Its path.
    """
    path = folder / RECORD
    checksum = object_checksum(json.loads(record.model_dump_json(by_alias=True)))
    checked = record.model_copy(update={"checksum": checksum})
    write_text(path, checked.model_dump_json(by_alias=True, indent=2) + "\n")
    return path


def read_record(folder: Path) -> Record:
    """The record of the run in `folder`.

    Raises:
        RunError: If there is none, if it is not JSON, if it has another schema number, if it has changed
            since it was written, or if a field is missing, of the wrong type or out of its range. A field
            that this version does not know is ignored.
    """
    path = folder / RECORD
    try:
        value = read_json(path)
    except FileNotFoundError:
        raise RunError(f"no {RECORD} in {folder}. Name a folder that a finished run has written.") from None
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is not JSON ({error}). Run it again.") from None
    _require_schema(path, value)
    if not is_unchanged(value):
        raise RunError(
            f"{path} is not as its run wrote it: its checksum differs. Restore it, or run it again; who has "
            "edited it on purpose removes its field checksum."
        )
    try:
        return parse_part(Record, value, path)
    except ValidationError as error:
        raise RunError(damage_message(path, error)) from None


def _require_schema(path: Path, value: Any) -> None:
    """A record of this layout, and not of an older or a newer one."""
    if not isinstance(value, dict) or "schema" not in value:
        raise RunError(
            f"{path} is no record of a run: it has no schema. Name a folder that a run has written."
        )
    number = value["schema"]
    is_number = type(number) is int  # true is 1, but no number
    if is_number and number == SCHEMA:
        return
    if not is_number:
        raise RunError(f"{path} is damaged at schema: it is {number!r}, not a number. Run it again.")
    newer = number > SCHEMA
    way = "Update lmdistill" if newer else "Read it with the version of lmdistill that wrote it"
    raise RunError(
        f"{path} has schema {number}, and this version reads schema {SCHEMA}. {way}, or run it again."
    )


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sorts seed-2 before seed-10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def _run_folders(folder: Path) -> Iterator[Path]:
    """Run folders at or below `folder`; what lies inside a run folder belongs to that run."""
    if (folder / RECORD).is_file():
        yield folder
    elif folder.is_dir():
        for child in sorted(folder.iterdir(), key=_natural):
            if child.is_dir() and not child.name.startswith("."):  # a dot: half-written
                yield from _run_folders(child)


def find_records(paths: Iterable[Path | str]) -> Sequence[RecordedRun]:
    """The runs at or below the given folders, each once, in the order of the paths and then of the names.

    Args:
        paths: Run folders, or folders of run folders to any depth. Those without a finished run are
            skipped with a warning, as long as another has one.

    Raises:
        RunError: If no run is found, if a record cannot be read, or if history, predictions, disagreements or
            map of a run are not as it wrote them.
    """
    below = {name: list(_run_folders(name)) for name in (find_run(Path(path)) for path in paths)}
    found: dict[Path, Path] = {}
    for folder in (folder for folders in below.values() for folder in folders):
        found.setdefault(folder.resolve(), folder)
    if not found:
        gone = [str(name) for name in below if not name.exists()]
        if gone:
            raise RunError(
                f"{gone[0]} does not exist. Name a run folder, or a folder with run folders in it."
            )
        places = ", ".join(str(name) for name in below) or "nothing"
        raise RunError(f"no {RECORD} below {places}. Name a run folder, or a folder with run folders in it.")
    for name in (name for name, folders in below.items() if not folders):
        logger.warning("no %s below %s; skipped.", RECORD, name)
    runs = [RecordedRun(path=folder, record=read_record(folder)) for folder in found.values()]
    for run in runs:
        require_reported(run.path, run.record.files or {})
    return runs


def are_trials(folders: Iterable[Path]) -> bool:
    """Whether one of these run folders is a trial of a search."""
    return any((folder.parent / TRIALS).is_file() for folder in folders)
