"""Completions that a language network writes."""

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
    """What the network writes after each prompt.

    Prompts of similar length share a batch, padded on the left; a batch whose longest prompt leaves less
    than `max_new` of the model's positions ends there. Settings that the model brings for its own
    generations, such as penalties, do not count. Ids that stand for no token are never written.

    Args:
        network: Its training mode and torch's generators (of the CPU and of its device) are as before.
        prompts: Token ids, at least one each.
        max_new: Longest completion in tokens, >= 1.
        temperature: >= 0; 0 always takes the most likely token.
        top_p: In (0, 1]; sample only from the most likely tokens that together have this probability.
        seed: Any integer; the same one samples the same completions of the same prompts.
        batch_size: Prompts at a time, >= 1.

    Returns:
        Token ids of each completion, in the order of the prompts, with the end token where it was written.

    Raises:
        ConfigError: A setting is out of its range.
        DataError: A prompt is empty, or fills all positions of the model.
    """
    require_generation_settings(max_new=max_new, temperature=temperature, top_p=top_p, batch_size=batch_size)
    limit = max_positions(network)
    _require_room(prompts, limit, network.source)
    order = sorted(range(len(prompts)), key=lambda number: -len(prompts[number]))
    written: dict[int, list[int]] = {}
    with (
        _writing(network, temperature, top_p) as device,
        progress("writing", len(prompts), unit="text", minor=True) as shown,
    ):
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            room = min(max_new, limit - len(prompts[batch[0]]))
            with _seeded(device, derive(seed, "completions", start)):
                rows = _completed(network, [prompts[number] for number in batch], room)
            written.update(zip(batch, rows, strict=True))
            shown.update(len(written))
    return [written[number] for number in range(len(prompts))]


def end_token_ids(network: LanguageNetwork) -> tuple[int, ...]:
    """Ids that end a text: the tokenizer's end token first, then others that the model's authors name."""
    more = network.model.generation_config.eos_token_id if network.model.can_generate() else None
    named = [] if more is None else [more] if isinstance(more, int) else list(more)
    return tuple(dict.fromkeys([network.tokenizer.eos_token_id, *named]))


def max_positions(network: LanguageNetwork) -> int:
    """How long a text the model can read."""
    return int(
        getattr(network.model.config.get_text_config(), "max_position_embeddings", None) or sys.maxsize
    )


def require_generation_settings(
    *, max_new: int, temperature: float = 0.0, top_p: float = 1.0, batch_size: int = 1
) -> None:
    """Refuse a setting of `generate_completions` that is out of its range."""
    for name, value in (("max_new", max_new), ("batch_size", batch_size)):
        if value < 1:
            raise ConfigError(f"{name} must be >= 1, got {value}.")
    if temperature < 0:
        raise ConfigError(f"temperature must be >= 0, got {temperature}.")
    if not 0 < top_p <= 1:
        raise ConfigError(f"top_p must be in (0, 1], got {top_p}.")


@contextmanager
def _writing(network: LanguageNetwork, temperature: float, top_p: float) -> Iterator[torch.device]:
    """Evaluation mode and our settings instead of those that came with the model; both are put back."""
    model: Any = network.model
    own, modes = model.generation_config, [(module, module.training) for module in network.modules()]
    nothing = list(range(min(network.vocabulary, tokenizer_size(network.tokenizer)), network.rows))
    settings: dict[str, Any] = {
        "do_sample": temperature > 0,
        "eos_token_id": list(end_token_ids(network)),
        "pad_token_id": network.tokenizer.pad_token_id,
        "suppress_tokens": nothing or None,
    }
    if temperature > 0:
        settings |= {"temperature": temperature, "top_p": top_p, "top_k": 0}
    model.generation_config = GenerationConfig.from_dict(settings)
    network.eval()
    try:
        with quiet():
            yield model.device
    finally:
        model.generation_config = own
        for module, training in modes:
            module.training = training


@contextmanager
def _seeded(device: torch.device, seed: int) -> Iterator[None]:
    """Torch's generators, of the CPU and of `device`, begin at `seed` and are put back."""
    there = [] if device.type == "cpu" else [device]
    with torch.random.fork_rng(devices=there, device_type=device.type if there else "cuda"):
        torch.manual_seed(seed)
        yield


def _completed(network: LanguageNetwork, prompts: list[list[int]], max_new: int) -> list[list[int]]:
    """The completions of one batch, each up to and with its end token."""
    width, pad = max(map(len, prompts)), network.tokenizer.pad_token_id
    model: Any = network.model
    ids = torch.tensor([[pad] * (width - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    found = model.generate(
        input_ids=ids.to(model.device), attention_mask=mask.to(model.device), max_new_tokens=max_new
    )
    ends = set(end_token_ids(network))
    return [_until(row, ends) for row in found[:, width:].tolist()]


def _until(row: list[int], ends: set[int]) -> list[int]:
    """A row up to and with its first end token; what stands behind it is padding."""
    stop = next((at for at, token in enumerate(row) if token in ends), len(row))
    return row[: stop + 1]


def _require_room(prompts: Sequence[list[int]], limit: int, name: str) -> None:
    """A prompt has tokens, and leaves a position free."""
    for number, prompt in enumerate(prompts):
        if not prompt:
            raise DataError(f"prompt {number} has no tokens. Leave it out, or begin it with the start token.")
        if len(prompt) >= limit:
            raise DataError(
                f"prompt {number} has {len(prompt)} tokens, and {name} reads at most {limit}. Shorten it, or "
                "leave it out."
            )
