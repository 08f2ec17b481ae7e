r"""Decoupled divergences: one part for the target token and one for all other tokens.

For a target y and a distribution p, the *two-way* distribution is (p(y), 1 - p(y)), and the *rest* is p
without y, renormalised. For the forward KL the two parts add up to the divergence:

.. math:: KL(p || q) = KL(two(p) || two(q)) + (1 - p(y)) \, KL(rest(p) || rest(q))

Here any divergence can be applied to both. All computations are in log space, so that values and gradients
are finite even if the teacher's p(y) rounds to 1.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import logsigmoid

from lmdistill.objectives.divergence import Divergence
from lmdistill.objectives.reduction import MASKED_LOGIT, at_least_float32


@dataclass(frozen=True, kw_only=True)
class Decoupled:
    """The two parts of a divergence, and the teacher's uncertainty."""

    target: Float[Tensor, "*p"]
    """Target part: divergence of the two-way distributions, in nats (TKD in the paper)."""

    diversity: Float[Tensor, "*p"]
    """Diversity part: divergence of the rests, in nats (DKD), not multiplied by the uncertainty."""

    log_uncertainty: Float[Tensor, "*p"]
    """log(1 - p(y)) of the teacher, in nats, < 0; it is precise where 1 - p(y) rounds to 0."""

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
        divergence: A function of student's and teacher's logits, in this order; also a reversed one.
        student: Logits of the student.
        teacher: Logits of the teacher.
        labels: Target token at each position, in [0, v): the next token of the text, not the teacher's most
            likely one.

    Returns:
        Target part, diversity part, and the teacher's uncertainty (also if the divergence is reversed).

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
        part, which is minus infinity for a confident network; here everything is in log space.
    """
    teacher_two_way = two_way(teacher, labels)
    return Decoupled(
        target=divergence(two_way(student, labels), teacher_two_way),
        diversity=divergence(non_target(student, labels), non_target(teacher, labels)),
        log_uncertainty=log_uncertainty(teacher_two_way),
    )


def two_way(logits: Float[Tensor, "*p v"], labels: Int[Tensor, "*p"]) -> Float[Tensor, "*p 2"]:
    """Logits of the two-way distribution: that of the target, and the logsumexp of all others.

    Args:
        logits: Logits with v >= 2 entries.
        labels: Target token at each position, in [0, v).

    Returns:
        Logits in at least float32.
    """
    target = at_least_float32(logits).gather(-1, labels.unsqueeze(-1))
    return torch.cat([target, non_target(logits, labels).logsumexp(-1, keepdim=True)], -1)


def non_target(logits: Float[Tensor, "*p v"], labels: Int[Tensor, "*p"]) -> Float[Tensor, "*p v"]:
    """Logits in at least float32 in which the target is masked; its entry gets no gradient."""
    return at_least_float32(logits).scatter(-1, labels.unsqueeze(-1), MASKED_LOGIT)


def log_uncertainty(two_way_logits: Float[Tensor, "*p 2"]) -> Float[Tensor, "*p"]:
    """log(1 - p(y)) in nats from two-way logits, < 0; precise also for p(y) near 1."""
    return logsigmoid(two_way_logits[..., 1] - two_way_logits[..., 0])
