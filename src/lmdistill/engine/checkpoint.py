"""Checkpoints, from which an interrupted run continues exactly where it stopped.

A folder of checkpoints holds `step-N` (weights, optimizer and counters after step N; the latest one and the
one before it) and `best` (weights of the best evaluation). Each is written under a temporary name and then
renamed, so a checkpoint that exists is complete. Each has a manifest with the checksums of its files. A
checkpoint whose files have changed since is not used: the one before it is, or the training starts again.
"""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from safetensors.torch import load_model
from torch import nn

from lmdistill.core.atomic_io import read_json, write_json
from lmdistill.core.checksums import MANIFEST, manifest_damage, write_manifest
from lmdistill.core.errors import RunError, first_line
from lmdistill.engine.distributed import on_main_process

log = logging.getLogger("lmdistill")

STATE = "state.json"
"""File of a checkpoint with its counters."""

HAS_MANIFEST = "manifest"
"""Key of that file; true if the checkpoint has a manifest. Version 0.1 wrote neither."""

REQUIRED = ("model.safetensors", "optimizer.bin", "random_states_0.pkl")
"""Files that a checkpoint of version 0.1 must have."""


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

    needs_best: bool = False
    """Whether the run ends with its best weights, so that a checkpoint cannot be used without them."""

    def by_step(self) -> list[Path]:
        """Folders of all checkpoints, damaged ones included, by increasing step."""
        found = (path for path in self.folder.glob("step-*") if path.name[5:].isdecimal())
        return sorted(found, key=lambda path: int(path.name[5:]))

    def restore(self) -> TrainingState:
        """Load the latest undamaged checkpoint into the model and the optimizer.

        Damaged checkpoints are removed with a warning.

        Returns:
            The saved counters; those of a new run if there is no undamaged checkpoint.

        Raises:
            RunError: If another number of processes wrote it, or if one of version 0.1 cannot be loaded.
        """
        newest, processes = on_main_process(self._newest_undamaged), self.accelerator.num_processes
        if newest is None:
            return TrainingState(processes=processes)
        state = _state(read_json(newest / STATE))
        if state.processes != processes:
            raise RunError(
                f"{newest} was written by {state.processes} process(es) and there are {processes} now. "
                f"Launch {state.processes}, or remove {self.folder} to begin again."
            )
        try:
            self.accelerator.load_state(str(newest))
        except Exception as error:  # without a manifest, damage causes errors of many classes
            raise RunError(
                f"{newest} cannot be loaded ({first_line(error)}). Remove {self.folder} to begin again."
            ) from error
        return state

    def save(self, state: TrainingState) -> None:
        """Write a checkpoint and keep the one before it; older ones are removed first to free their space."""
        name = f"step-{state.step}"
        if self.accelerator.is_main_process:
            for old in [path for path in self.by_step() if path.name != name][:-1]:
                _remove(old)
        with self._complete_folder(name) as part:
            self.accelerator.save_state(str(part))
            if self.accelerator.is_main_process:
                write_json(part / STATE, {**asdict(state), HAS_MANIFEST: True})

    def save_best(self, learner: nn.Module) -> None:
        """Save the current weights as the best ones so far."""
        with self._complete_folder("best") as part:
            self.accelerator.save_model(learner, str(part))

    def load_best(self, learner: nn.Module) -> None:
        """Load the best weights into `learner`, the network as accelerate has wrapped it.

        Raises:
            RunError: If the files have changed since they were written.
        """
        damage = on_main_process(self._best_damage)
        if damage:
            raise RunError(
                f"{self.folder / 'best'} is damaged ({damage}). Run the same command again; this training "
                "starts from the beginning."
            )
        load_model(self.accelerator.unwrap_model(learner), self.folder / "best" / "model.safetensors")

    def _newest_undamaged(self) -> Path | None:
        """Folder of the latest checkpoint without damage; None if there is none. Removes the damaged ones."""
        self._tidy()
        found = self.by_step()
        for path in reversed(found):
            damage = _damage(path)
            if damage is None and self.needs_best and read_json(path / STATE)["best_score"] is not None:
                damage = self._best_damage()
            if damage is None:
                if not (path / MANIFEST).exists():
                    self._accept_unchecked(path)
                return path
            log.warning("the checkpoint %s is damaged (%s) and is not used.", path, damage)
            _remove(path)
        if found:
            log.warning(
                "no checkpoint in %s can be used; the training starts from the beginning.", self.folder
            )
        return None

    def _accept_unchecked(self, path: Path) -> None:
        """Log that a checkpoint of version 0.1 is used; its best weights get a manifest."""
        log.info("%s has no checksums, because version 0.1 wrote it; it is used without a check.", path)
        if (self.folder / "best").is_dir():
            write_manifest(self.folder / "best")

    def _best_damage(self) -> str | None:
        """What is wrong with the best weights; None if nothing is. Version 0.1 wrote no manifest."""
        best = self.folder / "best"
        is_older = not any((path / MANIFEST).exists() for path in self.by_step())
        if is_older and (best / "model.safetensors").is_file() and not (best / MANIFEST).exists():
            return None
        damage = manifest_damage(best)
        return None if damage is None else f"best/{damage}"

    def _tidy(self) -> None:
        """Undo what a process did that was killed while it replaced a folder."""
        for old in self.folder.glob(".*.old"):
            target = self.folder / old.name[1:].removesuffix(".old")
            if target.exists():
                shutil.rmtree(old, ignore_errors=True)
            else:
                os.replace(old, target)
        for part in self.folder.glob(".*.part"):
            shutil.rmtree(part, ignore_errors=True)

    @contextmanager
    def _complete_folder(self, name: str) -> Iterator[Path]:
        """Yield a temporary folder that all processes write to; rename it to `name` when all are done."""
        part, target = self.folder / f".{name}.part", self.folder / name
        wait = self.accelerator.wait_for_everyone
        if self.accelerator.is_main_process:
            shutil.rmtree(part, ignore_errors=True)  # left by a killed process
            part.mkdir(parents=True)
        wait()
        try:
            yield part
            wait()
            if self.accelerator.is_main_process:
                write_manifest(part)
        except BaseException:  # such as a full disk: free the space
            if self.accelerator.is_main_process:
                shutil.rmtree(part, ignore_errors=True)
            raise
        if self.accelerator.is_main_process:
            old = self.folder / f".{name}.old"
            if target.exists():
                os.replace(target, old)
            os.replace(part, target)
            shutil.rmtree(old, ignore_errors=True)
        wait()


def _state(stored: dict[str, Any]) -> TrainingState:
    """The counters in the file of a checkpoint."""
    return TrainingState(**{name: value for name, value in stored.items() if name != HAS_MANIFEST})


def _damage(path: Path) -> str | None:
    """What is wrong with the files of a checkpoint; None if nothing is."""
    if (path / MANIFEST).exists():
        return manifest_damage(path)
    try:
        stored = read_json(path / STATE)
        _state(stored)
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return f"{STATE} cannot be read"
    if HAS_MANIFEST in stored:
        return f"{MANIFEST} is missing"
    return next((f"{name} is missing" for name in REQUIRED if not (path / name).is_file()), None)


def _remove(path: Path) -> None:
    """Remove a checkpoint; if the process is killed meanwhile, the rest does not look like one."""
    hidden = path.with_name(f".{path.name}.part")
    shutil.rmtree(hidden, ignore_errors=True)
    os.replace(path, hidden)
    shutil.rmtree(hidden, ignore_errors=True)
