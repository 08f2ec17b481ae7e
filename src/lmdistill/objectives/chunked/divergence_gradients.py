"""Divergences with closed-form gradients, so that autograd need not store intermediate results.

With the student's probabilities q, its logits z and g = dD/dq, every gradient is dD/dz = q (g - sum q g), the
chain rule through the softmax. It holds for full distributions, for two-way ones (`decoupled.two_way`) and
for those without the target (`decoupled.non_target`), whose masked entry has the probability 0.
"""

import math
from collections.abc import Callable
from functools import partial
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor

from lmdistill.objectives.divergence import Divergence, divergence_named

ValueAndGrad = Callable[
    [Float[Tensor, "*p v"], Float[Tensor, "*p v"], Float[Tensor, "*p v"]],
    tuple[Float[Tensor, "*p"], Float[Tensor, "*p v"]],
]
"""Maps the student's log-probabilities, the teacher's and the student's probabilities to the value of a
divergence and its gradient by the student's logits.

The arguments are not changed; the caller may overwrite the gradient.
"""


def value_and_grad_of(divergence: str | Divergence, *, beta: float = 0.5, skew: float = 0.1) -> ValueAndGrad:
    """Function for value and gradient of a divergence: closed form for names, autograd for other functions.

    Args:
        divergence: A key of `DIVERGENCES`; or a function of student's and teacher's logits that is invariant
            to adding a constant to them, since it is called with log-probabilities.
        beta: Weight of the teacher in the mixture of `jensen_shannon`, in (0, 1).
        skew: Weight of the first distribution in the mixture of the skew divergences, in (0, 1).

    Raises:
        UnknownNameError: If no divergence has that name.
        ConfigError: If the setting of the divergence is out of range.
    """
    if not isinstance(divergence, str):
        return partial(_by_autograd, divergence)
    divergence_named(divergence, beta=beta, skew=skew)
    if divergence == "jensen_shannon":
        return partial(_jensen_shannon, beta=beta)
    closed_form = _CLOSED_FORMS[divergence]
    return partial(closed_form, skew=skew) if divergence.startswith("skew") else closed_form


def _forward_kl(
    log_q: Float[Tensor, "*p v"], log_p: Float[Tensor, "*p v"], q: Float[Tensor, "*p v"]
) -> tuple[Float[Tensor, "*p"], Float[Tensor, "*p v"]]:
    """Gradient by z: q - p."""
    p = log_p.exp()
    value = (log_p - log_q).mul_(p).sum(-1)
    return value, torch.sub(q, p, out=p)


def _reverse_kl(
    log_q: Float[Tensor, "*p v"], log_p: Float[Tensor, "*p v"], q: Float[Tensor, "*p v"]
) -> tuple[Float[Tensor, "*p"], Float[Tensor, "*p v"]]:
    """Gradient by q: g = log q - log p, whose mean under q is the value."""
    log_ratio = log_q - log_p
    value = (q * log_ratio).sum(-1)
    return value, log_ratio.sub_(value.unsqueeze(-1)).mul_(q)


def _jensen_shannon(
    log_q: Float[Tensor, "*p v"],
    log_p: Float[Tensor, "*p v"],
    q: Float[Tensor, "*p v"],
    *,
    beta: float,
) -> tuple[Float[Tensor, "*p"], Float[Tensor, "*p v"]]:
    """Gradient by q: g = (1 - beta) (log q - log m), where m is the mixture."""
    log_mixture = torch.logaddexp(log_p + math.log(beta), log_q + math.log1p(-beta))
    log_ratio = log_q - log_mixture
    student_kl = (q * log_ratio).sum(-1)
    teacher_kl = torch.sub(log_p, log_mixture, out=log_mixture).mul_(log_p.exp()).sum(-1)
    gradient = log_ratio.sub_(student_kl.unsqueeze(-1)).mul_(q).mul_(1 - beta)
    return beta * teacher_kl + (1 - beta) * student_kl, gradient


def _total_variation(
    log_q: Float[Tensor, "*p v"], log_p: Float[Tensor, "*p v"], q: Float[Tensor, "*p v"]
) -> tuple[Float[Tensor, "*p"], Float[Tensor, "*p v"]]:
    """Gradient by q: g = sign(q - p) / 2."""
    difference = q - log_p.exp()
    return difference.abs().sum(-1) / 2, _through_softmax(difference.sign_().div_(2), q)


def _skew_forward_kl(
    log_q: Float[Tensor, "*p v"],
    log_p: Float[Tensor, "*p v"],
    q: Float[Tensor, "*p v"],
    *,
    skew: float,
) -> tuple[Float[Tensor, "*p"], Float[Tensor, "*p v"]]:
    """Gradient by q: g = -(1 - a) p / m, where m = a p + (1 - a) q."""
    log_ratio = log_p - torch.logaddexp(log_p + math.log(skew), log_q + math.log1p(-skew))
    value = (log_p.exp() * log_ratio).sum(-1)
    return value, _through_softmax(log_ratio.exp_().mul_(skew - 1), q)


def _skew_reverse_kl(
    log_q: Float[Tensor, "*p v"],
    log_p: Float[Tensor, "*p v"],
    q: Float[Tensor, "*p v"],
    *,
    skew: float,
) -> tuple[Float[Tensor, "*p"], Float[Tensor, "*p v"]]:
    """Gradient by q: g = log q - log m - a q / m up to a constant, where m = (1 - a) p + a q."""
    log_ratio = log_q - torch.logaddexp(log_p + math.log1p(-skew), log_q + math.log(skew))
    value = (q * log_ratio).sum(-1)
    return value, _through_softmax(log_ratio.sub_(log_ratio.exp(), alpha=skew), q)


_CLOSED_FORMS: MappingProxyType[str, Callable[..., tuple[Tensor, Tensor]]] = MappingProxyType(
    {
        "forward_kl": _forward_kl,
        "jensen_shannon": _jensen_shannon,
        "reverse_kl": _reverse_kl,
        "skew_forward_kl": _skew_forward_kl,
        "skew_reverse_kl": _skew_reverse_kl,
        "total_variation": _total_variation,
    }
)
"""Functions for value and gradient, for every key of `DIVERGENCES`."""


def _through_softmax(grad: Float[Tensor, "*p v"], q: Float[Tensor, "*p v"]) -> Float[Tensor, "*p v"]:
    """Turn a gradient by probabilities into one by logits, in the memory of `grad`."""
    return grad.sub_((q * grad).sum(-1, keepdim=True)).mul_(q)


def _by_autograd(
    divergence: Divergence,
    log_q: Float[Tensor, "*p v"],
    log_p: Float[Tensor, "*p v"],
    q: Float[Tensor, "*p v"],
) -> tuple[Float[Tensor, "*p"], Float[Tensor, "*p v"]]:
    """Value and gradient by autograd, whose graph holds these positions only."""
    with torch.enable_grad():
        leaf = log_q.detach().requires_grad_()
        value = divergence(leaf, log_p.detach())
        (gradient,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), gradient
