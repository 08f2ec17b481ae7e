"""The history of a run: one JSON object a line, so that a kill loses at most one line."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from lmdistill.core.atomic_io import write_text
from lmdistill.records.jsonl import encode_line, read_items, read_lines

HISTORY = "history.jsonl"


class HistoryWriter:
    """Appends to the history of a run and flushes every line.

    An existing file is continued; a cut last line is removed first. Lines are
    `{"step", "loss", "parts": {name: value}, "count", "rate", "seconds"}` for an optimizer step and
    `{"step", "dev": {metric: value}}` for an evaluation.

    Examples:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / HISTORY
        >>> with HistoryWriter(path) as history:
        ...     history.append({"step": 1, "dev": {"accuracy": 0.5}})
        ...     history.append({"step": 2, "dev": {"accuracy": 0.75}})
        ...     history.truncate_after(1)
        >>> read_history(path).evaluations
        (Evaluation(step=1, scores={'accuracy': 0.5}),)
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            self._keep(read_lines(path))
        self._file = path.open("a", encoding="utf-8")

    def _keep(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Replace the file by `lines` in one step."""
        write_text(self.path, "".join(encode_line(line) for line in lines))

    def append(self, line: Mapping[str, Any]) -> None:
        """Write one line now; NaN and infinities become null."""
        self._file.write(encode_line(line))
        self._file.flush()

    def truncate_after(self, step: int) -> None:
        """Forget every line of a later step than `step`: a run resumed there writes them again."""
        self._file.close()
        self._keep([line for line in read_lines(self.path) if line["step"] <= step])
        self._file = self.path.open("a", encoding="utf-8")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> "HistoryWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True, kw_only=True)
class Step:
    """One optimizer step."""

    step: int
    """Number of the step, from 1."""

    loss: float
    """Mean loss over scored positions; NaN if it was not finite."""

    parts: Mapping[str, float]
    """Loss terms by name; they add up to the loss."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One evaluation on dev."""

    step: int
    """Number of the step before it."""

    scores: Mapping[str, float]
    """Dev metrics by name."""


@dataclass(frozen=True, kw_only=True)
class History:
    """The history of a run."""

    steps: tuple[Step, ...] = ()
    """Optimizer steps in order."""

    evaluations: tuple[Evaluation, ...] = ()
    """Evaluations in order."""


def _number(value: Any) -> float:
    """NaN for null."""
    return math.nan if value is None else float(value)


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """NaN for every null."""
    return {name: _number(value) for name, value in values.items()}


def _step(line: Mapping[str, Any]) -> Step:
    """One optimizer step."""
    return Step(step=line["step"], loss=_number(line["loss"]), parts=_numbers(line.get("parts", {})))


def _evaluation(line: Mapping[str, Any]) -> Evaluation:
    """The step and the dev scores of a line that an evaluation has written."""
    return Evaluation(step=line["step"], scores=_numbers(line["dev"]))


def _event(line: Mapping[str, Any]) -> Step | Evaluation | None:
    """A step, an evaluation, or a line about something else."""
    return _step(line) if "loss" in line else _evaluation(line) if "dev" in line else None


def read_history(path: Path) -> History:
    """The history in the file; an empty one if there is no file.

    Raises:
        RunError: See `read_items`.
    """
    events = read_items(path, _event)
    return History(
        steps=tuple(one for one in events if isinstance(one, Step)),
        evaluations=tuple(one for one in events if isinstance(one, Evaluation)),
    )
