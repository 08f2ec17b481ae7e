"""Losses of tasks in which every label of a text is a decision of its own: sigmoid outputs, one per label."""

import torch
from jaxtyping import Float
from torch import Tensor

from lmdistill.objectives.divergence import distillation_loss, logit_mse
from lmdistill.objectives.reduction import at_least_float32


def two_class_logits(logits: Float[Tensor, "*p v"]) -> Float[Tensor, "*p v 2"]:
    """Logits of "this label" and "not this label" for each label: a softmax of (z, 0) is the sigmoid of z.

    Examples:
        >>> two_class_logits(torch.tensor([[1.0, 2.0]])).tolist()
        [[[1.0, 0.0], [2.0, 0.0]]]
    """
    return torch.stack([logits, torch.zeros_like(logits)], dim=-1)


def label_distillation_loss(
    name: str, student: Float[Tensor, "*p v"], teacher: Float[Tensor, "*p v"], *, temperature: float = 1.0
) -> Float[Tensor, "*p"]:
    r"""Loss `name` between the Bernoulli distributions of each label, mean over labels.

    .. math:: \frac{\tau^2}{|V|} \sum_v d(\sigma(z_S(v) / \tau), \sigma(z_T(v) / \tau))

    `mse` compares the logits themselves, and `mse_probabilities` the probabilities of the labels.

    Args:
        name: A key of `DISTILLATION_LOSSES`.
        student: Logits of the student, one for each label.
        teacher: Logits of the teacher.
        temperature: Temperature tau of both networks, > 0.

    Returns:
        One value per position.

    Examples:
        >>> teacher = torch.tensor([[0.0, 1.0]])
        >>> label_distillation_loss("forward_kl", teacher, teacher)
        tensor([0.])

    References:
        Yang et al., "Multi-Label Knowledge Distillation", 2023, equation 3 (MLD without weights): a binary
        divergence for each label. Deviations: the mean over labels, as the label loss has it, where the paper
        sums; a temperature; any divergence.
    """
    student, teacher = at_least_float32(student), at_least_float32(teacher)
    if name == "mse":
        return logit_mse(student, teacher)
    pairs = two_class_logits(student), two_class_logits(teacher)
    return distillation_loss(name, *pairs, temperature=temperature).mean(-1)


def output_loss(
    name: str,
    student: Float[Tensor, "*p v"],
    teacher: Float[Tensor, "*p v"],
    *,
    temperature: float,
    multi_label: bool,
) -> Float[Tensor, "*p"]:
    """The loss between the outputs of two classifiers: over classes, or the mean over independent labels.

    Args:
        name: A key of `DISTILLATION_LOSSES`.
        student: Logits of the student.
        teacher: Logits of the teacher.
        temperature: Temperature of both networks, > 0.
        multi_label: Whether each output is a label of its own.
    """
    loss = label_distillation_loss if multi_label else distillation_loss
    return loss(name, student, teacher, temperature=temperature)
