"""SHA-256 checksums, by which a changed file is noticed: a damaged disk, a cut copy, an edit by hand.

A folder that is written whole has a manifest, `checksums.json`, with the checksum of each of its files; it is
written last. A JSON object may carry the checksum of its other fields.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lmdistill.core.atomic_io import read_json, write_json

CHECKSUM = "checksum"
"""Field of a JSON object with the checksum of the others."""

MANIFEST = "checksums.json"
"""File of a folder with the checksums of its other files."""


def file_checksum(path: Path) -> str:
    """SHA-256 of the contents of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_checksums(folder: Path) -> dict[str, str]:
    """Checksums of all files in a folder and below, by their paths in it; a manifest is left out."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)
    return {path.relative_to(folder).as_posix(): file_checksum(path) for path in files}


def first_changed(folder: Path, checksums: Mapping[str, str]) -> str | None:
    """The first file that is missing in `folder` or has another checksum, in words; None if there is none.

    Args:
        folder: Where the files are.
        checksums: Expected checksums by path in `folder`.
    """
    for name, expected in checksums.items():
        try:
            found = file_checksum(folder / name)
        except FileNotFoundError:
            return f"{name} is missing"
        except (OSError, ValueError):  # of a name, too, that no system could write
            return f"{name!r} cannot be read"
        if found != expected:
            return f"{name} has changed"
    return None


def write_manifest(folder: Path) -> None:
    """Write the checksums of all files in `folder` into its manifest; call it last."""
    write_json(folder / MANIFEST, folder_checksums(folder))


def manifest_damage(folder: Path) -> str | None:
    """What is wrong with the files of a folder that has a manifest, in words; None if nothing is."""
    try:
        checksums = read_json(folder / MANIFEST)
    except FileNotFoundError:
        return f"{MANIFEST} is missing"
    except (ValueError, RecursionError):
        checksums = None
    if not isinstance(checksums, dict) or not checksums:
        return f"{MANIFEST} has changed"
    return first_changed(folder, {name: str(expected) for name, expected in checksums.items()})


def object_checksum(value: Mapping[str, Any]) -> str:
    """SHA-256 of a JSON object without its field `checksum`, 64 hexadecimal digits.

    The order of keys and the white space of the file do not count.

    Examples:
        >>> object_checksum({"a": 1, "b": 2.0}) == object_checksum({"b": 2.0, "a": 1, "checksum": "f0"})
        True
    """
    rest = {name: one for name, one in value.items() if name != CHECKSUM}
    text = json.dumps(rest, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def is_unchanged(value: Mapping[str, Any]) -> bool:
    """Whether a JSON object is as it was written; one of an older version has no checksum and is."""
    try:
        return CHECKSUM not in value or value[CHECKSUM] == object_checksum(value)
    except RecursionError:
        return False


def write_checked_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write an object with its checksum as JSON, atomically."""
    plain = json.loads(json.dumps(dict(value), allow_nan=False))  # keys become text here as in the file
    write_json(path, {**plain, CHECKSUM: object_checksum(plain)})


def read_checked_json(path: Path) -> dict[str, Any] | None:
    """The object that `write_checked_json` wrote, without its checksum; None if the file is damaged.

    An object without a checksum, of an older version, is given as it is.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    try:
        value = read_json(path)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not is_unchanged(value):
        return None
    return {name: one for name, one in value.items() if name != CHECKSUM}
