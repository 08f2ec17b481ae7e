"""Fingerprints: short hashes by which equal contents are recognised."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

LENGTH = 16
"""Hexadecimal digits of a fingerprint."""


def _plain(value: Any) -> Any:
    """Convert a value that JSON does not support into one that it supports."""
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
    """Hash of `values`, 16 hexadecimal digits.

    Args:
        *values: JSON values, dataclasses (with their class name), paths (as text, not their contents) and
            sets, nested in any way. The order of keys does not matter.

    Raises:
        TypeError: If a value has another type.

    Examples:
        >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
        True
    """
    text = json.dumps(values, sort_keys=True, default=_plain, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def file_fingerprint(*paths: Path) -> str:
    """Hash of the contents of some files in this order, 16 hexadecimal digits; their names do not count."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:LENGTH]
