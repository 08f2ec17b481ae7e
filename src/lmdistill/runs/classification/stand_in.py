"""What stands in for a teacher that is not one network: recorded answers, several models, a prompted one."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from lmdistill.core.batch import Inputs, Outputs
from lmdistill.models.classifier import Network
from lmdistill.records.schema import NetworkFacts
from lmdistill.runs.classification.costs import TimedNetwork, summed


@runtime_checkable
class StandIn(Protocol):
    """A teacher whose logits for the texts of a task are known; has the attributes of a network (`Net`)."""

    @property
    def num_layers(self) -> int:
        """0: it has no layers that could be compared."""
        ...

    @property
    def width(self) -> int:
        """0: it has no hidden states that could be compared."""
        ...

    @property
    def num_classes(self) -> int:
        """Number of outputs."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes in the order of the logits."""
        ...

    @property
    def fingerprint(self) -> str:
        """Fingerprint of everything that its logits depend on, apart from the texts."""
        ...

    @property
    def reader(self) -> Network | None:
        """The network in whose tokens it can be run on new inputs; None if it cannot."""
        ...

    def train_logits(self) -> Float[np.ndarray, "n v"]:
        """Logits for the training texts, NaN without an answer. All processes have to ask for them."""
        ...

    def dev_logits(self) -> Mapping[str, Float[np.ndarray, "n v"]] | None:
        """Logits by dev split; None unless they are known for every dev text."""
        ...

    def parts(self) -> Sequence[TimedNetwork]:
        """The networks that are all run for an example, for its cost; none if nothing is run."""
        ...

    def facts(self) -> Mapping[str, Any]:
        """Fields of the record by name."""
        ...

    def __call__(self, inputs: Inputs, *, hidden: bool = False) -> Outputs:
        """Run it on new inputs.

        Raises:
            MismatchError: If it cannot be run on them, or its hidden states are asked for.
        """
        ...


def cost_of_teacher(parts: Sequence[NetworkFacts], stand_in: StandIn | None) -> NetworkFacts | None:
    """The cost of a teacher from that of its networks; None if none is run."""
    if not parts or stand_in is None:
        return parts[0] if parts else None
    source = parts[0].source if len(parts) == 1 else f"an ensemble of {len(parts)} models"
    return summed(parts, source=source, fingerprint=stand_in.fingerprint)
