"""Losses on hidden states, and maps from student layers to teacher layers."""

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from lmdistill.objectives.reduction import at_least_float32


def state_distance(
    student: Float[Tensor, "b d"], teacher: Float[Tensor, "b d"], *, normalised: bool = True
) -> Float[Tensor, " b"]:
    """Mean squared error of two hidden states over the features.

    Args:
        student: One hidden state of the student per example.
        teacher: That of the teacher, of the same width.
        normalised: Scale both to unit length first.

    Returns:
        One value >= 0 per example; at most 4 / d if normalised.

    References:
        Sun et al., "Patient Knowledge Distillation for BERT Model Compression", 2019, eq. 7. The paper
        sums over the features; here it is the mean, as in the released code, for which its range of beta (10
        to 1000) is meant.
    """
    student, teacher = at_least_float32(student), at_least_float32(teacher)
    if normalised:
        student, teacher = normalize(student, dim=-1), normalize(teacher, dim=-1)
    return (student - teacher).square().mean(-1)


def skip_map(student_layers: int, teacher_layers: int) -> tuple[tuple[int, int], ...]:
    """Pair each student layer but the last with an evenly spaced teacher layer (PKD-Skip).

    Layers count from 1; index 0 of a hidden-state tuple is the embedding output.

    Args:
        student_layers: Depth of the student, >= 1.
        teacher_layers: Depth of the teacher, at least that of the student. If it is no multiple of that,
            layer numbers are rounded down.

    Returns:
        (student layer, teacher layer) pairs, from the bottom up.

    Examples:
        >>> skip_map(6, 12)
        ((1, 2), (2, 4), (3, 6), (4, 8), (5, 10))

    References:
        Sun et al., 2019, section 3.2. Deviation: none if the depth is a multiple.
    """
    return tuple((layer, layer * teacher_layers // student_layers) for layer in range(1, student_layers))


def last_map(student_layers: int, teacher_layers: int) -> tuple[tuple[int, int], ...]:
    """Pair the student layers below the last with as many teacher layers below the last (PKD-Last).

    Args:
        student_layers: Depth of the student, >= 1.
        teacher_layers: Depth of the teacher, at least that of the student.

    Returns:
        (student layer, teacher layer) pairs, from the bottom up.

    Examples:
        >>> last_map(6, 12)
        ((1, 7), (2, 8), (3, 9), (4, 10), (5, 11))

    References:
        Sun et al., 2019, section 3.2.
    """
    offset = teacher_layers - student_layers
    return tuple((layer, layer + offset) for layer in range(1, student_layers))


def token_distance(
    student: Float[Tensor, "b t d"], teacher: Float[Tensor, "b t d"], mask: Int[Tensor, "b t"]
) -> Float[Tensor, " b"]:
    """Mean squared error of hidden states over the tokens and features of each example.

    Args:
        student: Hidden states of the student at every token.
        teacher: Those of the teacher at the same tokens, of the same width.
        mask: 1 for a token, 0 for padding; at least one token per example.

    Returns:
        One value >= 0 per example.

    References:
        Zhang et al., "MiniDisc", 2022, released code. Deviation: the released code averages over all tokens
        of a batch; one value per example does not depend on how examples are split into micro-batches.
    """
    per_token = (at_least_float32(student) - at_least_float32(teacher)).square().mean(-1)
    return per_token.masked_fill(mask == 0, 0.0).sum(-1) / mask.sum(-1)


def uniform_map(states: int, student_layers: int, teacher_layers: int) -> tuple[tuple[int, int], ...]:
    """Pair evenly spaced hidden states of both networks, from the embeddings to the last layer.

    Args:
        states: Number of pairs, >= 2; reduced to the number of states of the shallower network.
        student_layers: Depth of the student, >= 1; state 0 is the embedding output.
        teacher_layers: Depth of the teacher, >= 1.

    Returns:
        (student state, teacher state) pairs, each rounded to the nearest layer, halves up.

    Examples:
        >>> uniform_map(7, 12, 12)
        ((0, 0), (2, 2), (4, 4), (6, 6), (8, 8), (10, 10), (12, 12))
        >>> uniform_map(7, 3, 6)
        ((0, 0), (1, 2), (2, 4), (3, 6))

    References:
        Zhang et al., 2022, released code, for 7 states of 12 layers; other depths are not in the paper.
    """
    intervals = min(states - 1, student_layers, teacher_layers)

    def nearest(number: int, depth: int) -> int:
        return (2 * number * depth + intervals) // (2 * intervals)

    return tuple((nearest(j, student_layers), nearest(j, teacher_layers)) for j in range(intervals + 1))
