"""Students with random weights and the architecture of another network."""

import copy
from typing import Any

import torch

from lmdistill.core.seeding import derive
from lmdistill.models.causal_lm import AnyNetwork
from lmdistill.models.pruning.slicing import materialise_view


def random_init(network: AnyNetwork, *, seed: int) -> AnyNetwork:
    """A network with the architecture, tokenizer and labels of another one, and new random weights.

    Args:
        network: Network with the architecture to use, for example a truncated teacher; not changed.
        seed: Seed of the weights, any integer. The state of torch's random generators does not change.

    Returns:
        A network in evaluation mode that shares only the tokenizer with `network`.
    """
    network = materialise_view(network)
    with torch.random.fork_rng(devices=[]):  # weights are initialised on the CPU
        torch.default_generator.manual_seed(derive(seed, "weights"))
        model: Any = type(network.model)(copy.deepcopy(network.model.config))
    if model.can_generate():
        model.generation_config = copy.deepcopy(network.model.generation_config)
    return network.with_model(model.eval(), source=f"random weights in the shape of {network.source}")
