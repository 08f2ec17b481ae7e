"""Memory and disk space, without torch: the peak of a process, and the size of a folder."""

import multiprocessing
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from lmdistill.core.errors import DataError, RunError

BYTES_PER_MB = 1_000_000


def peak_memory_mb() -> float:
    """Peak resident memory of this process since it started, in MB (10^6 bytes), with Python and libraries.

    It never decreases, so measure each network in a process of its own, with `peak_memory_of`.

    Raises:
        RunError: The operating system does not report it (Windows).
    """
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss would include the peak of the parent of a new process
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        if "VmHWM" in lines:
            return int(lines["VmHWM"].split()[0]) * 1024 / BYTES_PER_MB
    if sys.platform == "win32":
        raise RunError("Windows does not report the peak memory of a process; measure it on Linux or macOS.")
    import resource  # does not exist on Windows

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / BYTES_PER_MB


def peak_memory_of(work: Callable[[], object]) -> float:
    """Peak CPU memory of a new process that calls `work`, in MB (10^6 bytes).

    It includes Python and its libraries (with torch a few hundred MB), so compare it with the peak of an
    empty function.

    Args:
        work: Function to call; its result is ignored. It must be picklable: a function of a module, or a
            `functools.partial` of one.

    Raises:
        RunError: `work` raised an error, or the process was killed.
    """
    context = multiprocessing.get_context("spawn")  # a forked process would start with our memory
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send_peak_memory, args=(work, sender))
    process.start()
    sender.close()
    try:
        return float(receiver.recv())
    except EOFError:
        process.join()
        raise RunError(
            f"the process that measures memory ended with code {process.exitcode} and no result; "
            "see its error above, or the machine ran out of memory."
        ) from None
    finally:
        process.join()
        receiver.close()


def disk_bytes(folder: Path) -> int:
    """Total size in bytes of all files in `folder` and its subfolders.

    Raises:
        DataError: There is no such folder.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give the folder that the model was saved in.")
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _send_peak_memory(work: Callable[[], object], sender: Connection) -> None:
    """Call `work` and send the peak memory of this process to the parent."""
    work()
    sender.send(peak_memory_mb())
