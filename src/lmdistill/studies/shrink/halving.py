"""Successive halving: many shapes are trained for a short time, the best ones longer, two of them in full."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

ETA = 3
"""From one round to the next, a third of the shapes is trained for three times as long."""

FINALISTS = 2
"""Shapes that are trained in full."""

MOST_ROUNDS = 2
"""Short rounds before that, at most."""

Name = TypeVar("Name")


@dataclass(frozen=True, kw_only=True)
class Round:
    """One round of the search."""

    fraction: float
    """Share of the full training's steps, in (0, 1]."""

    survivors: int
    """Shapes that go on to the next round; those that are trained in full all stay."""

    deadline: float
    """Share of the hours that may be used up at its end, in (0, 1]."""


def rounds(shapes: int) -> tuple[Round, ...]:
    """The rounds for a number of shapes; the last one is the full training.

    Args:
        shapes: Number of shapes, >= 1.

    References:
        Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization",
        2016, algorithm 1, with a third instead of a half and two arms at the end. A round begins its
        training anew, since the learning rate of a shorter training has ended at 0.

    Examples:
        >>> [(round(one.fraction, 3), one.survivors) for one in rounds(10)]
        [(0.111, 4), (0.333, 2), (1.0, 2)]
        >>> [one.fraction for one in rounds(2)]
        [1.0]
    """
    count = 0 if shapes <= FINALISTS else math.ceil(math.log(shapes / FINALISTS, ETA))
    count = min(MOST_ROUNDS, count)
    found, left = list[Round](), shapes
    for number in range(count):
        left = FINALISTS if number == count - 1 else max(FINALISTS, math.ceil(left / ETA))
        found.append(
            Round(
                fraction=ETA ** (number - count),
                survivors=left,
                deadline=(number + 1) / (2 * count),  # half of the hours is left for the full training
            )
        )
    return (*found, Round(fraction=1.0, survivors=left, deadline=1.0))


def best(
    scores: Mapping[Name, float], count: int, order: Sequence[Name], losses: Mapping[Name, float]
) -> list[Name]:
    """The names with the highest scores, at most `count`.

    Of equal scores the lower loss is better: after a short training several shapes may still give every text
    the same answer, and the loss says which one has begun to learn. Then comes the order.

    Args:
        scores: By name, larger is better; NaN is worse than any number.
        count: How many, >= 1.
        order: All names, the preferred ones first.
        losses: Dev loss by name; a missing one is worse than any number.
    """

    def rank(name: Name) -> tuple[float, float]:
        score, loss = scores[name], losses.get(name, math.nan)
        worst = math.inf
        return -score if math.isfinite(score) else worst, loss if math.isfinite(loss) else worst

    return sorted((name for name in order if name in scores), key=rank)[:count]
