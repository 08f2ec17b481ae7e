"""LoRA: training of low-rank adapters, which are merged into the weights when the model is saved."""

import copy
import importlib.util
from typing import Any

import torch
from transformers.pytorch_utils import Conv1D

from lmdistill.core.errors import ConfigError, MissingExtraError
from lmdistill.core.seeding import derive
from lmdistill.models.causal_lm import AnyNetwork, LanguageNetwork


def add_lora(
    network: LanguageNetwork, *, rank: int = 8, alpha: int = 16, dropout: float = 0.0, seed: int = 0
) -> LanguageNetwork:
    r"""Freeze a network in place and add low-rank adapters to all linear layers except the output layer.

    .. math:: W x + \frac{\alpha}{r} B A x, \quad A \in R^{r \times in}, B \in R^{out \times r}

    B is initialised with zeros, so the adapters do not change the outputs at first.

    Args:
        network: A student; its parameters are frozen.
        rank: Rank r of the adapters, >= 1.
        alpha: Scaling, >= 1; the output of an adapter is multiplied by alpha / r.
        dropout: Dropout probability on the inputs of the adapters, in [0, 1).
        seed: Seed of the initialisation of A. The state of torch's random generators does not change.

    Returns:
        The same network. It is saved without adapters: see `merge_lora`.

    Raises:
        ConfigError: A setting is out of range, or the network already has adapters.
        MissingExtraError: peft is not installed.

    References:
        Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2022, section 4. Deviation: all
        linear layers have adapters, where the paper adapts only queries and values.
    """
    _require_settings(network, rank, alpha, dropout)
    if importlib.util.find_spec("peft") is None:
        raise MissingExtraError("LoRA needs peft, which is not installed. Run: pip install lmdistill[lora]")
    from peft import LoraConfig, inject_adapter_in_model

    model = network.model
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules="all-linear",
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
    )
    training = network.training
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive(seed, "adapters"))
        inject_adapter_in_model(config, model)
    network.train(training)  # new modules are in training mode
    return network


def has_lora(network: Any) -> bool:
    """Whether a network has LoRA adapters."""
    return any(hasattr(module, "lora_A") for module in network.modules())


def merge_lora(network: AnyNetwork) -> AnyNetwork:
    """Merge adapters into the weights: W becomes W + alpha / r * B A.

    Args:
        network: A network with or without adapters; not changed.

    Returns:
        A copy that computes the same outputs without adapters, or `network` itself if it has none.
    """
    if not has_lora(network):
        return network
    model: Any = copy.deepcopy(network.model)
    for name, module in list(model.named_modules()):
        if hasattr(module, "lora_A"):
            module.merge()
            model.set_submodule(name, module.get_base_layer())
    del model.peft_config
    model.requires_grad_(True)
    return network.with_model(model, source=network.source)


def _require_settings(network: LanguageNetwork, rank: int, alpha: int, dropout: float) -> None:
    """Check the ranges of the settings, and that there are no adapters yet."""
    if rank < 1:
        raise ConfigError(f"rank must be >= 1, got {rank}.")
    if alpha < 1:
        raise ConfigError(f"alpha must be >= 1, got {alpha}.")
    if not 0 <= dropout < 1:
        raise ConfigError(f"dropout must be in [0, 1), got {dropout}.")
    if has_lora(network):
        raise ConfigError(f"{network.source} already has LoRA adapters. Merge them first, with merge_lora.")
