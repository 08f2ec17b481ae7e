"""Checkpoints, from which an interrupted run continues exactly where it stopped.

A folder of checkpoints holds `step-N` (weights, optimizer and counters after step N; only the newest is
kept) and `best` (weights of the best evaluation). Each is written under a temporary name and then renamed,
so a checkpoint that exists is complete.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from accelerate import Accelerator
from safetensors.torch import load_model
from torch import nn

from lmdistill.core.atomic_io import read_json, write_json
from lmdistill.core.errors import RunError


@dataclass(kw_only=True)
class TrainingState:
    """Counters of a training run that are saved with each checkpoint."""

    step: int = 0
    """Number of optimizer steps done."""

    best_step: int = 0
    """Step of the best evaluation so far; 0 if there was none."""

    best_score: float | None = None
    """Dev score at `best_step`; None if there was no evaluation."""

    stale: int = 0
    """Number of evaluations since the best one."""

    processes: int = 1
    """Number of processes of the run; the format of the saved weights depends on it."""

    def record_score(self, score: float) -> bool:
        """Record the score of an evaluation; true if it is higher than all before it."""
        if self.best_score is None or score > self.best_score:
            self.best_step, self.best_score, self.stale = self.step, score, 0
            return True
        self.stale += 1
        return False


@dataclass(frozen=True, kw_only=True)
class Checkpoints:
    """Reads and writes the checkpoints of one run."""

    folder: Path
    """Folder that contains the checkpoints."""

    accelerator: Accelerator
    """Holds the prepared model and optimizer, and synchronises the processes."""

    def newest(self) -> Path | None:
        """Folder of the latest checkpoint; None if there is none."""
        checkpoints = sorted(self.folder.glob("step-*"), key=lambda path: int(path.name.partition("-")[2]))
        return checkpoints[-1] if checkpoints else None

    def restore(self) -> TrainingState:
        """Load the latest checkpoint into the model and the optimizer.

        Returns:
            The saved counters; those of a new run if there is no checkpoint.

        Raises:
            RunError: If another number of processes wrote it.
        """
        newest, processes = self.newest(), self.accelerator.num_processes
        if newest is None:
            return TrainingState(processes=processes)
        state = TrainingState(**read_json(newest / "state.json"))
        if state.processes != processes:
            raise RunError(
                f"{newest} was written by {state.processes} process(es) and there are {processes} now. "
                f"Launch {state.processes}, or remove {self.folder} to begin again."
            )
        self.accelerator.load_state(str(newest))
        return state

    def save(self, state: TrainingState) -> None:
        """Write a checkpoint, then remove the older ones."""
        name = f"step-{state.step}"
        with self._complete_folder(name) as part:
            self.accelerator.save_state(str(part))
            if self.accelerator.is_main_process:
                write_json(part / "state.json", asdict(state))
        if self.accelerator.is_main_process:
            for old in self.folder.glob("step-*"):
                if old.name != name:
                    shutil.rmtree(old, ignore_errors=True)

    def save_best(self, learner: nn.Module) -> None:
        """Save the current weights as the best ones so far."""
        with self._complete_folder("best") as part:
            self.accelerator.save_model(learner, str(part))

    def load_best(self, learner: nn.Module) -> None:
        """Load the best weights into `learner`, the network as accelerate has wrapped it."""
        load_model(self.accelerator.unwrap_model(learner), self.folder / "best" / "model.safetensors")

    @contextmanager
    def _complete_folder(self, name: str) -> Iterator[Path]:
        """Yield a temporary folder that all processes write to; rename it to `name` when all are done."""
        part, target = self.folder / f".{name}.part", self.folder / name
        wait = self.accelerator.wait_for_everyone
        if self.accelerator.is_main_process:
            shutil.rmtree(part, ignore_errors=True)  # left by an interrupted run
            part.mkdir(parents=True)
        wait()
        try:
            yield part
        except BaseException:  # for example a full disk: free the space
            if self.accelerator.is_main_process:
                shutil.rmtree(part, ignore_errors=True)
            raise
        wait()
        if self.accelerator.is_main_process:
            shutil.rmtree(target, ignore_errors=True)
            os.replace(part, target)
        wait()
