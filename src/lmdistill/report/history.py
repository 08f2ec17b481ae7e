"""The curve of a run: one JSON object a line, so that a kill costs at most the line being written."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from lmdistill.core.errors import RunError
from lmdistill.core.storage import write_text

HISTORY = "history.jsonl"

Item = TypeVar("Item")


def _plain(value: Any) -> Any:
    """`value` with None for NaN and infinities, which JSON does not have."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def encode_line(line: Mapping[str, Any]) -> str:
    """One object as one line of JSON, newline included."""
    return json.dumps(_plain(line), ensure_ascii=False, allow_nan=False) + "\n"


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file with one a line; a cut last line, which a kill leaves behind, is ignored.

    Raises:
        RunError: If any line but the last is not a JSON object.
    """
    lines = path.read_bytes().split(b"\n")
    values = []
    for number, line in enumerate(lines, start=1):
        try:
            if line.strip():
                values.append(dict(json.loads(line)))
        except (ValueError, TypeError):  # cut inside a character, inside the object, or no object at all
            if number < len(lines):
                raise RunError(f"{path}, line {number}, is not a JSON object. Remove the line.") from None
    return values


def read_items(path: Path, make: Callable[[dict[str, Any]], Item]) -> list[Item]:
    """What `make` makes of each object of a file with one a line; nothing if there is no file.

    Raises:
        RunError: If a line is not a JSON object, or not one that `make` can use.
    """
    found = []
    for line in read_lines(path) if path.exists() else []:
        try:
            found.append(make(line))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            said = json.dumps(line, ensure_ascii=False)[:60]
            raise RunError(f"{path} has a line that no run wrote ({error!r}): {said}. Remove it.") from None
    return found


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
    """Its number."""

    loss: float
    """The objective, a mean over what counts; NaN if it was none."""

    parts: Mapping[str, float]
    """Its terms by name; they add up to the loss."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One look at the dev set."""

    step: int
    """After which step."""

    scores: Mapping[str, float]
    """By metric."""


@dataclass(frozen=True, kw_only=True)
class History:
    """The curve of a run."""

    steps: tuple[Step, ...] = ()
    """In the order they were taken."""

    evaluations: tuple[Evaluation, ...] = ()
    """In the order they were made."""


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
    """One evaluation."""
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
