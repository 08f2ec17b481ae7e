"""The child processes that run cells."""

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from lmdistill.engine.distributed import on_cpu
from lmdistill.studies.grid import StudyCell
from lmdistill.studies.parent_watchdog import VARIABLE
from lmdistill.studies.study_folder import StudyFolder

THREADS = "OMP_NUM_THREADS"
PATIENCE = 10
"""Seconds between SIGTERM and SIGKILL."""

TAIL = 4096
"""Bytes at the end of a log in which its last line is looked for."""

HEADER = "--- "
"""What stands before the time at which a process was started."""

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, kw_only=True)
class Job:
    """A running cell."""

    cell: StudyCell
    """Which one, with its recipe and folder."""

    process: subprocess.Popen[bytes]
    """The child process, leader of its process group."""

    log: Path
    """File that its output goes to."""

    before: int
    """Size of the log before this try, in bytes."""

    began: float
    """Start time on the clock of `time.monotonic`, in seconds."""

    def is_over(self) -> bool:
        """Whether the process has ended."""
        return self.process.poll() is not None

    def end(self, sign: signal.Signals) -> None:
        """Send a signal to the process group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, sign)

    def reason(self) -> str:
        """Error message on one line: the process's own, or how it ended."""
        with self.log.open("rb") as file:
            file.seek(self.before)
            said = COLOUR.sub("", file.read().decode(errors="replace")).splitlines()
        messages = [line.removeprefix("error: ") for line in said if line.startswith("error: ")]
        code = self.process.returncode
        if messages:
            return messages[-1]
        if code < 0:
            known = {sign.value: sign.name for sign in signal.Signals}  # not every one has a name
            return f"the process was ended by {known.get(-code, f'signal {-code}')}."
        return f"the process left with code {code} and no record."


@dataclass(frozen=True, kw_only=True)
class Launcher:
    """Starts child processes for cells."""

    command: tuple[str, ...]
    """Command line up to the recipe."""

    place: StudyFolder
    """Folder of the study, with recipes, logs and locks."""

    lifeline: int
    """File descriptor of the pipe that child processes watch."""

    threads: int
    """Threads of each child process, unless the environment sets them; >= 1."""

    def start(self, cell: StudyCell) -> Job | None:
        """Start a cell; None if another process runs it.

        Raises:
            RunError: If another command has started it with other settings.
        """
        held, log = self.place.hold(cell), self.place.log(cell)
        if held is None:
            return None
        with held:
            self.place.begin(cell)
            log.parent.mkdir(parents=True, exist_ok=True)
            return self._started(cell, held, log)

    def _started(self, cell: StudyCell, held: IO[bytes], log: Path) -> Job:
        """The child process of a cell; it inherits the lock file."""
        with log.open("ab") as said:
            said.write(f"{HEADER}{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n".encode())
            said.flush()
            before = said.tell()
            process = subprocess.Popen(
                [*self.command, str(self.place.recipe(cell)), "--out", str(cell.folder)],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                pass_fds=(self.lifeline, held.fileno()),
                env={THREADS: str(self.threads), **os.environ, VARIABLE: str(self.lifeline)},
                start_new_session=True,
            )
        return Job(cell=cell, process=process, log=log, before=before, began=time.monotonic())


def last_line(log: Path) -> str:
    """What a process said last; empty if it has said nothing since its start, or its log cannot be read."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL))
            said = COLOUR.sub("", file.read().decode(errors="replace")).strip()
    except OSError:
        return ""
    last = said.splitlines()[-1] if said else ""
    return "" if last.startswith(HEADER) else last


@contextlib.contextmanager
def launcher(command: Sequence[str], place: StudyFolder, jobs: int) -> Iterator[Launcher]:
    """A launcher for this block; child processes end when the block's pipe is closed."""
    end, ours = os.pipe()
    try:
        yield Launcher(command=tuple(command), place=place, lifeline=end, threads=max(1, cores() // jobs))
    finally:
        os.close(ours)
        os.close(end)


def stop(jobs: Sequence[Job]) -> None:
    """End all child processes: SIGTERM first, SIGKILL later."""
    for job in jobs:
        job.end(signal.SIGTERM)
    until = time.monotonic() + PATIENCE
    for job in jobs:
        with contextlib.suppress(subprocess.TimeoutExpired):
            job.process.wait(max(0.0, until - time.monotonic()))
        job.end(signal.SIGKILL)
        job.process.wait()


def cores() -> int:
    """Number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def jobs_at_once(jobs: int | str) -> int:
    """Number of cells at a time; `auto` is one on an accelerator, which cells would have to share."""
    if isinstance(jobs, int):
        return jobs
    if not on_cpu():
        return 1
    given = os.environ.get(THREADS, "")
    return max(1, cores() // (int(given) if given.isdigit() and int(given) else 1))
