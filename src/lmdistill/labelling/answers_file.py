"""The files of answers and of rejected rows, as recipes and people read them."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lmdistill.core.atomic_io import atomic_file
from lmdistill.core.errors import DataError
from lmdistill.labelling.label_probabilities import LabelDistribution
from lmdistill.labelling.reply_reading import Rejection

SUFFIX = ".jsonl"
"""Of all files."""


def rejected_path(out: Path) -> Path:
    """The file of rejected rows beside the answers.

    Examples:
        >>> rejected_path(Path("answers.jsonl")).name
        'answers.rejected.jsonl'
    """
    return out.with_name(f"{out.stem}.rejected{SUFFIX}")


def partial_path(out: Path) -> Path:
    """The file of the answers so far, where some are missing."""
    return out.with_name(f"{out.stem}.partial{SUFFIX}")


def audit_path(out: Path) -> Path:
    """The file with the figures of an audit."""
    return out.with_name(f"{out.stem}.audit.json")


def require_new_output(out: Path) -> None:
    """Refuse an output that is there, or that is no `.jsonl` file.

    Raises:
        DataError: If so.
    """
    if out.suffix != SUFFIX:
        raise DataError(f"{out} cannot be written: answers are saved as {SUFFIX}. Choose such a name.")
    if out.exists():
        raise DataError(f"{out} exists. Choose another --out, or remove it.")


def answer_line(
    columns: Sequence[str],
    texts: Sequence[str],
    found: LabelDistribution,
    labels: Sequence[str],
    model: str,
) -> str:
    """A row of the answers as a line of JSON, newline included."""
    line: dict[str, Any] = dict(zip(columns, texts, strict=True))
    line["probabilities"] = dict(zip(labels, found.probabilities, strict=True))
    line |= {
        "source": found.source,
        "samples": found.samples,
        "unassigned": round(found.unassigned, 6),
        "model": model,
    }
    return json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n"


def rejected_line(columns: Sequence[str], texts: Sequence[str], found: Rejection, model: str) -> str:
    """A rejected row as a line of JSON in ASCII, so that a terminal can show the reply."""
    line: dict[str, Any] = dict(zip(columns, texts, strict=True))
    line |= {"reason": found.reason, "detail": found.detail, "reply": found.reply, "model": model}
    return json.dumps(line, ensure_ascii=True) + "\n"


def text_line(columns: Sequence[str], texts: Sequence[str]) -> str:
    """A row without an answer as a line of JSON, newline included."""
    return json.dumps(dict(zip(columns, texts, strict=True)), ensure_ascii=False) + "\n"


def write_lines(path: Path, lines: Iterable[str]) -> int:
    """Write lines to a file, completely or not at all; their number. Without lines the file is removed."""
    counted = iter(lines)
    first = next(counted, None)
    if first is None:
        path.unlink(missing_ok=True)
        return 0
    count = 0
    with atomic_file(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        for line in _chained(first, counted):
            file.write(line)
            count += 1
    return count


def _chained(first: str, rest: Iterator[str]) -> Iterator[str]:
    """A line and those after it."""
    yield first
    yield from rest
