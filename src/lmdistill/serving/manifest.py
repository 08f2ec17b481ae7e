"""`lmdistill.json`: what a folder of an exported classifier holds, how it is asked, and what was measured."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from lmdistill.core.atomic_io import read_json, write_json
from lmdistill.core.checksums import first_changed, folder_checksums
from lmdistill.core.errors import ModelError
from lmdistill.serving.certificate import Certificate
from lmdistill.serving.estimate import Estimate

MANIFEST = "lmdistill.json"
"""Name of the file."""

FORMAT = 1
"""Number of its layout; a larger one is from a newer version."""

AGAIN = "Export the model again."
"""What to do with a folder that cannot be used."""

Kind = Literal["classification", "multilabel", "regression"]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was measured of the network or of a graph before the folder was written."""

    bytes: int
    """Of its file; of the network in float32."""

    embedding_bytes: int
    """Of these, the token embeddings."""

    difference: float = 0.0
    """Largest difference of a logit from the float32 network's."""

    agreement: Estimate | None = None
    """Share of the texts with the answer of the float32 network, in [0, 1]; None for that network."""

    teacher_agreement: Estimate | None = None
    """Share of the texts with the teacher's answer, in [0, 1]; None without a teacher."""

    scores: Mapping[str, Estimate] = field(default_factory=dict)
    """The task's metrics; {} without labels."""

    calibration_error: Estimate | None = None
    """Expected calibration error, in [0, 1]; None without labels, and for scores."""

    integer_products: int | None = None
    """Products of 8-bit matrices; None for float32."""

    p50_ms: float | None = None
    """Median time from one text to its logits in milliseconds; None if it was not timed."""

    p95_ms: float | None = None
    """95th percentile of that."""

    texts_per_second: float | None = None
    """Texts a second in batches of 32 of similar length."""

    confidences: tuple[float, ...] = ()
    """Confidence that 1, 2, ... 99 % of the texts have at least, from high to low; () for a score."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What the outputs of the graphs mean."""

    kind: Kind
    """Whether a text has one class, any number of labels, or a score."""

    labels: tuple[str, ...]
    """Names of the outputs in order; () for a score."""

    thresholds: tuple[float, ...] | None = None
    """Probability of each label from which on it is predicted; None is 0.5, or for one class a text."""


@dataclass(frozen=True, kw_only=True)
class Reads:
    """What the graphs read."""

    pairs: bool | None
    """Whether the model reads pairs of texts; None if that is not known."""

    max_length: int
    """Longest input in tokens; longer ones are truncated, the longer text of a pair first."""

    padding: int
    """Token id behind shorter texts of a batch."""

    inputs: tuple[str, ...]
    """Names of the inputs of the graphs."""

    columns: tuple[str, ...] = ()
    """Text columns that the model was trained on; () if they are not known."""


@dataclass(frozen=True, kw_only=True)
class Checks:
    """On what the graphs were checked before the folder was written, and what was found."""

    texts: int
    """Number of texts."""

    source: str
    """What they are: `dev` rows of the task, or the user's file."""

    threads: int
    """Threads of each way when it was timed."""

    processor: str
    """Processor on which it was timed."""

    measured: Mapping[str, Measured]
    """By name: `torch` is the network in float32, the others are graphs."""

    fastest: str | None = None
    """Graph with the lowest median time; None if none was timed."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What was exported, and the rows that it is evaluated on."""

    model: str
    """Folder or hub id."""

    task: str | None = None
    """Name of the task; None for a model of which only texts are known."""

    data: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of `load_task` other than the name."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a folder of an exported classifier holds."""

    format: int = FORMAT
    """Number of the layout."""

    version: str
    """Version of lmdistill that wrote the folder."""

    answers: Answers
    """What the outputs of the graphs mean."""

    reads: Reads
    """What the graphs read."""

    graphs: Mapping[str, str]
    """Graph by name, such as `onnx` and `onnx-int8`: path in the folder."""

    default: str
    """Name of the graph that is used unless another one is asked for."""

    checksums: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of the other files by path in the folder."""

    origin: Origin
    """What was exported."""

    checks: Checks | None = None
    """What was measured; None while the folder is written."""

    certificates: Mapping[str, Certificate] = field(default_factory=dict)
    """What `lmdistill certify` found, by graph."""

    def __post_init__(self) -> None:
        if self.default not in self.graphs:
            raise ValueError(f"there is no graph {self.default!r}")
        if (self.answers.kind == "regression") != (self.answers.labels == ()):
            named = ", ".join(self.answers.labels) or "none"
            raise ValueError(f"the kind is {self.answers.kind}, and the labels are {named}")


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write the manifest of a folder, with the checksums of its other files; call it last."""
    found = {name: one for name, one in folder_checksums(folder).items() if name != MANIFEST}
    write_json(folder / MANIFEST, asdict(replace(manifest, checksums=found)))


def is_exported(folder: Path) -> bool:
    """Whether a folder holds an exported classifier."""
    return (folder / MANIFEST).is_file()


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder, after its tokenizer and its labels were compared with it.

    Raises:
        ModelError: If there is none, if it cannot be read, if a newer version wrote it, or if the tokenizer
            or the labels are not those of the export.
    """
    path = folder / MANIFEST
    if not is_exported(folder):
        raise ModelError(
            f"{folder} holds no exported model: it has no {MANIFEST}. Name a folder of lmdistill export."
        )
    try:
        found = dict(read_json(path))
        number = int(found.get("format", 0))
    except (ValueError, TypeError, RecursionError, OSError) as error:
        raise ModelError(f"{path} cannot be read ({error}). {AGAIN}") from None
    if number > FORMAT:
        raise ModelError(
            f"{folder} was exported by lmdistill {found.get('version')} in format {number}, and this version "
            f"reads up to {FORMAT}. Update lmdistill, or export the model again."
        )
    try:
        manifest = TypeAdapter(Manifest).validate_python(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise ModelError(f"{path} is damaged ({where}: {first['msg']}). {AGAIN}") from None
    require_unchanged(manifest, folder, "tokenizer.json")
    _require_labels(manifest, folder)
    return manifest


def require_unchanged(manifest: Manifest, folder: Path, *names: str) -> None:
    """Check that files of a folder are those of the export.

    Raises:
        ModelError: If one is missing or has another content.
    """
    changed = first_changed(folder, {name: manifest.checksums.get(name, "") for name in names})
    if changed is not None:
        raise ModelError(f"{folder}: {changed} since the export. {AGAIN}")


def _require_labels(manifest: Manifest, folder: Path) -> None:
    """Check that the names of the outputs are those of `config.json`, which other software reads."""
    try:
        named = dict(read_json(folder / "config.json")).get("id2label") or {}
        labels = tuple(str(named[str(number)]) for number in range(len(named)))
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelError(f"{folder / 'config.json'} cannot be read ({error}). {AGAIN}") from None
    if manifest.answers.labels and labels != manifest.answers.labels:
        ours = ", ".join(manifest.answers.labels)
        raise ModelError(
            f"{folder}: {MANIFEST} names the outputs {ours}, and config.json {', '.join(labels)}. {AGAIN}"
        )
