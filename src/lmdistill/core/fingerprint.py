"""Short names for contents: two things with the same fingerprint are the same."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

LENGTH = 16


def _plain(value: Any) -> Any:
    """Values that JSON does not know, as ones that it knows."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            "__type__": type(value).__name__,
            **{f.name: getattr(value, f.name) for f in dataclasses.fields(value)},
        }
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no fingerprint")


def fingerprint(*values: Any) -> str:
    """Sixteen hexadecimal digits that name `values`: anything JSON, dataclasses, paths (by name), sets.

    Examples:
        >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
        True
    """
    text = json.dumps(values, sort_keys=True, default=_plain, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def file_fingerprint(*paths: Path) -> str:
    """Sixteen hexadecimal digits that name the contents of the files, in order, and nothing else of them."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:LENGTH]
