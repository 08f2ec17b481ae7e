"""Outputs of a network for the training texts of a task, computed once."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lmdistill.core.fingerprint import fingerprint
from lmdistill.data.batching.tokenizer_checks import tokenizer_fingerprint
from lmdistill.data.tasks.task import texts_fingerprint
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.distributed import on_main_process
from lmdistill.engine.training_settings import Training
from lmdistill.models import model_stats
from lmdistill.models.classifier import Network
from lmdistill.runs.classification.dataset import EncodedTask
from lmdistill.stores.classifier_logits import logits_manifest, opened_logits, stored_logits


@dataclass(frozen=True, kw_only=True)
class NetworkOutputs:
    """Logits of a network for the training texts of a task; computed once and kept for other runs."""

    cache: Path
    """Folder of stores, one for each network, set of texts and length."""

    def of(self, network: Network, data: EncodedTask, max_length: int) -> Float[np.ndarray, "n v"]:
        """The logits in the order of the training rows.

        Args:
            network: The teacher.
            data: The task in tokens of student and teacher.
            max_length: Longest input in tokens.
        """
        split = data.train
        wanted = logits_manifest(
            model=model_stats.fingerprint(network),
            tokenizer=tokenizer_fingerprint(network.tokenizer),
            texts=texts_fingerprint(data.task.train),
            max_length=max_length,
            rows=len(split.student.rows),
            labels=network.labels or ("score",),
        )
        device = str(make_accelerator(Training()).device)

        def compute(first: int, last: int) -> Float[np.ndarray, "k v"]:
            return split.select(range(first, last)).logits(network.to(device), device, as_teacher=True)

        folder = self.cache / f"{data.task.spec.name.replace('/', '-')}-{fingerprint(asdict(wanted))}"
        on_main_process(lambda: stored_logits(folder, wanted, compute) is None)
        return opened_logits(folder)
