"""What schedules ask of a kind of network: classifiers, or models that write text."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

from lmdistill.core.batch import Batch
from lmdistill.core.protocols import Method, Net
from lmdistill.data.batching.dataloader import BatchLoader
from lmdistill.engine.training_settings import Training
from lmdistill.models.causal_lm import AnyNetwork
from lmdistill.recipes.pruning import Pruning
from lmdistill.records.record import Record


@dataclass(frozen=True, kw_only=True)
class ScheduleAdapter(Generic[AnyNetwork]):
    """What can be done with networks of one kind, on the data of one run."""

    run: Callable[[Any], Record]
    """Train, judge and record a stage of this kind."""

    feed: Callable[[Method, Training, AnyNetwork], BatchLoader]
    """The batches of a run, as its student and this teacher read them."""

    metric: str
    """What candidates are judged by."""

    judge: Callable[[Net], float]
    """That metric on dev, in [0, 1] where the network is of any use."""

    judged: Callable[[Record], float]
    """The same of a finished run."""

    load: Callable[[Path], AnyNetwork]
    """A saved network."""

    time: Callable[[Mapping[str, AnyNetwork]], Mapping[str, float]]
    """Median milliseconds of networks for one example, measured in turn; empty where it is not measured."""

    batches: Callable[[Pruning], Iterable[Batch]]
    """The rows on which importance is measured."""

    data: str
    """Fingerprint of the data, and of how they are cut into tokens."""
