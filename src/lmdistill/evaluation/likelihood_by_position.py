"""The scored tokens of a data set by the text that they stand in, and by their place in it."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int
from torch import Tensor

from lmdistill.records.schema import Stretch


@dataclass(frozen=True, kw_only=True)
class Passage:
    """The scored tokens of one text."""

    tokens: int
    """How many, >= 1."""

    nats: float
    """Sum of -log q(token), >= 0."""

    teacher_nats: float | None
    """The teacher's sum of -log p(token), >= 0; None without a teacher."""


def by_passage(joined: Mapping[str, Tensor]) -> dict[int, Passage]:
    """One entry for each text, by its row number; nothing where the rows are not known.

    Args:
        joined: `log_prob` and `row` of each token, (n,); beside a teacher also `teacher_log_prob`.

    Examples:
        >>> read = {"log_prob": torch.tensor([-1.0, -2.0, -4.0]), "row": torch.tensor([7, 3, 7])}
        >>> by_passage(read)[7]
        Passage(tokens=2, nats=5.0, teacher_nats=None)
    """
    if "row" not in joined:
        return {}
    return {
        row: Passage(tokens=tokens, nats=nats, teacher_nats=beside)
        for row, tokens, nats, beside in _sums(joined, joined["row"])
    }


def by_position(joined: Mapping[str, Tensor]) -> tuple[Stretch, ...]:
    """The tokens from early to late: those after 1 token, after 2 or 3, after 4 to 7, and so on.

    Args:
        joined: `log_prob` and `position` (tokens that stand before it, >= 1) of each token, (n,); beside a
            teacher also `teacher_log_prob`.

    Returns:
        Means over the tokens of each stretch that has any, from early to late.

    Examples:
        >>> read = {"log_prob": torch.tensor([-1.0, -2.0, -4.0]), "position": torch.tensor([2, 9, 3])}
        >>> [(one.first, one.last, one.count, one.nats) for one in by_position(read)]
        [(2, 3, 2, 2.5), (8, 15, 1, 2.0)]
    """
    power = torch.frexp(joined["position"].double()).exponent.long() - 1
    return tuple(
        Stretch(
            first=2**part,
            last=2 ** (part + 1) - 1,
            count=tokens,
            nats=nats / tokens,
            teacher_nats=None if beside is None else beside / tokens,
        )
        for part, tokens, nats, beside in _sums(joined, power)
    )


def _sums(
    joined: Mapping[str, Tensor], groups: Int[Tensor, " n"]
) -> list[tuple[int, int, float, float | None]]:
    """Group, tokens, and nats of student and teacher, by rising group."""
    names, place = torch.unique(groups, return_inverse=True)
    counts = place.bincount(minlength=len(names)).tolist()

    def total(log_prob: Tensor) -> Float64[Tensor, " g"]:
        """Nats of each group."""
        return torch.zeros(len(names), dtype=torch.float64).index_add_(0, place, -log_prob.double())

    ours = total(joined["log_prob"]).tolist()
    theirs = (
        total(joined["teacher_log_prob"]).tolist() if "teacher_log_prob" in joined else [None] * len(ours)
    )
    return list(zip(names.tolist(), counts, ours, theirs, strict=True))
