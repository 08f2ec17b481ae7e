"""Files that one process holds at a time; the system lets go of them when it ends, however it ends.

A lock is the kernel's (`flock`), not a process number in a file. A killed process holds nothing, so no stale
lock must be told from a live one, and a number that was given out again misleads nobody. Where a file system
has no such locks, nobody waits.
"""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

if sys.platform != "win32":
    import fcntl

WITHOUT = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
"""How a file system says that it has no locks."""


def hold(path: Path, *, wait: bool = True) -> IO[bytes] | None:
    """Hold `path` until the file is closed, here and in every process that has inherited it.

    Args:
        path: Made, with its folder, if missing; nothing is written into it.
        wait: Until nobody else holds it.

    Returns:
        The open file, or None where another process holds it and `wait` is off.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("ab")
    try:
        if _taken(file, wait=wait):
            return file
    except BaseException:
        file.close()
        raise
    file.close()
    return None


@contextmanager
def exclusive_file(path: Path) -> Iterator[None]:
    """Do the block while no other process is in a block with the same `path`; the file is gone afterwards."""
    while True:
        file = hold(path)
        assert file is not None
        if _is_at(file, path):
            break
        file.close()  # whoever held it has removed it meanwhile
    with file:
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _taken(file: IO[bytes], *, wait: bool) -> bool:
    """Lock an open file; whether it is ours now."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
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
