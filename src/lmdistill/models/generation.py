"""Text generation with language models."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from transformers import GenerationConfig

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.core.progress import progress
from lmdistill.core.seeding import derive
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.models.quiet_transformers import quiet
from lmdistill.models.vocabulary import tokenizer_size


def generate_completions(
    network: LanguageNetwork,
    prompts: Sequence[list[int]],
    *,
    max_new: int,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 0,
    batch_size: int = 16,
) -> list[list[int]]:
    """Generate a completion of each prompt.

    Prompts of similar length are batched and padded on the left. Completions are shorter than `max_new` in
    a batch whose longest prompt leaves fewer positions of the model free. Generation settings saved with the
    model, such as penalties, are ignored. Ids that correspond to no token are never generated.

    Args:
        network: Network in any mode. Its mode and the random generators of torch (of the CPU and of the
            network's device) are restored afterwards.
        prompts: Token ids of the prompts, at least one id each.
        max_new: Maximum length of a completion in tokens, >= 1.
        temperature: Sampling temperature, >= 0; 0 selects the most likely token (greedy decoding).
        top_p: Nucleus sampling: sample from the most likely tokens with this total probability, in (0, 1].
        seed: Seed of the sampling, any integer.
        batch_size: Number of prompts per batch, >= 1.

    Returns:
        Token ids of the completions, in the order of the prompts, including the end token if it was
        generated.

    Raises:
        ConfigError: A setting is out of range.
        DataError: A prompt is empty, or as long as the model's maximum number of positions.
    """
    require_generation_settings(max_new=max_new, temperature=temperature, top_p=top_p, batch_size=batch_size)
    limit = max_positions(network)
    _require_valid_prompts(prompts, limit, network.source)
    order = sorted(range(len(prompts)), key=lambda number: -len(prompts[number]))
    completions: dict[int, list[int]] = {}
    with (
        _generating(network, temperature, top_p) as device,
        progress("writing", len(prompts), unit="text", minor=True) as progress_bar,
    ):
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            available = min(max_new, limit - len(prompts[batch[0]]))
            with _seeded(device, derive(seed, "completions", start)):
                rows = _generate_batch(network, [prompts[number] for number in batch], available)
            completions.update(zip(batch, rows, strict=True))
            progress_bar.update(len(completions))
    return [completions[number] for number in range(len(prompts))]


def end_token_ids(network: LanguageNetwork) -> tuple[int, ...]:
    """Ids that end a text: the tokenizer's end token, then those in the model's generation configuration."""
    configured = network.model.generation_config.eos_token_id if network.model.can_generate() else None
    others = [] if configured is None else [configured] if isinstance(configured, int) else list(configured)
    return tuple(dict.fromkeys([network.tokenizer.eos_token_id, *others]))


def max_positions(network: LanguageNetwork) -> int:
    """Maximum length of a text in tokens; `sys.maxsize` if the model has no limit."""
    return int(
        getattr(network.model.config.get_text_config(), "max_position_embeddings", None) or sys.maxsize
    )


def require_generation_settings(
    *, max_new: int, temperature: float = 0.0, top_p: float = 1.0, batch_size: int = 1
) -> None:
    """Check the settings of `generate_completions`; its docstring gives their ranges.

    Raises:
        ConfigError: A setting is out of range.
    """
    for name, value in (("max_new", max_new), ("batch_size", batch_size)):
        if value < 1:
            raise ConfigError(f"{name} must be >= 1, got {value}.")
    if temperature < 0:
        raise ConfigError(f"temperature must be >= 0, got {temperature}.")
    if not 0 < top_p <= 1:
        raise ConfigError(f"top_p must be in (0, 1], got {top_p}.")


@contextmanager
def _generating(network: LanguageNetwork, temperature: float, top_p: float) -> Iterator[torch.device]:
    """Use evaluation mode and these settings inside the block, then restore the mode and the settings."""
    model: Any = network.model
    saved, modes = model.generation_config, [(module, module.training) for module in network.modules()]
    unused_ids = list(range(min(network.vocabulary, tokenizer_size(network.tokenizer)), network.rows))
    settings: dict[str, Any] = {
        "do_sample": temperature > 0,
        "eos_token_id": list(end_token_ids(network)),
        "pad_token_id": network.tokenizer.pad_token_id,
        "suppress_tokens": unused_ids or None,
    }
    if temperature > 0:
        settings |= {"temperature": temperature, "top_p": top_p, "top_k": 0}
    model.generation_config = GenerationConfig.from_dict(settings)
    network.eval()
    try:
        with quiet():
            yield model.device
    finally:
        model.generation_config = saved
        for module, training in modes:
            module.training = training


@contextmanager
def _seeded(device: torch.device, seed: int) -> Iterator[None]:
    """Seed the random generators of the CPU and of `device` inside the block, then restore them."""
    devices = [] if device.type == "cpu" else [device]
    with torch.random.fork_rng(devices=devices, device_type=device.type if devices else "cuda"):
        torch.manual_seed(seed)
        yield


def _generate_batch(network: LanguageNetwork, prompts: list[list[int]], max_new: int) -> list[list[int]]:
    """The completions of one batch of prompts, without padding."""
    width, pad = max(map(len, prompts)), network.tokenizer.pad_token_id
    model: Any = network.model
    ids = torch.tensor([[pad] * (width - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    generated = model.generate(
        input_ids=ids.to(model.device), attention_mask=mask.to(model.device), max_new_tokens=max_new
    )
    end_ids = set(end_token_ids(network))
    return [_until_end(row, end_ids) for row in generated[:, width:].tolist()]


def _until_end(row: list[int], end_ids: set[int]) -> list[int]:
    """The ids up to and including the first end token; padding follows it."""
    end = next((position for position, token in enumerate(row) if token in end_ids), len(row))
    return row[: end + 1]


def _require_valid_prompts(prompts: Sequence[list[int]], limit: int, name: str) -> None:
    """Check that prompts are not empty and leave at least one position of the model free."""
    for number, prompt in enumerate(prompts):
        if not prompt:
            raise DataError(f"prompt {number} has no tokens. Leave it out, or begin it with the start token.")
        if len(prompt) >= limit:
            raise DataError(
                f"prompt {number} has {len(prompt)} tokens, and {name} reads at most {limit}. Shorten it, or "
                "leave it out."
            )
