"""Losses on hidden states, and which layer learns from which."""

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from lmdistill.objectives.reduction import at_least_float32


def state_distance(
    student: Float[Tensor, "b d"], teacher: Float[Tensor, "b d"], *, normalised: bool = True
) -> Float[Tensor, " b"]:
    """Mean over the features of the squared difference of two states.

    Args:
        student: One state an example.
        teacher: The teacher's, of the same width.
        normalised: Scale both to unit length first.

    Returns:
        One value >= 0 an example; at most 4 / d when normalised.

    References:
        Sun et al., "Patient Knowledge Distillation for BERT Model Compression", 2019, eq. 7. The paper
        sums over the features; we take the mean, as its released code does, so that its range of beta
        (10 to 1000) keeps its meaning.
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
        teacher_layers: Depth of the teacher, >= the student's; where it is no multiple, the
            spacing is rounded down.

    Returns:
        (student layer, teacher layer) pairs, from the bottom up.

    Examples:
        >>> skip_map(6, 12)
        ((1, 2), (2, 4), (3, 6), (4, 8), (5, 10))

    References:
        Sun et al., 2019, section 3.2. Deviation: none where the depth divides.
    """
    return tuple((layer, layer * teacher_layers // student_layers) for layer in range(1, student_layers))


def last_map(student_layers: int, teacher_layers: int) -> tuple[tuple[int, int], ...]:
    """Pair each student layer but the last with the teacher's layers below its last (PKD-Last).

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
    """Mean over an example's tokens and features of the squared difference of states.

    Args:
        student: States of every token.
        teacher: The teacher's of the same tokens, of the same width.
        mask: 1 for a token, 0 for padding; at least one token an example.

    Returns:
        One value >= 0 an example.

    References:
        Zhang et al., "MiniDisc", 2022, released code, which averages over all tokens of a batch at once; a
        value an example lets the engine divide once, over all micro-batches.
    """
    each = (at_least_float32(student) - at_least_float32(teacher)).square().mean(-1)
    return each.masked_fill(mask == 0, 0.0).sum(-1) / mask.sum(-1)


def uniform_map(states: int, student_layers: int, teacher_layers: int) -> tuple[tuple[int, int], ...]:
    """Pair states of both networks that stand at the same relative depth, from the embeddings to the last.

    Args:
        states: How many, >= 2; at most as many as the shallower network has.
        student_layers: Depth of the student, >= 1; state 0 is the embedding output.
        teacher_layers: Depth of the teacher, >= 1.

    Returns:
        (student state, teacher state) pairs, rounded to the nearest layer, halves up.

    Examples:
        >>> uniform_map(7, 12, 12)
        ((0, 0), (2, 2), (4, 4), (6, 6), (8, 8), (10, 10), (12, 12))
        >>> uniform_map(7, 3, 6)
        ((0, 0), (1, 2), (2, 4), (3, 6))

    References:
        Zhang et al., 2022, released code, for 7 states of 12 layers; other depths are our choice.
    """
    gaps = min(states - 1, student_layers, teacher_layers)

    def nearest(number: int, depth: int) -> int:
        return (2 * number * depth + gaps) // (2 * gaps)

    return tuple((nearest(j, student_layers), nearest(j, teacher_layers)) for j in range(gaps + 1))
