"""Supervised fine-tuning of language models, and sequence-level distillation."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from lmdistill.core.batch import Batch, LMHead, MixupSettings
from lmdistill.core.completions import Completions
from lmdistill.core.protocols import Net
from lmdistill.methods.preconditions import require_teacher
from lmdistill.methods.token_forward import require_language_pair, scored_labels, student_losses
from lmdistill.objectives.chunked.loss import ChunkedLoss, chunked_losses
from lmdistill.objectives.chunked.terms import LossTerms


@dataclass(frozen=True, kw_only=True)
class SFT:
    r"""Cross-entropy of the next token, on completions of the data or of the teacher.

    .. math:: L = -\frac{1}{n} \sum_t \log q(y_t)

    With the teacher's completions it is sequence-level distillation (SeqKD).

    References:
        Kim and Rush, "Sequence-Level Knowledge Distillation", 2016, for SeqKD. Deviation: the paper uses beam
        search for the completions; here decoding is greedy.
    """

    completions: Completions = field(default_factory=Completions)
    """Source of the completions that are trained on."""

    @property
    def uses_teacher(self) -> bool:
        """True if the teacher generates the completions."""
        return self.completions.teacher

    @property
    def mixing(self) -> MixupSettings | None:
        """None: no examples are interpolated."""
        return None

    def check(self, student: Net, teacher: Net | None) -> None:
        """The student must be a language model; a teacher is needed if it generates the completions."""
        if self.completions.teacher:
            require_teacher("sft with completions.teacher", teacher, without="sft without it")
        require_language_pair("sft", student, None)

    def losses(self, student: Net, teacher: Net | None, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """The cross-entropy, summed over scored tokens."""
        labels = scored_labels(batch)

        def objective(states: Float[Tensor, "n d"], head: LMHead) -> ChunkedLoss:
            weights = torch.ones(len(labels), device=labels.device)
            return chunked_losses(states, head, labels, terms=LossTerms(label=weights))

        return student_losses(student, batch, objective)
