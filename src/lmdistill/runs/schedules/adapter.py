"""What schedules need of a kind of network: how its models are loaded, judged and timed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from lmdistill.core.batch import Batch
from lmdistill.core.protocols import Method, Net
from lmdistill.data.batching.dataloader import BatchLoader
from lmdistill.engine.training_settings import Training
from lmdistill.models.causal_lm import AnyNetwork
from lmdistill.recipes.pruning import Pruning
from lmdistill.records.record import Record


@dataclass(frozen=True, kw_only=True)
class ScheduleAdapter(Generic[AnyNetwork]):
    """Functions for networks of one kind on the data of one run."""

    feed: Callable[[Method, Training, AnyNetwork], BatchLoader]
    """The training batches of a run, as its student and this teacher read them."""

    metric: str
    """Name of the dev metric that candidates are judged by."""

    judge: Callable[[Net], float]
    """That metric of a network, in [0, 1] unless the network is useless."""

    judged: Callable[[Record], float]
    """That metric of a finished run."""

    load: Callable[[Path], AnyNetwork]
    """The network saved in a folder."""

    time: Callable[[Mapping[str, AnyNetwork]], Mapping[str, float]]
    """Median latency in milliseconds of one example by network, measured in turn; may be empty."""

    batches: Callable[[Pruning], Iterable[Batch]]
    """The rows on which the importance of heads and neurons is measured."""

    data: str
    """Fingerprint of the data and of how they are cut into tokens."""
