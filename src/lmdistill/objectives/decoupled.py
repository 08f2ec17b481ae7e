r"""A divergence taken apart: what it says about the target token, and what about all others.

With y the target and p a distribution, the *two-way* distribution is (p(y), 1 - p(y)), and the *rest* is p
without y, renormalised. For the forward KL the two parts make the whole:

.. math:: KL(p || q) = KL(two(p) || two(q)) + (1 - p(y)) \, KL(rest(p) || rest(q))

Here any divergence is applied to both, in log space throughout, so that a teacher which is sure of its target
leaves finite values and gradients.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import logsigmoid

from lmdistill.objectives.divergence import Divergence
from lmdistill.objectives.reduction import at_least_float32

MASKED_LOGIT = -1e30
"""Logit of an entry that is left out: finite, so that nothing becomes NaN, and without any probability."""


@dataclass(frozen=True, kw_only=True)
class Decoupled:
    """The two parts of a divergence, and how uncertain the teacher was."""

    target: Float[Tensor, "*p"]
    """Divergence of the two-way distributions (TKD in the paper)."""

    diversity: Float[Tensor, "*p"]
    """Divergence of the rests (DKD); the uncertainty is not in it."""

    log_uncertainty: Float[Tensor, "*p"]
    """log(1 - p(y)) of the teacher, < 0; it tells confident teachers apart where 1 - p(y) is 0 in floats."""

    @property
    def uncertainty(self) -> Float[Tensor, "*p"]:
        """1 - p(y) of the teacher, in [0, 1] (UNC)."""
        return self.log_uncertainty.exp()


def decouple(
    divergence: Divergence,
    student: Float[Tensor, "*p v"],
    teacher: Float[Tensor, "*p v"],
    labels: Int[Tensor, "*p"],
) -> Decoupled:
    """Both parts of a divergence at each position.

    Args:
        divergence: Of student's and teacher's logits, in that order; the split does not care which of them
            it puts first.
        student: Logits of the student.
        teacher: Logits of the teacher.
        labels: The target at each position: the next token, not the teacher's favourite; in [0, v).

    Returns:
        Target part, diversity part, and the teacher's uncertainty, also when the divergence is reversed.

    Examples:
        >>> from lmdistill.objectives.divergence import forward_kl
        >>> teacher, student = torch.tensor([[0.0, 1.0, 2.0]]), torch.zeros(1, 3)
        >>> parts = decouple(forward_kl, student, teacher, torch.tensor([1]))
        >>> whole = parts.target + parts.uncertainty * parts.diversity
        >>> torch.allclose(whole, forward_kl(student, teacher))
        True

    References:
        Zhong et al., "Revisiting Knowledge Distillation for Autoregressive Language Models" (ATKD), 2024,
        section 3. Deviation: the released code takes the logarithm of sums of probabilities in the target
        part, which is minus infinity for a confident network; we stay in log space.
    """
    theirs = two_way(teacher, labels)
    return Decoupled(
        target=divergence(two_way(student, labels), theirs),
        diversity=divergence(non_target(student, labels), non_target(teacher, labels)),
        log_uncertainty=log_uncertainty(theirs),
    )


def two_way(logits: Float[Tensor, "*p v"], labels: Int[Tensor, "*p"]) -> Float[Tensor, "*p 2"]:
    """Logits of the two-way distribution: the target's, and one for all others together.

    Args:
        logits: At least two entries, in at least 32 bits after this.
        labels: The target at each position.
    """
    target = at_least_float32(logits).gather(-1, labels.unsqueeze(-1))
    return torch.cat([target, non_target(logits, labels).logsumexp(-1, keepdim=True)], -1)


def non_target(logits: Float[Tensor, "*p v"], labels: Int[Tensor, "*p"]) -> Float[Tensor, "*p v"]:
    """Logits without the target: its entry is at the floor and gets no gradient."""
    return at_least_float32(logits).scatter(-1, labels.unsqueeze(-1), MASKED_LOGIT)


def log_uncertainty(two_way_logits: Float[Tensor, "*p 2"]) -> Float[Tensor, "*p"]:
    """log(1 - p(y)) from two-way logits, < 0 and exact for a p(y) near 1."""
    return logsigmoid(two_way_logits[..., 1] - two_way_logits[..., 0])
