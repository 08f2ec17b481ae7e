"""Names and folders to language networks."""

import logging
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import AutoModelForCausalLM

from lmdistill.core.errors import ConfigError, ModelError
from lmdistill.models.causal_lm import LanguageNetwork, require_known_output
from lmdistill.models.loading.from_pretrained import read_pretrained, read_tokenizer, require_complete
from lmdistill.models.loading.resolve import (
    find_config,
    is_causal_lm_config,
    read_causal_lm_config,
    require_folder_or_hub_id,
    require_weights,
    resolve,
)

log = logging.getLogger("lmdistill")


def is_causal(source: str | Path, *, trust_remote_code: bool = False) -> bool:
    """Whether `source` is a causal language model, and not an encoder or a classifier.

    Raises:
        ModelError: If it cannot be found.
    """
    return is_causal_lm_config(find_config(resolve(source), trust_remote_code=trust_remote_code))


def load_causal(
    source: str | Path,
    *,
    dtype: torch.dtype | Literal["auto"] = torch.float32,
    trust_remote_code: bool = False,
    allow_pickle: bool = False,
) -> LanguageNetwork:
    """The causal language model in `source`, in evaluation mode.

    A tokenizer without a padding token pads with its end token from then on. Masks say what counts, so the
    end token is still learned where it stands in a text.

    Args:
        source: Folder, hub id, or a key of `PACKAGED`.
        dtype: Of the weights: torch.float32, torch.bfloat16, or "auto" for bfloat16 where the model's
            configuration says so and float32 elsewhere. What is trained should be float32.
        trust_remote_code: Run code that comes with the model.
        allow_pickle: Load weights that were saved as pickles, which can run code.

    Returns:
        A network with its tokenizer.

    Raises:
        ModelError: If it cannot be found or loaded, and what to do; if it is no causal language model, its
            tokenizer has no end token, or its logits are computed in a way that is not known.
        ConfigError: For another dtype.
        MissingExtraError: For a packaged model whose package is not installed.
    """
    if dtype not in (torch.float32, torch.bfloat16, "auto"):
        raise ConfigError(f"dtype must be torch.float32, torch.bfloat16 or 'auto', got {dtype}.")
    place = resolve(source)
    config = read_causal_lm_config(place, trust_remote_code=trust_remote_code)
    require_weights(place, allow_pickle=allow_pickle)
    model, tokenizer, lacking = read_pretrained(
        AutoModelForCausalLM,
        place,
        config,
        dtype=_stored(config) if dtype == "auto" else dtype,
        trust_remote_code=trust_remote_code,
        allow_pickle=allow_pickle,
    )
    require_complete(place, lacking)
    _require_ends(place, tokenizer)
    network = LanguageNetwork(model.eval(), tokenizer, source=str(source))
    require_known_output(network)
    return network


def load_tokenizer(source: str | Path, *, trust_remote_code: bool = False) -> Any:
    """A tokenizer alone, for a model that begins with random weights.

    Args:
        source: Folder or hub id.
        trust_remote_code: Run code that comes with the tokenizer.

    Raises:
        ModelError: If there is none, or it has no end token.
    """
    place = resolve(source)
    require_folder_or_hub_id(place)
    tokenizer = read_tokenizer(place, trust_remote_code=trust_remote_code)
    _require_ends(place, tokenizer)
    return tokenizer


def _stored(config: Any) -> torch.dtype:
    """The precision that a configuration names, if it is one of the two that are used here."""
    found = config.get_text_config().dtype or config.dtype
    return torch.bfloat16 if found == torch.bfloat16 else torch.float32


def _require_ends(place: str, tokenizer: Any) -> None:
    """A token that ends a text, and one to pad with."""
    if tokenizer.eos_token_id is None:
        also = "" if tokenizer.pad_token_id is not None else " and no padding token"
        raise ModelError(
            f"the tokenizer of {place} has no end token{also}, so nothing says where a text stops. Set one, "
            "as in tokenizer.eos_token = '</s>', and save it there."
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
        log.info("the tokenizer of %s has no padding token; %s pads", place, tokenizer.eos_token)
