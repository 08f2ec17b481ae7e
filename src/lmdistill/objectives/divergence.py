"""How far a student's outputs are from its teacher's, one value a position.

Everything here takes logits that the caller has already divided by the temperature, reads
(student, teacher) in that order, and is differentiable in both.
"""

import math
from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from lmdistill.core.errors import ConfigError, UnknownNameError
from lmdistill.objectives.reduction import at_least_float32, log_probs

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
    _require_inner("beta", beta)
    log_student, log_teacher = log_probs(student), log_probs(teacher)
    log_mix = torch.logaddexp(log_teacher + math.log(beta), log_student + math.log1p(-beta))
    to_teacher = (log_teacher.exp() * (log_teacher - log_mix)).sum(-1)
    to_student = (log_student.exp() * (log_student - log_mix)).sum(-1)
    return beta * to_teacher + (1 - beta) * to_student


def total_variation(student: Float[Tensor, "*p v"], teacher: Float[Tensor, "*p v"]) -> Float[Tensor, "*p"]:
    r"""Total variation distance at each position: half the sum of the differences of probability.

    .. math:: \frac{1}{2} \sum_v |p_T(v) - p_S(v)|

    Args:
        student: Logits of the student.
        teacher: Logits of the teacher.

    Returns:
        One value in [0, 1] a position. Where two probabilities are equal, the gradient takes 0 for the sign
        of their difference. It is of first order in the difference: its gradient falls with the temperature,
        not with its square, so that `distillation_loss` makes it grow.

    Examples:
        >>> total_variation(torch.tensor([[0.0, 99.0]]), torch.tensor([[99.0, 0.0]]))
        tensor([1.])

    References:
        Wen et al., "f-Divergence Minimization for Sequence-Level Knowledge Distillation", 2023.
    """
    return (log_probs(teacher).exp() - log_probs(student).exp()).abs().sum(-1) / 2


def skew_forward_kl(
    student: Float[Tensor, "*p v"], teacher: Float[Tensor, "*p v"], *, skew: float = 0.1
) -> Float[Tensor, "*p"]:
    r"""KL(teacher || mixture) at each position, in nats; a little of the teacher is in the mixture.

    .. math:: KL(p_T || a p_T + (1 - a) p_S)

    Args:
        student: Logits of the student.
        teacher: Logits of the teacher.
        skew: a, in (0, 1); the distance is at most -log(a), and so is steepest where a is small.

    Returns:
        One value >= 0 a position.

    Examples:
        >>> far = skew_forward_kl(torch.tensor([[0.0, 99.0]]), torch.tensor([[99.0, 0.0]]))
        >>> round(far.item(), 4) == round(-math.log(0.1), 4)
        True

    References:
        Ko et al., "DistiLLM: Towards Streamlined Distillation for Large Language Models", 2024, section 3.1.
    """
    _require_inner("skew", skew)
    log_student, log_teacher = log_probs(student), log_probs(teacher)
    log_mix = torch.logaddexp(log_teacher + math.log(skew), log_student + math.log1p(-skew))
    return (log_teacher.exp() * (log_teacher - log_mix)).sum(-1)


def skew_reverse_kl(
    student: Float[Tensor, "*p v"], teacher: Float[Tensor, "*p v"], *, skew: float = 0.1
) -> Float[Tensor, "*p"]:
    r"""KL(student || mixture) at each position, in nats: `skew_forward_kl` with the two swapped.

    .. math:: KL(p_S || (1 - a) p_T + a p_S)

    References:
        Ko et al., 2024, section 3.1.
    """
    return skew_forward_kl(teacher, student, skew=skew)


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
    return (at_least_float32(student) - at_least_float32(teacher)).square().mean(-1)


DIVERGENCES: MappingProxyType[str, Divergence] = MappingProxyType(
    {
        "forward_kl": forward_kl,
        "jensen_shannon": jensen_shannon,
        "reverse_kl": reverse_kl,
        "skew_forward_kl": skew_forward_kl,
        "skew_reverse_kl": skew_reverse_kl,
        "total_variation": total_variation,
    }
)
"""Divergences of distributions: >= 0, 0 only at equality, blind to a shift of the logits."""

DISTILLATION_LOSSES: MappingProxyType[str, Divergence] = MappingProxyType(
    {**DIVERGENCES, "mse": logit_mse, "soft_cross_entropy": soft_cross_entropy}
)
"""Everything a student can shrink to become like its teacher."""


def divergence_named(name: str, *, beta: float = 0.5, skew: float = 0.1) -> Divergence:
    """The divergence called `name`, with its own setting bound; the other setting is not looked at.

    Args:
        name: A key of `DIVERGENCES`.
        beta: Weight of the teacher in the mixture of `jensen_shannon`, in (0, 1).
        skew: Weight of the first distribution in the mixture of the skew divergences, in (0, 1).

    Raises:
        UnknownNameError: There is no such divergence.
        ConfigError: The setting is out of range.

    Examples:
        >>> divergence_named("jensen-shannon")
        Traceback (most recent call last):
        ...
        lmdistill.core.errors.UnknownNameError: no divergence is called 'jensen-shannon'. Did you mean ...
    """
    if name not in DIVERGENCES:
        raise UnknownNameError("divergence", name, DIVERGENCES)
    if name == "jensen_shannon":
        _require_inner("beta", beta)
        return partial(jensen_shannon, beta=beta)
    if name.startswith("skew"):
        _require_inner("skew", skew)
        return partial(skew_forward_kl if name == "skew_forward_kl" else skew_reverse_kl, skew=skew)
    return DIVERGENCES[name]


def distillation_loss(
    name: str, student: Float[Tensor, "*p v"], teacher: Float[Tensor, "*p v"], *, temperature: float = 1.0
) -> Float[Tensor, "*p"]:
    r"""Distance `name` between tempered outputs, times the squared temperature.

    .. math:: \tau^2 \, d(z_S / \tau, z_T / \tau)

    The factor keeps the size of the gradients as the temperature grows (Hinton et al., 2015, section 2.1);
    for the squared error it cancels the division exactly. A network with one output predicts a score:
    a distribution over one class carries nothing, so the distance is then the squared error whatever `name`
    says.

    Args:
        name: A key of `DISTILLATION_LOSSES`.
        student: Logits of the student.
        teacher: Logits of the teacher.
        temperature: > 0; 1 leaves the outputs as they are.

    Returns:
        One value a position.
    """
    if student.shape[-1] == 1:
        return logit_mse(student, teacher)
    return temperature**2 * DISTILLATION_LOSSES[name](student / temperature, teacher / temperature)


def _require_inner(name: Literal["beta", "skew"], value: float) -> None:
    """A weight of a mixture lies strictly between 0 and 1."""
    ends = {"beta": "forward_kl and reverse_kl", "skew": "a plain KL and 0"}[name]
    if not 0 < value < 1:
        raise ConfigError(f"{name} must be in (0, 1), got {value}; its ends are {ends}.")
