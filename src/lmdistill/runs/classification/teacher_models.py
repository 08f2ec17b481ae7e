"""A model that answers the texts of a task, alone or with others: a classifier, or what is prompted."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from lmdistill.data.tasks.task import Task
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.training_settings import Training
from lmdistill.models import model_stats
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.models.classifier import Network
from lmdistill.runs.classification.costs import TimedNetwork, of_network
from lmdistill.runs.classification.dataset import read_split
from lmdistill.runs.classification.evaluation import KnownLogits
from lmdistill.runs.classification.teacher_outputs import NetworkOutputs


@runtime_checkable
class TeacherModel(Protocol):
    """A model that gives logits for texts, its classes in the order of the task."""

    @property
    def network(self) -> Network | LanguageNetwork:
        """The network that is run."""
        ...

    @property
    def source(self) -> str:
        """Folder or hub id as the user named it."""
        ...

    @property
    def fingerprint(self) -> str:
        """Fingerprint of everything that its logits depend on, apart from the texts."""
        ...

    @property
    def seed(self) -> int | None:
        """Training seed of its fine-tuning here; None if it came ready."""
        ...

    @property
    def folder(self) -> Path | None:
        """Run folder of its fine-tuning here; None if it came ready."""
        ...

    def logits(self, task: Task, split: str) -> Float[np.ndarray, "n v"]:
        """The logits for a split of the task, computed now."""
        ...

    def stored(self, task: Task, outputs: NetworkOutputs) -> Float[np.ndarray, "n v"]:
        """The logits for the training texts, from a store that is made if it is missing."""
        ...

    def part(self, task: Task) -> TimedNetwork:
        """What is timed."""
        ...

    def facts(self, task: Task) -> dict[str, Any]:
        """Further fields of `TeachingFacts` by name."""
        ...


@dataclass(frozen=True, kw_only=True)
class ClassifierModel:
    """A classifier as one of the models that teach; implements `TeacherModel`."""

    network: Network
    """The classifier, its classes in the order of the task."""

    source: str
    """Folder or hub id as the user named it; before its fine-tuning."""

    max_length: int
    """Longest input in tokens."""

    seed: int | None = None
    """Training seed of its fine-tuning here; None if it came with a head for the task."""

    folder: Path | None = None
    """Run folder of its fine-tuning here; None if it came with a head for the task."""

    known_logits: KnownLogits = field(default_factory=dict)
    """Dev logits of networks by fingerprint, which are read and filled."""

    @property
    def fingerprint(self) -> str:
        """Fingerprint of its weights, and of the length that it reads."""
        return f"{model_stats.fingerprint(self.network)}-{self.max_length}"

    def logits(self, task: Task, split: str) -> Float[np.ndarray, "n v"]:
        """The logits for a split of the task; those of dev splits are computed once."""
        known = self.known_logits.get(model_stats.fingerprint(self.network), {})
        if split in task.spec.splits and split in known:
            return known[split]
        device = str(make_accelerator(Training()).device)
        rows = read_split(task, split, self.network, max_length=self.max_length)
        return rows.logits(self.network.to(device), device)

    def stored(self, task: Task, outputs: NetworkOutputs) -> Float[np.ndarray, "n v"]:
        """The logits for the training texts; the store is also read where it is the only teacher."""
        return outputs.of_member(self.network, task, self.max_length)

    def part(self, task: Task) -> TimedNetwork:
        """The network on texts of the first dev split."""
        split = read_split(task, task.spec.splits[0], self.network, max_length=self.max_length)
        own = Path(self.network.source)
        folder = self.folder / "student" if self.folder is not None else own if own.is_dir() else None
        return of_network(self.network, split, folder)

    def facts(self, task: Task) -> dict[str, Any]:
        """No further fields of the record: a classifier is described by its source and scores."""
        return {}

    def with_network(self, network: Network) -> "ClassifierModel":
        """The same with a network that was fine-tuned meanwhile."""
        return replace(self, network=network)
