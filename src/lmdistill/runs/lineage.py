"""What the last stage of a schedule must know of the stages before it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

from lmdistill.engine.callbacks import FitResult
from lmdistill.models.causal_lm import AnyNetwork
from lmdistill.records.schema import ScheduleFacts


@dataclass(frozen=True, kw_only=True)
class Lineage(Generic[AnyNetwork]):
    """How a student came to its stage of a schedule."""

    reference: AnyNetwork | None
    """The first teacher of the schedule; students are compared with it, whichever assistant taught them."""

    facts: Callable[[FitResult], ScheduleFacts] | None = None
    """From the result of the last stage to the facts of all stages; None for stages before the last."""

    trained: FitResult | None = None
    """The training that the student has already had, if the last stage trains it no further."""


def schedule_facts(lineage: Lineage[AnyNetwork] | None, last: FitResult) -> ScheduleFacts | None:
    """The facts of all stages, once the last is over; None without a schedule and for earlier stages."""
    if lineage is None or lineage.facts is None:
        return None
    return lineage.facts(last)
