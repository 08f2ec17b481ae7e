"""Files with one JSON object a line, of which a kill cuts at most the last."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from lmdistill.core.errors import RunError

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
