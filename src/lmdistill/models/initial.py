"""Students that begin with random weights."""

from typing import Any

from lmdistill.core.seeding import seed_everything
from lmdistill.models.network import Network


def randomised(network: Network, *, seed: int) -> Network:
    """A network of the same shape, tokenizer and labels with new random weights, drawn from `seed`."""
    seed_everything(seed, "weights")
    model: Any = type(network.model)(network.model.config)
    return Network(model.eval(), network.tokenizer, source=f"random weights in the shape of {network.source}")
