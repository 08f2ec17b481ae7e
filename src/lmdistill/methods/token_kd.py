"""Learn to write from a teacher's distribution of every next token."""

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
"""Divergences of next-token distributions."""


@dataclass(frozen=True, kw_only=True)
class TokenKD:
    r"""A divergence between the distributions of each next token, and the cross-entropy of the text if asked.

    .. math:: L = \frac{1}{n} \sum_t (1 - \alpha) \, \tau^2 D(p_t, q_t) - \alpha \log q_t(y_t)

    With `completions` it is each of the published baselines: supervised KD (forward KL on the data), reverse
    KD (reverse KL on the data), ImitKD (forward KL, half of the steps on the student's own texts), f-distill
    (total variation, likewise) and GKD (Jensen-Shannon on the student's own texts).

    References:
        Hinton et al., 2015; Lin et al., "Autoregressive Knowledge Distillation through Imitation Learning",
        2020; Wen et al., "f-Divergence Minimization for Sequence-Level Knowledge Distillation", 2023; Agarwal
        et al., "On-Policy Distillation of Language Models", 2024; Ko et al., "DistiLLM", 2024 (skew).
    """

    divergence: TokenDivergence = "forward_kl"
    """D."""

    beta: float = 0.5
    """Weight of the teacher in the mixture of jensen_shannon, in (0, 1)."""

    skew: float = 0.1
    """Share of the other side in the skew divergences, in (0, 1)."""

    temperature: float = 1.0
    """Softmax temperature of both networks in D, > 0; ATKD's released script has 1."""

    alpha: float = 0.0
    """Weight of the cross-entropy, in [0, 1]; the divergence has the rest."""

    completions: Completions = field(default_factory=Completions)
    """Where the tokens come from."""

    def __post_init__(self) -> None:
        require_range("temperature", self.temperature, low=0, open_low=True)
        require_range("alpha", self.alpha, low=0, high=1)
        require_open_unit_interval("beta", self.beta)
        require_open_unit_interval("skew", self.skew)

    @property
    def uses_teacher(self) -> bool:
        """Always."""
        return True

    @property
    def mixing(self) -> MixupSettings | None:
        """Nothing is mixed."""
        return None

    def check(self, student: Net, teacher: Net | None) -> None:
        """A teacher with the same vocabulary is needed."""
        require_language_pair("token_kd", student, require_teacher("token_kd", teacher, without="sft"))

    def losses(self, student: Net, teacher: Net | None, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """The divergence, and the label term where it has a weight."""
        labels, theirs = scored_labels(batch), run_teacher(teacher, batch)
        one = torch.ones(len(labels), device=labels.device)
        terms = LossTerms(
            divergence=self.divergence,
            beta=self.beta,
            skew=self.skew,
            temperature=self.temperature,
            whole=one * (1 - self.alpha),
            label=one * self.alpha if self.alpha else None,
        )

        def objective(states: Float[Tensor, "n d"], head: LMHead) -> ChunkedLoss:
            return chunked_losses(
                states, head, labels, terms=terms, teacher_states=theirs.states, teacher_head=theirs.head
            )

        return student_losses(student, batch, objective)


def require_open_unit_interval(name: str, value: float) -> None:
    """`value` must be in (0, 1)."""
    if not 0 < value < 1:
        raise ConfigError(f"{name} must be in (0, 1), got {value}.")
