"""Divergences with their gradients in closed form, for those who cannot afford to let autograd remember.

With q the student's probabilities, z its logits and g = dD/dq, every gradient here is q (g - sum q g): what
the softmax lets through. The same rule serves full distributions, two-way ones (`decoupled.two_way`) and
those without the target (`decoupled.non_target`), whose floor has the probability 0.
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
"""Student's log-probabilities, teacher's, student's probabilities; value, and gradient by student's logits.

The arguments stay as they are; the gradient is new memory, the caller's to change.
"""


def value_and_grad_of(divergence: str | Divergence, *, beta: float = 0.5, skew: float = 0.1) -> ValueAndGrad:
    """Value and gradient of a divergence: closed for those we name, by autograd for one of the caller's.

    Args:
        divergence: A key of `DIVERGENCES`; or a function of student's and teacher's logits that is blind to
            a shift of them, since it is given log-probabilities.
        beta: Setting of `jensen_shannon`.
        skew: Setting of the skew divergences.

    Raises:
        UnknownNameError: No divergence has that name.
    """
    if not isinstance(divergence, str):
        return partial(_by_autograd, divergence)
    divergence_named(divergence, beta=beta, skew=skew)
    if divergence == "jensen_shannon":
        return partial(_jensen_shannon, beta=beta)
    found = _CLOSED[divergence]
    return partial(found, skew=skew) if divergence.startswith("skew") else found


def _forward_kl(
    ours: Float[Tensor, "*p v"], theirs: Float[Tensor, "*p v"], probs: Float[Tensor, "*p v"]
) -> tuple[Float[Tensor, "*p"], Float[Tensor, "*p v"]]:
    """The gradient is q - p."""
    target = theirs.exp()
    value = (theirs - ours).mul_(target).sum(-1)
    return value, torch.sub(probs, target, out=target)


def _reverse_kl(
    ours: Float[Tensor, "*p v"], theirs: Float[Tensor, "*p v"], probs: Float[Tensor, "*p v"]
) -> tuple[Float[Tensor, "*p"], Float[Tensor, "*p v"]]:
    """The slope is g = log q - log p, whose mean is the value."""
    gap = ours - theirs
    value = (probs * gap).sum(-1)
    return value, gap.sub_(value.unsqueeze(-1)).mul_(probs)


def _jensen_shannon(
    ours: Float[Tensor, "*p v"],
    theirs: Float[Tensor, "*p v"],
    probs: Float[Tensor, "*p v"],
    *,
    beta: float,
) -> tuple[Float[Tensor, "*p"], Float[Tensor, "*p v"]]:
    """The slope is g = (1 - beta) (log q - log m), m the mixture."""
    mix = torch.logaddexp(theirs + math.log(beta), ours + math.log1p(-beta))
    gap = ours - mix
    to_student = (probs * gap).sum(-1)
    to_teacher = torch.sub(theirs, mix, out=mix).mul_(theirs.exp()).sum(-1)
    gradient = gap.sub_(to_student.unsqueeze(-1)).mul_(probs).mul_(1 - beta)
    return beta * to_teacher + (1 - beta) * to_student, gradient


def _total_variation(
    ours: Float[Tensor, "*p v"], theirs: Float[Tensor, "*p v"], probs: Float[Tensor, "*p v"]
) -> tuple[Float[Tensor, "*p"], Float[Tensor, "*p v"]]:
    """The slope is g = sign(q - p) / 2."""
    gap = probs - theirs.exp()
    return gap.abs().sum(-1) / 2, _pulled(gap.sign_().div_(2), probs)


def _skew_forward_kl(
    ours: Float[Tensor, "*p v"],
    theirs: Float[Tensor, "*p v"],
    probs: Float[Tensor, "*p v"],
    *,
    skew: float,
) -> tuple[Float[Tensor, "*p"], Float[Tensor, "*p v"]]:
    """The slope is g = -(1 - a) p / m, m = a p + (1 - a) q."""
    gap = theirs - torch.logaddexp(theirs + math.log(skew), ours + math.log1p(-skew))
    value = (theirs.exp() * gap).sum(-1)
    return value, _pulled(gap.exp_().mul_(skew - 1), probs)


def _skew_reverse_kl(
    ours: Float[Tensor, "*p v"],
    theirs: Float[Tensor, "*p v"],
    probs: Float[Tensor, "*p v"],
    *,
    skew: float,
) -> tuple[Float[Tensor, "*p"], Float[Tensor, "*p v"]]:
    """The slope is g = log q - log m - a q / m, up to a constant; m = (1 - a) p + a q."""
    gap = ours - torch.logaddexp(theirs + math.log1p(-skew), ours + math.log(skew))
    value = (probs * gap).sum(-1)
    return value, _pulled(gap.sub_(gap.exp(), alpha=skew), probs)


_CLOSED: MappingProxyType[str, Callable[..., tuple[Tensor, Tensor]]] = MappingProxyType(
    {
        "forward_kl": _forward_kl,
        "jensen_shannon": _jensen_shannon,
        "reverse_kl": _reverse_kl,
        "skew_forward_kl": _skew_forward_kl,
        "skew_reverse_kl": _skew_reverse_kl,
        "total_variation": _total_variation,
    }
)
"""Every key of `DIVERGENCES`."""


def _pulled(slope: Float[Tensor, "*p v"], probs: Float[Tensor, "*p v"]) -> Float[Tensor, "*p v"]:
    """By probabilities to by logits, in the memory of `slope`."""
    return slope.sub_((probs * slope).sum(-1, keepdim=True)).mul_(probs)


def _by_autograd(
    divergence: Divergence,
    ours: Float[Tensor, "*p v"],
    theirs: Float[Tensor, "*p v"],
    probs: Float[Tensor, "*p v"],
) -> tuple[Float[Tensor, "*p"], Float[Tensor, "*p v"]]:
    """What autograd says, of these positions only."""
    with torch.enable_grad():
        leaf = ours.detach().requires_grad_()
        value = divergence(leaf, theirs.detach())
        (gradient,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), gradient
