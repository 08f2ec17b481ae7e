"""What stands in for a teacher that is not one network: recorded answers, several models, a prompted one."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from lmdistill.core.batch import Inputs, Outputs
from lmdistill.models.classifier import Network
from lmdistill.runs.classification.costs import TimedNetwork


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
