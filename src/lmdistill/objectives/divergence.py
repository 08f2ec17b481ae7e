"""Divergences between the outputs of student and teacher, one value per position.

All functions take (student, teacher) logits in this order, already divided by the temperature, and are
differentiable in both. Logits of -inf mask entries: what both networks mask contributes nothing and gets the
gradient 0. What one of them masks makes a divergence infinite only where the formula is, as in the forward KL
of a masked student entry to which the teacher gives a probability.
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
from lmdistill.objectives.reduction import MASKED_LOGIT, at_least_float32, log_probs

Divergence = Callable[[Float[Tensor, "*p v"], Float[Tensor, "*p v"]], Float[Tensor, "*p"]]
"""A function of student's and teacher's logits with one value per position."""


def forward_kl(student: Float[Tensor, "*p v"], teacher: Float[Tensor, "*p v"]) -> Float[Tensor, "*p"]:
    r"""KL(teacher || student) at each position, in nats.

    .. math:: \sum_v p_T(v) \, (\log p_T(v) - \log p_S(v))

    Args:
        student: Logits of the student.
        teacher: Logits of the teacher.

    Returns:
        One value >= 0 per position; 0 if the two distributions are equal.

    Examples:
        >>> same = torch.tensor([[0.0, 1.0]])
        >>> forward_kl(same, same)
        tensor([0.])

    References:
        Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, section 2, minus the teacher's
        entropy, which has no gradient for the student.
    """
    log_student, log_teacher = log_probs(student), log_probs(teacher)
    return _expectation(log_teacher, log_teacher - log_student)


def reverse_kl(student: Float[Tensor, "*p v"], teacher: Float[Tensor, "*p v"]) -> Float[Tensor, "*p"]:
    """KL(student || teacher) at each position, in nats: `forward_kl` with swapped arguments."""
    return forward_kl(teacher, student)


def jensen_shannon(
    student: Float[Tensor, "*p v"], teacher: Float[Tensor, "*p v"], *, beta: float = 0.5
) -> Float[Tensor, "*p"]:
    r"""Generalised Jensen-Shannon divergence at each position, in nats.

    .. math:: \beta \, KL(p_T || m) + (1 - \beta) \, KL(p_S || m), \quad m = \beta p_T + (1 - \beta) p_S

    Args:
        student: Logits of the student.
        teacher: Logits of the teacher.
        beta: Weight of the teacher in the mixture, in (0, 1). With 0.5 the divergence is symmetric and at
            most log 2.

    Returns:
        One value >= 0 per position.

    Examples:
        >>> far = jensen_shannon(torch.tensor([[0.0, 99.0]]), torch.tensor([[99.0, 0.0]]))
        >>> round(far.item(), 4) == round(math.log(2), 4)
        True

    References:
        Agarwal et al., "On-Policy Distillation of Language Models", 2024, eq. 1.
    """
    _require_open_interval("beta", beta)
    log_student, log_teacher = _floored(log_probs(student)), _floored(log_probs(teacher))
    log_mixture = torch.logaddexp(log_teacher + math.log(beta), log_student + math.log1p(-beta))
    teacher_kl = (log_teacher.exp() * (log_teacher - log_mixture)).sum(-1)
    student_kl = (log_student.exp() * (log_student - log_mixture)).sum(-1)
    return beta * teacher_kl + (1 - beta) * student_kl


def total_variation(student: Float[Tensor, "*p v"], teacher: Float[Tensor, "*p v"]) -> Float[Tensor, "*p"]:
    r"""Total variation distance at each position: half the sum of the absolute differences of probability.

    .. math:: \frac{1}{2} \sum_v |p_T(v) - p_S(v)|

    Args:
        student: Logits of the student.
        teacher: Logits of the teacher.

    Returns:
        One value in [0, 1] per position. The gradient of |0| is taken as 0. The distance is of first order in
        the differences: its gradient scales with 1 / temperature, not its square, so that with the factor of
        `distillation_loss` the gradient grows with the temperature.

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
    r"""KL(teacher || mixture) at each position, in nats; the mixture contains some of the teacher.

    .. math:: KL(p_T || a p_T + (1 - a) p_S)

    Args:
        student: Logits of the student.
        teacher: Logits of the teacher.
        skew: a, the weight of the teacher in the mixture, in (0, 1). The divergence is at most -log(a).

    Returns:
        One value >= 0 per position.

    Examples:
        >>> far = skew_forward_kl(torch.tensor([[0.0, 99.0]]), torch.tensor([[99.0, 0.0]]))
        >>> round(far.item(), 4) == round(-math.log(0.1), 4)
        True

    References:
        Ko et al., "DistiLLM: Towards Streamlined Distillation for Large Language Models", 2024, section 3.1.
    """
    _require_open_interval("skew", skew)
    log_student, log_teacher = _floored(log_probs(student)), _floored(log_probs(teacher))
    log_mixture = torch.logaddexp(log_teacher + math.log(skew), log_student + math.log1p(-skew))
    return (log_teacher.exp() * (log_teacher - log_mixture)).sum(-1)


def skew_reverse_kl(
    student: Float[Tensor, "*p v"], teacher: Float[Tensor, "*p v"], *, skew: float = 0.1
) -> Float[Tensor, "*p"]:
    r"""KL(student || mixture) at each position, in nats: `skew_forward_kl` with swapped arguments.

    .. math:: KL(p_S || (1 - a) p_T + a p_S)

    References:
        Ko et al., 2024, section 3.1.
    """
    return skew_forward_kl(teacher, student, skew=skew)


def soft_cross_entropy(student: Float[Tensor, "*p v"], teacher: Float[Tensor, "*p v"]) -> Float[Tensor, "*p"]:
    """Cross-entropy of the student with the teacher's distribution as soft labels, in nats.

    It equals `forward_kl` plus the teacher's entropy: the gradients for the student are the same, but it is
    not 0 for equal distributions.
    """
    return -_expectation(log_probs(teacher), log_probs(student))


def logit_mse(student: Float[Tensor, "*p v"], teacher: Float[Tensor, "*p v"]) -> Float[Tensor, "*p"]:
    """Mean squared error of the logits over the classes, at each position; those that both mask are left out.

    References:
        Liang et al., "MixKD", 2021: d = MSE. The paper leaves open whether logits or probabilities are
        compared (see `probability_mse`).

    Examples:
        >>> logit_mse(torch.tensor([[1.0, 3.0]]), torch.tensor([[1.0, 1.0]]))
        tensor([2.])
    """
    student, teacher = at_least_float32(student), at_least_float32(teacher)
    masked = student.isneginf() & teacher.isneginf()
    squared = (student.masked_fill(masked, 0.0) - teacher.masked_fill(masked, 0.0)).square()
    return squared.mean(-1) * (masked.shape[-1] / (~masked).sum(-1).to(squared.dtype))


def probability_mse(student: Float[Tensor, "*p v"], teacher: Float[Tensor, "*p v"]) -> Float[Tensor, "*p"]:
    r"""Mean squared error of the probabilities over the classes, at each position.

    .. math:: \frac{1}{|V|} \sum_v (p_S(v) - p_T(v))^2

    Returns:
        One value in [0, 1] per position. Classes that both mask are left out of the mean.

    References:
        Liang et al., "MixKD", 2021, equations 3 and 7: f(x) and g(x) stand under a logarithm there, so that
        they are probabilities, and d = MSE read literally compares these (see `logit_mse`).

    Examples:
        >>> probability_mse(torch.zeros(1, 2), torch.tensor([[math.log(3), 0.0]]))  # (1/2, 1/2), (3/4, 1/4)
        tensor([0.0625])
    """
    masked = student.isneginf() & teacher.isneginf()
    squared = (log_probs(student).exp() - log_probs(teacher).exp()).square()
    return squared.mean(-1) * (masked.shape[-1] / (~masked).sum(-1).to(squared.dtype))


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
"""Divergences by name: >= 0, 0 only for equal distributions, invariant to a constant added to the logits."""

DISTILLATION_LOSSES: MappingProxyType[str, Divergence] = MappingProxyType(
    {
        **DIVERGENCES,
        "mse": logit_mse,
        "mse_probabilities": probability_mse,
        "soft_cross_entropy": soft_cross_entropy,
    }
)
"""All losses between the logits of student and teacher, by name."""


def divergence_named(name: str, *, beta: float = 0.5, skew: float = 0.1) -> Divergence:
    """The divergence called `name`, with its setting bound; a setting that it does not have is ignored.

    Args:
        name: A key of `DIVERGENCES`.
        beta: Weight of the teacher in the mixture of `jensen_shannon`, in (0, 1).
        skew: Weight of the first distribution in the mixture of the skew divergences, in (0, 1).

    Raises:
        UnknownNameError: If there is no such divergence.
        ConfigError: If its setting is out of range.

    Examples:
        >>> divergence_named("jensen-shannon")
        Traceback (most recent call last):
        ...
        lmdistill.core.errors.UnknownNameError: no divergence is called 'jensen-shannon'. Did you mean ...
    """
    if name not in DIVERGENCES:
        raise UnknownNameError("divergence", name, DIVERGENCES)
    if name == "jensen_shannon":
        _require_open_interval("beta", beta)
        return partial(jensen_shannon, beta=beta)
    if name.startswith("skew"):
        _require_open_interval("skew", skew)
        return partial(skew_forward_kl if name == "skew_forward_kl" else skew_reverse_kl, skew=skew)
    return DIVERGENCES[name]


def distillation_loss(
    name: str, student: Float[Tensor, "*p v"], teacher: Float[Tensor, "*p v"], *, temperature: float = 1.0
) -> Float[Tensor, "*p"]:
    r"""Loss `name` between logits divided by the temperature, times the squared temperature.

    .. math:: \tau^2 \, d(z_S / \tau, z_T / \tau)

    The factor keeps the size of the gradients as the temperature grows (Hinton et al., 2015, section 2.1);
    for the squared error it cancels the division exactly. A network with one output is a regression, whose
    softmax is always 1; there the loss is the squared error for every `name`.

    Args:
        name: A key of `DISTILLATION_LOSSES`.
        student: Logits of the student.
        teacher: Logits of the teacher.
        temperature: Softmax temperature tau, > 0.

    Returns:
        One value per position.
    """
    student, teacher = at_least_float32(student), at_least_float32(teacher)  # before they are divided
    if student.shape[-1] == 1:
        return logit_mse(student, teacher)
    return temperature**2 * DISTILLATION_LOSSES[name](student / temperature, teacher / temperature)


def _expectation(log_p: Float[Tensor, "*p v"], values: Float[Tensor, "*p v"]) -> Float[Tensor, "*p"]:
    """Sum of p times the values, in which the probability 0 times any value, also -inf, is 0."""
    p = log_p.exp()
    return (p * values.masked_fill(p == 0, 0.0)).sum(-1)


def _floored(log_p: Float[Tensor, "*p v"]) -> Float[Tensor, "*p v"]:
    """Log-probabilities without -inf, whose mixtures would have no gradient; their probability is still 0."""
    return log_p.clamp(min=MASKED_LOGIT)


def _require_open_interval(name: Literal["beta", "skew"], value: float) -> None:
    """A weight of a mixture must lie strictly between 0 and 1."""
    limits = {"beta": "forward_kl and reverse_kl", "skew": "a plain KL and 0"}[name]
    if not 0 < value < 1:
        raise ConfigError(f"{name} must be in (0, 1), got {value}; the limits 0 and 1 are {limits}.")
