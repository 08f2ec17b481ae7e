"""Token-level distillation of language models."""

from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from lmdistill.core.batch import Batch, LMHead, MixupSettings
from lmdistill.core.completions import Completions
from lmdistill.core.errors import ConfigError
from lmdistill.core.protocols import Net
from lmdistill.methods.preconditions import require_range, require_teacher
from lmdistill.methods.token_forward import require_language_pair, run_teacher, scored_labels, student_losses
from lmdistill.objectives.chunked.loss import ChunkedLoss, chunked_losses
from lmdistill.objectives.chunked.terms import LossTerms

TokenDivergence = Literal[
    "forward_kl", "jensen_shannon", "reverse_kl", "skew_forward_kl", "skew_reverse_kl", "total_variation"
]
"""Names of the divergences between next-token distributions."""


@dataclass(frozen=True, kw_only=True)
class TokenKD:
    r"""Divergence between the next-token distributions, and optionally the cross-entropy of the text.

    .. math:: L = \frac{1}{n} \sum_t (1 - \alpha) \, \tau^2 D(p_t, q_t) - \alpha \log q_t(y_t)

    p is the teacher, q the student. With `completions` it covers the published baselines: supervised KD
    (forward KL on the data), reverse KD (reverse KL on the data), ImitKD (forward KL, half of the steps on
    completions of the student), f-distill (total variation, likewise) and GKD (Jensen-Shannon on completions
    of the student).

    References:
        Hinton et al., 2015; Lin et al., "Autoregressive Knowledge Distillation through Imitation Learning",
        2020; Wen et al., "f-Divergence Minimization for Sequence-Level Knowledge Distillation", 2023; Agarwal
        et al., "On-Policy Distillation of Language Models", 2024; Ko et al., "DistiLLM", 2024 (skew).
    """

    divergence: TokenDivergence = "forward_kl"
    """D, the divergence between the next-token distributions of student and teacher."""

    beta: float = 0.5
    """Weight of the teacher in the mixture of jensen_shannon, in (0, 1)."""

    skew: float = 0.1
    """Weight of the first distribution in the mixture of the skew divergences, in (0, 1)."""

    temperature: float = 1.0
    """Softmax temperature of both networks in D, > 0; ATKD's released script uses 1."""

    alpha: float = 0.0
    """Weight of the cross-entropy, in [0, 1]; the divergence has 1 - alpha."""

    completions: Completions = field(default_factory=Completions)
    """Source of the completions that are trained on."""

    def __post_init__(self) -> None:
        require_range("temperature", self.temperature, low=0, open_low=True)
        require_range("alpha", self.alpha, low=0, high=1)
        require_open_unit_interval("beta", self.beta)
        require_open_unit_interval("skew", self.skew)

    @property
    def uses_teacher(self) -> bool:
        """Always true: the method learns from a teacher."""
        return True

    @property
    def mixing(self) -> MixupSettings | None:
        """None: no examples are interpolated."""
        return None

    def check(self, student: Net, teacher: Net | None) -> None:
        """Student and teacher must be language models with the same vocabulary."""
        require_language_pair("token_kd", student, require_teacher("token_kd", teacher, without="sft"))

    def losses(self, student: Net, teacher: Net | None, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """The divergence, and the label term unless its weight is 0, as sums over scored tokens."""
        labels, final = scored_labels(batch), run_teacher(teacher, batch)
        ones = torch.ones(len(labels), device=labels.device)
        terms = LossTerms(
            divergence=self.divergence,
            beta=self.beta,
            skew=self.skew,
            temperature=self.temperature,
            whole=ones * (1 - self.alpha),
            label=ones * self.alpha if self.alpha else None,
        )

        def objective(states: Float[Tensor, "n d"], head: LMHead) -> ChunkedLoss:
            return chunked_losses(
                states, head, labels, terms=terms, teacher_states=final.states, teacher_head=final.head
            )

        return student_losses(student, batch, objective)


def require_open_unit_interval(name: str, value: float) -> None:
    """Raise `ConfigError` unless `value` is in (0, 1)."""
    if not 0 < value < 1:
        raise ConfigError(f"{name} must be in (0, 1), got {value}.")
