"""How far a student's outputs are from its teacher's, one value a position.

Everything here takes logits that the caller has already divided by the temperature, reads
(student, teacher) in that order, and is differentiable in both.
"""

import math
from collections.abc import Callable
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor

from lmdistill.core.errors import ConfigError
from lmdistill.objectives.reduce import lifted, log_probs

Divergence = Callable[[Float[Tensor, "*p v"], Float[Tensor, "*p v"]], Float[Tensor, "*p"]]


def forward_kl(student: Float[Tensor, "*p v"], teacher: Float[Tensor, "*p v"]) -> Float[Tensor, "*p"]:
    r"""KL(teacher || student) at each position, in nats.

    .. math:: \sum_v p_T(v) \, (\log p_T(v) - \log p_S(v))

    Args:
        student: Logits of the student.
        teacher: Logits of the teacher.

    Returns:
        One value >= 0 a position; 0 where the two distributions agree.

    Examples:
        >>> same = torch.tensor([[0.0, 1.0]])
        >>> forward_kl(same, same)
        tensor([0.])

    References:
        Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, section 2, up to the
        teacher's entropy, which has no gradient for the student.
    """
    log_student, log_teacher = log_probs(student), log_probs(teacher)
    return (log_teacher.exp() * (log_teacher - log_student)).sum(-1)


def reverse_kl(student: Float[Tensor, "*p v"], teacher: Float[Tensor, "*p v"]) -> Float[Tensor, "*p"]:
    """KL(student || teacher) at each position, in nats: `forward_kl` with the two swapped."""
    return forward_kl(teacher, student)


def jensen_shannon(
    student: Float[Tensor, "*p v"], teacher: Float[Tensor, "*p v"], *, beta: float = 0.5
) -> Float[Tensor, "*p"]:
    r"""Generalised Jensen-Shannon divergence at each position, in nats.

    .. math:: \beta \, KL(p_T || m) + (1 - \beta) \, KL(p_S || m), \quad m = \beta p_T + (1 - \beta) p_S

    Args:
        student: Logits of the student.
        teacher: Logits of the teacher.
        beta: Weight of the teacher in the mixture, in (0, 1); at 0.5 it is symmetric and at most log 2.

    Returns:
        One value >= 0 a position.

    Examples:
        >>> far = jensen_shannon(torch.tensor([[0.0, 99.0]]), torch.tensor([[99.0, 0.0]]))
        >>> round(far.item(), 4) == round(math.log(2), 4)
        True

    References:
        Agarwal et al., "On-Policy Distillation of Language Models", 2024, eq. 1.
    """
    if not 0 < beta < 1:
        raise ConfigError(f"beta must be in (0, 1), got {beta}; its ends are forward_kl and reverse_kl.")
    log_student, log_teacher = log_probs(student), log_probs(teacher)
    log_mix = torch.logaddexp(log_teacher + math.log(beta), log_student + math.log1p(-beta))
    to_teacher = (log_teacher.exp() * (log_teacher - log_mix)).sum(-1)
    to_student = (log_student.exp() * (log_student - log_mix)).sum(-1)
    return beta * to_teacher + (1 - beta) * to_student


def soft_cross_entropy(student: Float[Tensor, "*p v"], teacher: Float[Tensor, "*p v"]) -> Float[Tensor, "*p"]:
    """Cross-entropy of the student under the teacher's distribution, in nats.

    It is `forward_kl` plus the teacher's entropy: the same gradients for the student, but not 0 at equality.
    """
    return -(log_probs(teacher).exp() * log_probs(student)).sum(-1)


def logit_mse(student: Float[Tensor, "*p v"], teacher: Float[Tensor, "*p v"]) -> Float[Tensor, "*p"]:
    """Mean over the classes of the squared difference of logits, at each position.

    References:
        Liang et al., "MixKD", 2021: d = MSE. The paper names neither logits nor probabilities; we compare
        logits and average over classes.

    Examples:
        >>> logit_mse(torch.tensor([[1.0, 3.0]]), torch.tensor([[1.0, 1.0]]))
        tensor([2.])
    """
    return (lifted(student) - lifted(teacher)).square().mean(-1)


DIVERGENCES: MappingProxyType[str, Divergence] = MappingProxyType(
    {"forward_kl": forward_kl, "jensen_shannon": jensen_shannon, "reverse_kl": reverse_kl}
)
"""Divergences of distributions: >= 0, 0 only at equality, blind to a shift of the logits."""

IMITATIONS: MappingProxyType[str, Divergence] = MappingProxyType(
    {**DIVERGENCES, "mse": logit_mse, "soft_cross_entropy": soft_cross_entropy}
)
"""Everything a student can shrink to become like its teacher."""


def imitation(
    name: str, student: Float[Tensor, "*p v"], teacher: Float[Tensor, "*p v"], *, temperature: float = 1.0
) -> Float[Tensor, "*p"]:
    r"""Distance `name` between tempered outputs, times the squared temperature.

    .. math:: \tau^2 \, d(z_S / \tau, z_T / \tau)

    The factor keeps the size of the gradients as the temperature grows (Hinton et al., 2015, section 2.1);
    for the squared error it cancels the division exactly. A network with one output predicts a score:
    a distribution over one class carries nothing, so the distance is then the squared error whatever `name`
    says.

    Args:
        name: A key of `IMITATIONS`.
        student: Logits of the student.
        teacher: Logits of the teacher.
        temperature: > 0; 1 leaves the outputs as they are.

    Returns:
        One value a position.
    """
    if student.shape[-1] == 1:
        return logit_mse(student, teacher)
    return temperature**2 * IMITATIONS[name](student / temperature, teacher / temperature)
