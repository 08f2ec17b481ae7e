"""Likelihood of the scored tokens of a data set, by text and by position in the text."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int
from torch import Tensor

from lmdistill.records.schema import Stretch


@dataclass(frozen=True, kw_only=True)
class Passage:
    """Likelihood of the scored tokens of one text."""

    tokens: int
    """Number of scored tokens, >= 1."""

    nats: float
    """Sum of the student's -log q(token), in nats, >= 0."""

    teacher_nats: float | None
    """Sum of the teacher's -log p(token), in nats, >= 0; None without a teacher."""


def by_passage(joined: Mapping[str, Tensor]) -> dict[int, Passage]:
    """Likelihood of each text by its row number; empty if the rows are not known.

    Args:
        joined: `log_prob` and `row` of each token, of shape (n,); with a teacher also `teacher_log_prob`.

    Examples:
        >>> joined = {"log_prob": torch.tensor([-1.0, -2.0, -4.0]), "row": torch.tensor([7, 3, 7])}
        >>> by_passage(joined)[7]
        Passage(tokens=2, nats=5.0, teacher_nats=None)
    """
    if "row" not in joined:
        return {}
    return {
        row: Passage(tokens=tokens, nats=nats, teacher_nats=teacher_nats)
        for row, tokens, nats, teacher_nats in _sums(joined, joined["row"])
    }


def by_position(joined: Mapping[str, Tensor]) -> tuple[Stretch, ...]:
    """Mean likelihood by position, in groups of tokens that follow 1 token, 2 or 3, 4 to 7, and so on.

    Args:
        joined: `log_prob` and `position` (number of tokens before it, >= 1) of each token, of shape (n,);
            with a teacher also `teacher_log_prob`.

    Returns:
        Means over the tokens of each group, from early to late, without empty groups.

    Examples:
        >>> joined = {"log_prob": torch.tensor([-1.0, -2.0, -4.0]), "position": torch.tensor([2, 9, 3])}
        >>> [(group.first, group.last, group.count, group.nats) for group in by_position(joined)]
        [(2, 3, 2, 2.5), (8, 15, 1, 2.0)]
    """
    exponents = torch.frexp(joined["position"].double()).exponent.long() - 1
    return tuple(
        Stretch(
            first=2**exponent,
            last=2 ** (exponent + 1) - 1,
            count=tokens,
            nats=nats / tokens,
            teacher_nats=None if teacher_nats is None else teacher_nats / tokens,
        )
        for exponent, tokens, nats, teacher_nats in _sums(joined, exponents)
    )


def _sums(
    joined: Mapping[str, Tensor], groups: Int[Tensor, " n"]
) -> list[tuple[int, int, float, float | None]]:
    """(group, number of tokens, nats of the student, nats of the teacher) in ascending order of groups."""
    names, group_of = torch.unique(groups, return_inverse=True)
    counts = group_of.bincount(minlength=len(names)).tolist()

    def total(log_prob: Tensor) -> Float64[Tensor, " g"]:
        """Sum of the nats of each group."""
        return torch.zeros(len(names), dtype=torch.float64).index_add_(0, group_of, -log_prob.double())

    student = total(joined["log_prob"]).tolist()
    teacher = (
        total(joined["teacher_log_prob"]).tolist() if "teacher_log_prob" in joined else [None] * len(student)
    )
    return list(zip(names.tolist(), counts, student, teacher, strict=True))
