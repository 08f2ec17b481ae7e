"""What a killed run needs to go on as if nothing had happened.

A folder of checkpoints holds `step-N` (weights, optimizer and counters after step N; only the newest is
kept) and `best` (weights of the best evaluation). Each appears by one rename, so what exists is whole.
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
    """Where a run is."""

    step: int = 0
    """Optimizer steps done."""

    best_step: int = 0
    """Step of the best evaluation so far."""

    best_score: float | None = None
    """Its score."""

    stale: int = 0
    """Evaluations since then."""

    processes: int = 1
    """Processes of the run; the weights are stored as they wrap them."""

    def record_score(self, score: float) -> bool:
        """Take in an evaluation; whether it is the best so far (a tie is not)."""
        if self.best_score is None or score > self.best_score:
            self.best_step, self.best_score, self.stale = self.step, score, 0
            return True
        self.stale += 1
        return False


@dataclass(frozen=True, kw_only=True)
class Checkpoints:
    """The checkpoints of one run."""

    folder: Path
    """Where they lie."""

    accelerator: Accelerator
    """Knows the prepared model and optimizer, and the other processes."""

    def newest(self) -> Path | None:
        """The last whole checkpoint, or None."""
        found = sorted(self.folder.glob("step-*"), key=lambda path: int(path.name.partition("-")[2]))
        return found[-1] if found else None

    def restore(self) -> TrainingState:
        """Load the newest checkpoint into what the accelerator has prepared; a fresh state without one.

        Raises:
            RunError: If another number of processes wrote it.
        """
        newest, here = self.newest(), self.accelerator.num_processes
        if newest is None:
            return TrainingState(processes=here)
        state = TrainingState(**read_json(newest / "state.json"))
        if state.processes != here:
            raise RunError(
                f"{newest} was written by {state.processes} process(es) and there are {here} now. "
                f"Launch {state.processes}, or remove {self.folder} to begin again."
            )
        self.accelerator.load_state(str(newest))
        return state

    def save(self, state: TrainingState) -> None:
        """Write a checkpoint, then drop the older ones."""
        name = f"step-{state.step}"
        with self._whole(name) as part:
            self.accelerator.save_state(str(part))
            if self.accelerator.is_main_process:
                write_json(part / "state.json", asdict(state))
        if self.accelerator.is_main_process:
            for old in self.folder.glob("step-*"):
                if old.name != name:
                    shutil.rmtree(old, ignore_errors=True)

    def save_best(self, learner: nn.Module) -> None:
        """Write the weights that evaluated best so far."""
        with self._whole("best") as part:
            self.accelerator.save_model(learner, str(part))

    def load_best(self, learner: nn.Module) -> None:
        """Put the best weights into the network behind `learner`."""
        load_model(self.accelerator.unwrap_model(learner), self.folder / "best" / "model.safetensors")

    @contextmanager
    def _whole(self, name: str) -> Iterator[Path]:
        """Yield a folder that all processes write into; it gets its name when all have finished."""
        part, target = self.folder / f".{name}.part", self.folder / name
        wait = self.accelerator.wait_for_everyone
        if self.accelerator.is_main_process:
            shutil.rmtree(part, ignore_errors=True)  # half-written by a killed run
            part.mkdir(parents=True)
        wait()
        try:
            yield part
        except BaseException:  # a full disk, say: leave the room to what is whole
            if self.accelerator.is_main_process:
                shutil.rmtree(part, ignore_errors=True)
            raise
        wait()
        if self.accelerator.is_main_process:
            shutil.rmtree(target, ignore_errors=True)
            os.replace(part, target)
        wait()
