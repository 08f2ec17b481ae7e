"""Losses with gold labels, one value per position."""

from jaxtyping import Float, Num
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.functional import cross_entropy as _cross_entropy

from lmdistill.objectives.reduction import at_least_float32


def cross_entropy(logits: Float[Tensor, "*p v"], labels: Num[Tensor, "*p"]) -> Float[Tensor, "*p"]:
    """Negative log-likelihood of each label, in nats.

    Args:
        logits: Logits of the classes or tokens.
        labels: Class numbers or token ids, in [0, v).

    Examples:
        >>> import torch
        >>> cross_entropy(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
        tensor([0.6931])
    """
    flat = _cross_entropy(at_least_float32(logits).flatten(0, -2), labels.flatten(), reduction="none")
    return flat.view(labels.shape)


def squared_error(logits: Float[Tensor, "*p 1"], labels: Num[Tensor, "*p"]) -> Float[Tensor, "*p"]:
    """Squared difference between the output and the score, for a regression."""
    return (at_least_float32(logits).squeeze(-1) - labels).square()


def binary_cross_entropy(logits: Float[Tensor, "*p v"], labels: Num[Tensor, "*p v"]) -> Float[Tensor, "*p"]:
    """Mean over labels of the negative log-likelihood that a label is there or not, in nats.

    It is the loss of `problem_type="multi_label_classification"` in Hugging Face's classes, for each example.

    Args:
        logits: One logit for each label.
        labels: 1 for a label that is there and 0 for another, or its probability.

    Examples:
        >>> import torch
        >>> binary_cross_entropy(torch.tensor([[0.0, 0.0]]), torch.tensor([[1, 0]]))
        tensor([0.6931])
    """
    wide = at_least_float32(logits)
    return binary_cross_entropy_with_logits(wide, labels.to(wide.dtype), reduction="none").mean(-1)


def label_loss(
    logits: Float[Tensor, "*p v"], labels: Num[Tensor, "*p"] | Num[Tensor, "*p v"]
) -> Float[Tensor, "*p"]:
    """The loss that the labels ask for.

    Cross-entropy if they are integers (classes), squared error if they are floats (scores), and the binary
    cross-entropy if there is one for each output (several labels).
    """
    if labels.ndim == logits.ndim:
        return binary_cross_entropy(logits, labels)
    return squared_error(logits, labels) if labels.is_floating_point() else cross_entropy(logits, labels)


def mixed_label_loss(
    logits: Float[Tensor, " m v"],
    labels: Num[Tensor, " m"] | Num[Tensor, "m v"],
    partner_labels: Num[Tensor, " m"] | Num[Tensor, "m v"],
    share: Float[Tensor, " m"],
    *,
    weights: Float[Tensor, " m"] | None = None,
    partner_weights: Float[Tensor, " m"] | None = None,
) -> Float[Tensor, " m"]:
    r"""Loss of mixup: interpolated examples with interpolated labels.

    .. math:: -y' \cdot \log softmax(g(x')), \quad y' = \lambda y_i + (1 - \lambda) y_j

    The cross-entropy is linear in the label, so it is computed without mixed one-hot labels; weights of
    classes enter by the same linearity. Scores of a regression are interpolated and compared by squared
    error; so are rows of several labels, and compared by the binary cross-entropy, which is linear in them
    too.

    Args:
        logits: Outputs of the network on the mixed examples.
        labels: Labels of the first examples.
        partner_labels: Labels of the second examples.
        share: Weight of the first example (lambda), in [0, 1].
        weights: Weight of the class of each first label; None is 1.
        partner_weights: The same of the second labels.

    Returns:
        One value >= 0 per mixed example.

    References:
        Liang et al., "MixKD", 2021, L_SM. The paper has no regression; interpolating scores is our choice.
    """
    if labels.ndim == logits.ndim:
        weight = share.unsqueeze(-1)
        return binary_cross_entropy(logits, weight * labels + (1 - weight) * partner_labels)
    if labels.is_floating_point():
        return squared_error(logits, share * labels + (1 - share) * partner_labels)
    first = share if weights is None else share * weights
    second = 1 - share if partner_weights is None else (1 - share) * partner_weights
    return first * cross_entropy(logits, labels) + second * cross_entropy(logits, partner_labels)
