"""What the last stage of a schedule must know of those before it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

from lmdistill.engine.callbacks import FitResult
from lmdistill.models.causal_lm import AnyNetwork
from lmdistill.records.schema import ScheduleFacts


@dataclass(frozen=True, kw_only=True)
class Lineage(Generic[AnyNetwork]):
    """How a student came to the last stage of its schedule."""

    reference: AnyNetwork | None
    """The first teacher, whom the student is compared with, whoever it learns from."""

    account: Callable[[FitResult], ScheduleFacts] | None = None
    """What the last stage did to the facts of all stages; None before the last."""

    trained: FitResult | None = None
    """What the student has learned already, where there is no last stage."""


def accounted(route: Lineage[AnyNetwork] | None, last: FitResult) -> ScheduleFacts | None:
    """The facts of all stages, once the last is over; None for a stage that stands alone or before others."""
    if route is None or route.account is None:
        return None
    return route.account(last)
