"""What a student learns at each position, and how much: values and gradient from a few rows of logits."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lmdistill.core.errors import ConfigError
from lmdistill.objectives.chunked.divergence_gradients import ValueAndGrad, value_and_grad_of
from lmdistill.objectives.decoupled import MASKED_LOGIT
from lmdistill.objectives.divergence import Divergence

ValuesAndGradient = tuple[dict[str, Float[Tensor, " n"]], Float[Tensor, "n v"]]
"""Values of each term, unweighted; gradient of their weighted sum by the student's logits."""


@dataclass(frozen=True, kw_only=True)
class LossTerms:
    r"""A weighted sum of up to four terms at each position; a term without weights is not computed.

    .. math:: w_l \, CE(y, q) + \tau^2 [w_w D(p, q) + w_t D(two(p), two(q)) + w_d D(rest(p), rest(q))]

    The distributions in the bracket are softened by the temperature tau. Weights are numbers here: no
    gradient goes through them.
    """

    divergence: str | Divergence = "forward_kl"
    """D: a key of `DIVERGENCES`, or a function of student's and teacher's logits, blind to their shift."""

    beta: float = 0.5
    """Setting of `jensen_shannon`, in (0, 1)."""

    skew: float = 0.1
    """Setting of the skew divergences, in (0, 1)."""

    temperature: float = 1.0
    """Softmax temperature of both networks in D, > 0; the labels' cross-entropy has none."""

    label: Float[Tensor, " n"] | None = None
    """Weights of the cross-entropy against the labels."""

    whole: Float[Tensor, " n"] | None = None
    """Weights of the divergence of the full distributions."""

    target: Float[Tensor, " n"] | None = None
    """Weights of the divergence of the two-way distributions, target against all others."""

    diversity: Float[Tensor, " n"] | None = None
    """Weights of the divergence of the distributions without the target."""

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ConfigError(f"temperature must be > 0, got {self.temperature}.")
        if not self.weights:
            raise ConfigError("there is nothing to learn: give weights to label, whole, target or diversity.")

    @property
    def weights(self) -> dict[str, Float[Tensor, " n"]]:
        """Weights of the terms that are wanted, by name."""
        named = {"label": self.label, "whole": self.whole, "target": self.target, "diversity": self.diversity}
        return {name: weights.detach() for name, weights in named.items() if weights is not None}

    @property
    def uses_teacher(self) -> bool:
        """Whether a teacher's logits are needed."""
        return set(self.weights) != {"label"}

    def value_and_grad(self) -> ValueAndGrad:
        """D with its gradient."""
        return value_and_grad_of(self.divergence, beta=self.beta, skew=self.skew)


def compare(
    terms: LossTerms,
    at: slice,
    student: Float[Tensor, "n v"],
    teacher: Float[Tensor, "n v"] | None,
    labels: Int[Tensor, " n"],
) -> ValuesAndGradient:
    """Values and gradient at some positions.

    Args:
        terms: What is wanted, at all positions.
        at: Which of them these are.
        student: Its logits there, in at least 32 bits; they stay as they are.
        teacher: The same of the teacher; None where it is not needed.
        labels: Targets there.
    """
    weights = {name: weight[at].to(student.dtype) for name, weight in terms.weights.items()}
    values: dict[str, Tensor] = {}
    gradients = []
    if "label" in weights:
        values["label"], gradient = _label(student, labels)
        gradients.append(gradient.mul_(weights["label"].unsqueeze(-1)))
    if terms.uses_teacher:
        assert teacher is not None
        if terms.temperature != 1:
            student, teacher = student / terms.temperature, teacher / terms.temperature
        for part in (_whole, _parts):
            found, slope = part(terms, weights, student, teacher, labels)
            values.update(found)
            gradients += [] if slope is None else [slope]
    total = gradients[0]
    for gradient in gradients[1:]:
        total += gradient
    return {name: values[name] for name in weights}, total


def _label(
    student: Float[Tensor, "n v"], labels: Int[Tensor, " n"]
) -> tuple[Float[Tensor, " n"], Float[Tensor, "n v"]]:
    """Cross-entropy; its gradient is q less one at the label."""
    log_probs, at = student.log_softmax(-1), labels.unsqueeze(-1)
    value = log_probs.gather(-1, at).squeeze(-1).neg_()
    gradient = log_probs.exp_()
    return value, gradient.scatter_add_(-1, at, gradient.new_full(at.shape, -1.0))


def _whole(
    terms: LossTerms,
    weights: dict[str, Float[Tensor, " n"]],
    student: Float[Tensor, "n v"],
    teacher: Float[Tensor, "n v"],
    labels: Int[Tensor, " n"],
) -> tuple[dict[str, Float[Tensor, " n"]], Float[Tensor, "n v"] | None]:
    """The divergence of the full distributions, if it is wanted."""
    if "whole" not in weights:
        return {}, None
    ours = student.log_softmax(-1)
    value, gradient = terms.value_and_grad()(ours, teacher.log_softmax(-1), ours.exp())
    gradient.mul_((weights["whole"] * terms.temperature).unsqueeze(-1))
    return {"whole": value * terms.temperature**2}, gradient


def _parts(
    terms: LossTerms,
    weights: dict[str, Float[Tensor, " n"]],
    student: Float[Tensor, "n v"],
    teacher: Float[Tensor, "n v"],
    labels: Int[Tensor, " n"],
) -> tuple[dict[str, Float[Tensor, " n"]], Float[Tensor, "n v"] | None]:
    """Both parts of the divergence, if either is wanted.

    What the target part says about the others together, each of them gets by its share among them.
    """
    if "target" not in weights and "diversity" not in weights:
        return {}, None
    slope, at, hot = terms.value_and_grad(), labels.unsqueeze(-1), terms.temperature
    ours, our_two = _split(student, labels)
    theirs, their_two = _split(teacher, labels)
    probs = ours.exp()
    target, pull = slope(our_two, their_two, our_two.exp())
    diversity, gradient = slope(ours, theirs, probs)
    none = torch.zeros_like(target)
    gradient.mul_((weights.get("diversity", none) * hot).unsqueeze(-1))
    pull = pull * (weights.get("target", none) * hot).unsqueeze(-1)
    gradient.addcmul_(probs, pull[:, 1:]).scatter_(-1, at, pull[:, :1])
    return {"target": target * hot**2, "diversity": diversity * hot**2}, gradient


def _split(
    logits: Float[Tensor, "n v"], labels: Int[Tensor, " n"]
) -> tuple[Float[Tensor, "n v"], Float[Tensor, "n 2"]]:
    """Log-probabilities of the rest, and of the two-way distribution.

    The target is taken out in place and put back, since a copy would cost as much as the softmax.
    """
    at = labels.unsqueeze(-1)
    target = logits.gather(-1, at)
    logits.scatter_(-1, at, MASKED_LOGIT)
    highest, place = logits.max(-1, keepdim=True)
    log_probs = logits.log_softmax(-1)
    together = highest - log_probs.gather(-1, place)  # their logsumexp, without a further exponential
    logits.scatter_(-1, at, target)
    return log_probs, torch.cat([target, together], -1).log_softmax(-1)
