"""Loss terms and their weights; values and gradients of the terms from the logits of a chunk."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lmdistill.core.errors import ConfigError
from lmdistill.objectives.chunked.divergence_gradients import ValueAndGrad, value_and_grad_of
from lmdistill.objectives.divergence import Divergence
from lmdistill.objectives.reduction import MASKED_LOGIT

ValuesAndGradient = tuple[dict[str, Float[Tensor, " n"]], Float[Tensor, "n v"]]
"""Unweighted value of each term, and gradient of their weighted sum by the student's logits."""


@dataclass(frozen=True, kw_only=True)
class LossTerms:
    r"""Weighted sum of up to four loss terms at each position; terms without weights are not computed.

    .. math:: w_l \, CE(y, q) + \tau^2 [w_w D(p, q) + w_t D(two(p), two(q)) + w_d D(rest(p), rest(q))]

    The distributions p (teacher) and q (student) in the bracket have the temperature tau; two(p) is target
    against all others and rest(p) all others without the target, as in `objectives.decoupled`. Weights are
    constants: they get no gradient.
    """

    divergence: str | Divergence = "forward_kl"
    """D: a key of `DIVERGENCES`, or a function of the two networks' logits (see `value_and_grad_of`)."""

    beta: float = 0.5
    """Weight of the teacher in the mixture of `jensen_shannon`, in (0, 1)."""

    skew: float = 0.1
    """Weight of the first distribution in the mixture of the skew divergences, in (0, 1)."""

    temperature: float = 1.0
    """Softmax temperature of both networks in D, > 0; the cross-entropy has temperature 1."""

    label: Float[Tensor, " n"] | None = None
    """w_l, weights of the cross-entropy with the labels."""

    whole: Float[Tensor, " n"] | None = None
    """w_w, weights of the divergence of the full distributions."""

    target: Float[Tensor, " n"] | None = None
    """w_t, weights of the divergence of the two-way distributions, target against all others."""

    diversity: Float[Tensor, " n"] | None = None
    """w_d, weights of the divergence of the distributions without the target."""

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ConfigError(f"temperature must be > 0, got {self.temperature}.")
        if not self.weights:
            raise ConfigError("no loss term has weights. Give weights to label, whole, target or diversity.")

    @property
    def weights(self) -> dict[str, Float[Tensor, " n"]]:
        """The weights of the terms to be computed, by name."""
        named = {"label": self.label, "whole": self.whole, "target": self.target, "diversity": self.diversity}
        return {name: weights.detach() for name, weights in named.items() if weights is not None}

    @property
    def uses_teacher(self) -> bool:
        """Whether the logits of a teacher are needed."""
        return set(self.weights) != {"label"}

    def value_and_grad(self) -> ValueAndGrad:
        """The function for value and gradient of D."""
        return value_and_grad_of(self.divergence, beta=self.beta, skew=self.skew)


def compare(
    terms: LossTerms,
    at: slice,
    student: Float[Tensor, "n v"],
    teacher: Float[Tensor, "n v"] | None,
    labels: Int[Tensor, " n"],
) -> ValuesAndGradient:
    """Value of each term and gradient of their weighted sum at some positions.

    Args:
        terms: Loss terms, with weights of all positions.
        at: The positions to which the other arguments belong.
        student: The student's logits, in at least float32; not changed.
        teacher: The teacher's logits; None if no term needs them.
        labels: Target token ids, in [0, v).
    """
    weights = {name: weight[at].to(student.dtype) for name, weight in terms.weights.items()}
    values: dict[str, Tensor] = {}
    gradients = []
    if "label" in weights:
        values["label"], gradient = _cross_entropy(student, labels)
        gradients.append(gradient.mul_(weights["label"].unsqueeze(-1)))
    if terms.uses_teacher:
        assert teacher is not None
        if terms.temperature != 1:
            student, teacher = student / terms.temperature, teacher / terms.temperature
        for divergence in (_full_divergence, _decoupled_divergence):
            divergence_values, divergence_gradient = divergence(terms, weights, student, teacher, labels)
            values.update(divergence_values)
            gradients += [] if divergence_gradient is None else [divergence_gradient]
    total = gradients[0]
    for gradient in gradients[1:]:
        total += gradient
    return {name: values[name] for name in weights}, total


def _cross_entropy(
    student: Float[Tensor, "n v"], labels: Int[Tensor, " n"]
) -> tuple[Float[Tensor, " n"], Float[Tensor, "n v"]]:
    """Cross-entropy and its gradient, which is q minus 1 at the label."""
    log_probs, index = student.log_softmax(-1), labels.unsqueeze(-1)
    value = log_probs.gather(-1, index).squeeze(-1).neg_()
    gradient = log_probs.exp_()
    return value, gradient.scatter_add_(-1, index, gradient.new_full(index.shape, -1.0))


def _full_divergence(
    terms: LossTerms,
    weights: dict[str, Float[Tensor, " n"]],
    student: Float[Tensor, "n v"],
    teacher: Float[Tensor, "n v"],
    labels: Int[Tensor, " n"],
) -> tuple[dict[str, Float[Tensor, " n"]], Float[Tensor, "n v"] | None]:
    """Divergence of the full distributions, if it has weights; it ignores the labels."""
    if "whole" not in weights:
        return {}, None
    log_q = student.log_softmax(-1)
    value, gradient = terms.value_and_grad()(log_q, teacher.log_softmax(-1), log_q.exp())
    gradient.mul_((weights["whole"] * terms.temperature).unsqueeze(-1))
    return {"whole": value * terms.temperature**2}, gradient


def _decoupled_divergence(
    terms: LossTerms,
    weights: dict[str, Float[Tensor, " n"]],
    student: Float[Tensor, "n v"],
    teacher: Float[Tensor, "n v"],
    labels: Int[Tensor, " n"],
) -> tuple[dict[str, Float[Tensor, " n"]], Float[Tensor, "n v"] | None]:
    """Target and diversity part of the divergence, if either has weights.

    The target part has a gradient by the logit of all others together (their logsumexp). By the chain rule,
    each of the others gets its probability among them times that gradient.
    """
    if "target" not in weights and "diversity" not in weights:
        return {}, None
    value_and_grad, index, temperature = terms.value_and_grad(), labels.unsqueeze(-1), terms.temperature
    log_q, two_way_log_q = _split(student, labels)
    log_p, two_way_log_p = _split(teacher, labels)
    q = log_q.exp()
    target, two_way_gradient = value_and_grad(two_way_log_q, two_way_log_p, two_way_log_q.exp())
    diversity, gradient = value_and_grad(log_q, log_p, q)
    zeros = torch.zeros_like(target)
    gradient.mul_((weights.get("diversity", zeros) * temperature).unsqueeze(-1))
    two_way_gradient = two_way_gradient * (weights.get("target", zeros) * temperature).unsqueeze(-1)
    gradient.addcmul_(q, two_way_gradient[:, 1:]).scatter_(-1, index, two_way_gradient[:, :1])
    return {"target": target * temperature**2, "diversity": diversity * temperature**2}, gradient


def _split(
    logits: Float[Tensor, "n v"], labels: Int[Tensor, " n"]
) -> tuple[Float[Tensor, "n v"], Float[Tensor, "n 2"]]:
    """Log-probabilities without the target, and those of the two-way distribution.

    The target's logit is masked in place and restored, because a copy would cost as much as the softmax.
    """
    index = labels.unsqueeze(-1)
    target = logits.gather(-1, index)
    logits.scatter_(-1, index, MASKED_LOGIT)
    log_probs = logits.log_softmax(-1)
    # The logsumexp of the others, without another exponential; amax is faster than max with its positions.
    others = logits.amax(-1, keepdim=True) - log_probs.amax(-1, keepdim=True)
    logits.scatter_(-1, index, target)
    return log_probs, torch.cat([target, others], -1).log_softmax(-1)
