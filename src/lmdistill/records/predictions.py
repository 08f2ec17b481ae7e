"""`predictions.jsonl`: outputs of student and teacher for each dev example, for paired tests."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmdistill.core.atomic_io import atomic_file
from lmdistill.core.errors import RunError
from lmdistill.records.jsonl import encode_line, read_items

PREDICTIONS = "predictions.jsonl"


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The outputs for one example."""

    example: int
    """Number of the example in its split."""

    split: str
    """Name of the split."""

    label: float | int
    """Class number or score; for a language model the number of scored tokens; -1 with several labels."""

    student: tuple[float, ...]
    """Logits of the student; for a language model the negative log-likelihood of the text in nats."""

    teacher: tuple[float, ...] | None = None
    """The same for the teacher; None without one."""

    tokens: int | None = None
    """Length of the example in the student's tokens; None in older runs."""

    labels: tuple[int, ...] | None = None
    """Numbers of the labels of the example where it may have several; None for one label."""

    def label_row(self) -> NDArray[np.int64]:
        """0 and 1 for each of several labels."""
        row = np.zeros(len(self.student), dtype=np.int64)
        row[list(self.labels or ())] = 1
        return row


def write_predictions(path: Path, predictions: Iterable[Prediction]) -> None:
    """Write one line an example, the whole file or nothing."""
    with atomic_file(path) as part, part.open("w", encoding="utf-8") as file:
        file.writelines(encode_line(_fields(prediction)) for prediction in predictions)


def _fields(prediction: Prediction) -> dict[str, Any]:
    """The fields of a line; those of several labels only where there are some."""
    fields = dict(vars(prediction))
    if prediction.labels is None:
        del fields["labels"]
    return fields


def _prediction(line: dict[str, Any]) -> Prediction:
    """One line of the file as an object; a logit that was no number reads as NaN."""
    teacher = line.get("teacher")
    return Prediction(
        example=int(line["example"]),
        split=str(line["split"]),
        label=float(line["label"]),
        student=tuple(np.nan if value is None else float(value) for value in line["student"]),
        teacher=None if teacher is None else tuple(np.nan if x is None else float(x) for x in teacher),
        tokens=line.get("tokens"),
        labels=None if line.get("labels") is None else tuple(map(int, line["labels"])),
    )


def read_predictions(path: Path) -> list[Prediction]:
    """The predictions of a run; nothing if there is no file.

    A run without `predictions.jsonl` is looked up in the `predictions.parquet` of the folder above, which is
    how the runs in `results/` are kept.

    Args:
        path: `predictions.jsonl` in the folder of the run.

    Raises:
        RunError: If the file is empty or was cut, since it is written whole; and see `jsonl.read_items` and
            `predictions_parquet.read_parquet`.
    """
    if not path.exists():
        return _of_parent(path.parent.resolve())
    text = path.read_bytes()
    if not text.strip():
        raise RunError(f"{path} is empty, so all answers are missing. Copy it again, or remove it.")
    if not text.endswith(b"\n"):
        raise RunError(f"{path} was cut, so answers are missing. Copy it again, or remove it.")
    return read_items(path, _prediction)


def predictions_state(path: Path) -> tuple[int, int] | None:
    """Time of change (ns) and size (bytes) of what `read_predictions` reads; None if there is no file."""
    from lmdistill.records.predictions_parquet import PARQUET

    for file in (path, path.parent.resolve().parent / PARQUET):
        try:
            found = file.stat()
        except FileNotFoundError:
            continue
        return found.st_mtime_ns, found.st_size
    return None


def _of_parent(folder: Path) -> list[Prediction]:
    """The predictions of a run that its parent folder keeps; pyarrow is loaded only if there are any."""
    from lmdistill.records.predictions_parquet import PARQUET, read_parquet

    kept = folder.parent / PARQUET
    return read_parquet(kept, folder.name).get(folder.name, []) if kept.is_file() else []
