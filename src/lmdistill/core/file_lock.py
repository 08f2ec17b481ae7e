"""Files that one process holds at a time; the operating system releases them when the process ends.

A lock is the kernel's (`flock`, on Windows `LockFileEx`, both through `filelock`), not a process number in a
file. A killed process holds nothing, so no stale lock has to be told from a live one. Where a file system has
no such locks, nobody waits.
"""

import contextlib
import errno
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from filelock import lock_descriptor

from lmdistill.core.atomic_io import remove_leftovers
from lmdistill.core.errors import RunError

WITHOUT = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
"""How a file system says that it has no locks."""


def hold(path: Path, *, wait: bool = True) -> IO[bytes] | None:
    """Hold `path` until the file is closed, here and in every process that has inherited it.

    The lock belongs to the open file. An object of `filelock.FileLock` would unlock the file when it is
    released, even while a child process that has inherited the descriptor still runs. On Windows, children
    inherit no descriptor.

    Args:
        path: Made, with its folder, if missing; nothing is written into it.
        wait: Until nobody else holds it.

    Returns:
        The open file, or None where another process holds it and `wait` is off.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("ab")
    try:
        if _locked(file, wait=wait):
            return file
    except BaseException:
        file.close()
        raise
    file.close()
    return None


def lock_of(path: Path) -> Path:
    """The lock file of `path`, hidden beside it.

    Examples:
        >>> lock_of(Path("/runs/sst2")).as_posix()
        '/runs/.sst2.lock'
    """
    whole = Path(os.path.realpath(path))  # "." has no name, and a link is the folder that it names
    return whole.with_name(f".{whole.name}.lock")


@contextmanager
def sole_writer(path: Path, option: str = "--out") -> Iterator[None]:
    """Write a file or a run folder in the block, while nobody else does.

    The lock file is beside `path` and says who holds it. What killed writers have left half-written in a
    run folder is removed first.

    Args:
        path: The file or the folder.
        option: What names it on the command line, for the message.

    Raises:
        RunError: At once, if another process writes it.
        NotADirectoryError: If a file is where the folder of `path` would be.
    """
    if any(folder.is_file() for folder in path.parents):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    lock = lock_of(path)
    missing = [folder for folder in lock.parents if not folder.exists()]
    file = _held_now(lock, path, option)
    try:
        with contextlib.suppress(OSError):
            file.truncate(0)
            file.write(f"process {os.getpid()} on {platform.node()}".encode())
            file.flush()
        remove_leftovers(path)
        yield
    finally:
        _removed_and_closed(file, lock)
        for folder in missing:
            with contextlib.suppress(OSError):  # something was written there
                folder.rmdir()


def _held_now(lock: Path, path: Path, option: str) -> IO[bytes]:
    """The open lock file; an error if somebody else holds it."""
    while True:
        file = hold(lock, wait=False)
        if file is None:
            raise RunError(
                f"{path} is being written by another command ({_holder(lock)}). Wait until it has ended, "
                f"stop it, or choose another {option}."
            )
        if _is_at(file, lock):
            return file
        file.close()  # whoever held it has removed it meanwhile


def _holder(lock: Path) -> str:
    """Who holds a lock, as its file says."""
    with contextlib.suppress(OSError, UnicodeDecodeError):  # Windows lets nobody else read it
        return lock.read_text(encoding="utf-8") or "another process"
    return "another process"


@contextmanager
def exclusive_file(path: Path) -> Iterator[None]:
    """Do the block while no other process is in a block with the same `path`; the file is gone afterwards."""
    while True:
        file = hold(path)
        assert file is not None
        if _is_at(file, path):
            break
        file.close()  # whoever held it has removed it meanwhile
    try:
        yield
    finally:
        _removed_and_closed(file, path)


def _removed_and_closed(file: IO[bytes], path: Path) -> None:
    """Remove a file that is held, then close it; on Windows close it first, since open files stay there."""
    with file, contextlib.suppress(PermissionError):
        path.unlink(missing_ok=True)
        return
    with contextlib.suppress(PermissionError):  # whoever holds it next removes it
        path.unlink(missing_ok=True)


def _locked(file: IO[bytes], *, wait: bool) -> bool:
    """Lock an open file; whether it is ours now."""
    try:
        return lock_descriptor(file.fileno(), blocking=wait)
    except OSError as error:
        if error.errno not in WITHOUT:
            raise
    return True


def _is_at(file: IO[bytes], path: Path) -> bool:
    """Whether an open file is still the one at `path`."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
