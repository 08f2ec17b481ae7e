"""Learning rate and epochs of a language model by its size, where a recipe leaves them open."""

from collections.abc import Mapping
from types import MappingProxyType

RATES: Mapping[float, tuple[float, float]] = MappingProxyType(
    {1e6: (3e-3, 3e-3), 1e7: (1e-3, 1e-3), 1e8: (6e-4, 2e-4), 1e9: (3e-4, 5e-5)}
)
"""Largest number of parameters in layers -> learning rates of random and of trained weights."""

LARGE = (2e-4, 2e-5)
"""Learning rates of larger networks; 2e-5 is that of ATKD's released script."""

FEW, MANY = 3, 10
"""Epochs: those of ATKD's released script, and those of small networks with random weights."""

SMALL = 1e7
"""Largest number of parameters in layers of a small network."""


def default_rate(parameters: float, *, fresh: bool) -> float:
    """The learning rate of a network.

    A small network needs a larger rate: at 2e-5, one of 260,000 parameters stays worse than uniform guessing.

    Args:
        parameters: Parameters in the layers, without embeddings, > 0.
        fresh: Whether its weights are random, and not those of a trained network or some of its layers.

    Examples:
        >>> default_rate(2.5e5, fresh=False), default_rate(6.5e9, fresh=False)
        (0.003, 2e-05)
    """
    random, trained = next((rates for most, rates in RATES.items() if parameters <= most), LARGE)
    return random if fresh else trained


def default_epochs(parameters: float, *, fresh: bool) -> int:
    """The passes over the training set.

    Args:
        parameters: Parameters in the layers, without embeddings, > 0.
        fresh: Whether its weights are random.

    Examples:
        >>> default_epochs(2.5e5, fresh=True), default_epochs(2.5e5, fresh=False)
        (10, 3)
    """
    return MANY if fresh and parameters <= SMALL else FEW
