"""Outputs of a network for the training texts of a task, computed once."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lmdistill.core.fingerprint import fingerprint
from lmdistill.data.batching.tokenizer_checks import tokenizer_fingerprint
from lmdistill.data.tasks.task import Task, texts_fingerprint
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.distributed import on_main_process
from lmdistill.engine.training_settings import Training
from lmdistill.models import model_stats
from lmdistill.models.classifier import Network
from lmdistill.runs.classification.dataset import EncodedSplit, EncodedTask, read_split
from lmdistill.stores.classifier_logits import logits_manifest, opened_logits, stored_logits
from lmdistill.stores.manifest import Manifest


@dataclass(frozen=True, kw_only=True)
class NetworkOutputs:
    """Logits of a network for the training texts of a task; computed once and kept for other runs."""

    cache: Path
    """Folder of stores, one for each network, set of texts and length."""

    def of(self, network: Network, data: EncodedTask, max_length: int) -> Float[np.ndarray, "n v"]:
        """The logits of the teacher of a run, in the order of the training rows.

        Args:
            network: The teacher.
            data: The task in tokens of student and teacher.
            max_length: Longest input in tokens.
        """
        return self._of_split(network, data.task, data.train, max_length, as_teacher=True)

    def of_member(self, network: Network, task: Task, max_length: int) -> Float[np.ndarray, "n v"]:
        """The logits of a network that reads its own tokens, in the order of the training rows.

        Args:
            network: The network.
            task: The task.
            max_length: Longest input in tokens.
        """
        split = read_split(task, "train", network, max_length=max_length)
        return self._of_split(network, task, split, max_length, as_teacher=False)

    def _of_split(
        self, network: Network, task: Task, split: EncodedSplit, max_length: int, *, as_teacher: bool
    ) -> Float[np.ndarray, "n v"]:
        """The stored logits of a network for the training rows, in tokens of the teacher or the student."""
        wanted = logits_manifest(
            model=model_stats.fingerprint(network),
            tokenizer=tokenizer_fingerprint(network.tokenizer),
            texts=texts_fingerprint(task.train),
            max_length=max_length,
            rows=len(split.student.rows),
            labels=network.labels or ("score",),
        )
        device = str(make_accelerator(Training()).device)

        def compute(first: int, last: int) -> Float[np.ndarray, "k v"]:
            rows = split.select(range(first, last))
            return rows.logits(network.to(device), device, as_teacher=as_teacher)

        return self.stored(task, wanted, compute)

    def stored(
        self, task: Task, wanted: Manifest, compute: Callable[[int, int], Float[np.ndarray, "k v"]]
    ) -> Float[np.ndarray, "n v"]:
        """The logits of a store, which the main process makes first if it is missing.

        Args:
            task: The task, whose name begins that of the store.
            wanted: What the logits must have been computed from.
            compute: The logits of the rows from a first one up to, and without, a last one.
        """
        folder = self.cache / f"{task.spec.name.replace('/', '-')}-{fingerprint(asdict(wanted))}"
        on_main_process(lambda: stored_logits(folder, wanted, compute) is None)
        return opened_logits(folder)
