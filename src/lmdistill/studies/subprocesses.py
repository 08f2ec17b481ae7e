"""The processes that cells run in."""

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
"""Seconds between asking a process to end and ending it."""

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, kw_only=True)
class Job:
    """A cell at work."""

    cell: StudyCell
    """Which."""

    process: subprocess.Popen[bytes]
    """The leader of a group of processes."""

    log: Path
    """What it says."""

    before: int
    """Bytes that earlier tries have said."""

    began: float
    """On the clock of `time.monotonic`."""

    def is_over(self) -> bool:
        """Whether the process has ended."""
        return self.process.poll() is not None

    def end(self, sign: signal.Signals) -> None:
        """Send `sign` to the process and to all that it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, sign)

    def reason(self) -> str:
        """Why it failed, on one line: its own message, or how it ended."""
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
    """Starts cells."""

    command: tuple[str, ...]
    """What comes before the recipe."""

    place: StudyFolder
    """Where recipes, logs and locks lie."""

    lifeline: int
    """The end that the processes wait at."""

    threads: int
    """For each, where the environment does not say how many."""

    def start(self, cell: StudyCell) -> Job | None:
        """Start a cell; None where another process runs it.

        Raises:
            RunError: If another command has begun it with other settings.
        """
        held, log = self.place.hold(cell), self.place.log(cell)
        if held is None:
            return None
        with held:
            self.place.begin(cell)
            log.parent.mkdir(parents=True, exist_ok=True)
            return self._started(cell, held, log)

    def _started(self, cell: StudyCell, held: IO[bytes], log: Path) -> Job:
        """The process of a cell, which inherits the file that is held."""
        with log.open("ab") as said:
            said.write(f"--- {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n".encode())
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


@contextlib.contextmanager
def launcher(command: Sequence[str], place: StudyFolder, jobs: int) -> Iterator[Launcher]:
    """Start cells in this block; a process that is still there long after it has lost its lifeline."""
    end, ours = os.pipe()
    try:
        yield Launcher(command=tuple(command), place=place, lifeline=end, threads=max(1, cores() // jobs))
    finally:
        os.close(ours)
        os.close(end)


def stop(jobs: Sequence[Job]) -> None:
    """End all: politely, then not."""
    for job in jobs:
        job.end(signal.SIGTERM)
    until = time.monotonic() + PATIENCE
    for job in jobs:
        with contextlib.suppress(subprocess.TimeoutExpired):
            job.process.wait(max(0.0, until - time.monotonic()))
        job.end(signal.SIGKILL)
        job.process.wait()


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def jobs_at_once(jobs: int | str) -> int:
    """How many cells run at once; `auto` is one on an accelerator, which they would have to share."""
    if isinstance(jobs, int):
        return jobs
    if not on_cpu():
        return 1
    given = os.environ.get(THREADS, "")
    return max(1, cores() // (int(given) if given.isdigit() and int(given) else 1))
