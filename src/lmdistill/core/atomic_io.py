"""Atomic writes: a file or a folder appears only when it is complete.

What is not complete has a hidden name beside it with the machine and the process that write it,
`.NAME.MACHINE-PROCESS-THREAD.part`. What a killed process has left is removed by the next write of the same
file, and by `remove_leftovers`.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lmdistill.core.errors import RunError
from lmdistill.core.file_names import require_new_name

MACHINE = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
"""Short name of this machine; numbers of processes mean nothing on another one that shares the disk."""

LEFTOVER = re.compile(
    r"\.(?P<name>.+)\.(?:(?P<machine>[0-9a-f]{8})-)?(?P<process>\d+)-(?P<thread>\d+)\.(?P<kind>part|old)"
)
"""Name of an incomplete file or folder; version 0.1 wrote no machine."""

SURELY_OVER = 86_400.0
"""Seconds after which a file without a machine in its name is one that nobody writes any more."""


def require_place(path: Path) -> None:
    """Check that a file or a folder can be written at `path`; nothing is left behind.

    Raises:
        RunError: A part of the path is a file or has an unfit name, the place takes no files, or `path` is a
            device.
    """
    require_new_name(path)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise RunError(f"{path} is a device, not a file or a folder. Choose another path.")
    folder = path.parent if path.is_file() else path
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return
    except OSError as error:
        reason = error.strerror
    raise RunError(f"{folder} cannot be used: {reason}. Choose another path.")


def _beside(path: Path, ending: str) -> Path:
    """A hidden path in the same folder whose name is unique to this machine, process and thread."""
    return path.with_name(f".{path.name}.{MACHINE}-{os.getpid()}-{threading.get_ident()}.{ending}")


def remove_leftovers(folder: Path, *, name: str | None = None) -> None:
    """Remove what killed processes of this machine have left half-written in a folder.

    Where a process was killed between the two renames that replace a folder, the old folder gets its name
    back. Files of processes that still run, and of other machines, stay.

    Args:
        folder: May be missing; folders below are not searched.
        name: Only leftovers of this file or folder; None takes all.
    """
    try:
        found = [entry for entry in os.scandir(folder) if entry.name.endswith((".part", ".old"))]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    for entry in found:
        parts = LEFTOVER.fullmatch(entry.name)
        if parts is None or name not in (None, parts["name"]) or not _is_over(Path(entry.path), parts):
            continue
        if parts["kind"] == "old" and not (folder / parts["name"]).exists():
            with suppress(FileNotFoundError):  # somebody else did it
                os.replace(entry.path, folder / parts["name"])
        elif entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            Path(entry.path).unlink(missing_ok=True)


def _is_over(path: Path, parts: re.Match[str]) -> bool:
    """Whether the process that wrote a leftover of this name has ended."""
    if parts["machine"] not in (None, MACHINE) or _is_alive(int(parts["process"]), int(parts["thread"])):
        return False
    try:
        return parts["machine"] is not None or time.time() - path.stat().st_mtime > SURELY_OVER
    except FileNotFoundError:  # somebody else has removed it
        return False


def _is_alive(process: int, thread: int) -> bool:
    """Whether a process of this number runs on this machine; if that is not known, it counts as running."""
    if process == os.getpid():  # in a container, numbers are soon the same again
        return thread in {one.ident for one in threading.enumerate()}
    if os.name == "nt":  # signal 0 would end it there
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder, and rename it to `path` when the block has ended.

    If the block raises (for example because the disk is full), the temporary file is removed and `path` stays
    as it was. Missing parent folders are created.
    """
    require_new_name(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent, name=path.name)
    part = _beside(path, "part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`, and rename it to `path` when the block has ended.

    A folder that already exists at `path` is removed only after the new one is complete. If the block raises,
    the temporary folder is removed and `path` stays as it was.
    """
    require_new_name(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent, name=path.name)
    part = _beside(path, "part")
    old = _beside(path, "old")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    try:
        yield part
        if path.exists():
            os.replace(path, old)
        os.replace(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        if old.exists() and not path.exists():
            os.replace(old, path)
        shutil.rmtree(old, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` to a file atomically, in UTF-8."""
    with atomic_file(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically.

    Raises:
        ValueError: If `value` contains NaN or an infinity, which JSON does not have.
    """
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))
