"""Students that begin with random weights."""

import copy
from typing import Any

import torch

from lmdistill.core.seeding import derive
from lmdistill.models.causal_lm import AnyNetwork
from lmdistill.models.pruning.slicing import materialise_view


def random_init(network: AnyNetwork, *, seed: int) -> AnyNetwork:
    """A network of the same shape, tokenizer and labels with new random weights.

    Args:
        network: What to take the shape of, for example a truncated teacher; not changed.
        seed: Any integer; the same one gives the same weights. Torch's own generators stay where they were.

    Returns:
        A network that shares nothing with `network` but its tokenizer, in evaluation mode.
    """
    network = materialise_view(network)
    with torch.random.fork_rng(devices=[]):  # weights are drawn on the CPU
        torch.default_generator.manual_seed(derive(seed, "weights"))
        model: Any = type(network.model)(copy.deepcopy(network.model.config))
    if model.can_generate():
        model.generation_config = copy.deepcopy(network.model.generation_config)
    return network.with_model(model.eval(), source=f"random weights in the shape of {network.source}")
