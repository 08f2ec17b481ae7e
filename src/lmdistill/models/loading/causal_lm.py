"""Loading of causal language models."""

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
    """Whether `source` is a causal language model, as opposed to an encoder or a classifier.

    Args:
        source: Folder, hub id, or a key of `PACKAGED`.
        trust_remote_code: Run code that comes with the model.

    Raises:
        ModelError: If its configuration cannot be loaded.
    """
    return is_causal_lm_config(find_config(resolve(source), trust_remote_code=trust_remote_code))


def load_causal(
    source: str | Path,
    *,
    dtype: torch.dtype | Literal["auto"] = torch.float32,
    trust_remote_code: bool = False,
    allow_pickle: bool = False,
) -> LanguageNetwork:
    """Load a causal language model, in evaluation mode.

    If the tokenizer has no padding token, its end token is used for padding. The end token is still learned
    at the end of texts, because masks exclude padding from the loss.

    Args:
        source: Folder, hub id, or a key of `PACKAGED`.
        dtype: Dtype of the weights: torch.float32, torch.bfloat16, or "auto", which uses the dtype in
            `config.json` if it is bfloat16, else float32. Use float32 for training.
        trust_remote_code: Run code that comes with the model.
        allow_pickle: Load weights that were saved as pickles, which can run code.

    Returns:
        A network with its tokenizer.

    Raises:
        ModelError: If the model cannot be loaded, is not a causal language model, has a tokenizer without an
            end token, or computes its logits in an unsupported way.
        ConfigError: If `dtype` is another value.
        MissingExtraError: If it is a packaged model and its package is not installed.
    """
    if dtype not in (torch.float32, torch.bfloat16, "auto"):
        raise ConfigError(f"dtype must be torch.float32, torch.bfloat16 or 'auto', got {dtype}.")
    location = resolve(source)
    config = read_causal_lm_config(location, trust_remote_code=trust_remote_code)
    require_weights(location, allow_pickle=allow_pickle)
    model, tokenizer, lacking = read_pretrained(
        AutoModelForCausalLM,
        location,
        config,
        dtype=_configured_dtype(config) if dtype == "auto" else dtype,
        trust_remote_code=trust_remote_code,
        allow_pickle=allow_pickle,
    )
    require_complete(location, lacking)
    _prepare_special_tokens(location, tokenizer)
    network = LanguageNetwork(model.eval(), tokenizer, source=str(source))
    require_known_output(network)
    return network


def load_tokenizer(source: str | Path, *, trust_remote_code: bool = False) -> Any:
    """Load a tokenizer without a model, for a student with random weights.

    Args:
        source: Folder, hub id, or a key of `PACKAGED`.
        trust_remote_code: Run code that comes with the tokenizer.

    Raises:
        ModelError: If there is no tokenizer, or it has no end token.
    """
    location = resolve(source)
    require_folder_or_hub_id(location)
    tokenizer = read_tokenizer(location, trust_remote_code=trust_remote_code)
    _prepare_special_tokens(location, tokenizer)
    return tokenizer


def _configured_dtype(config: Any) -> torch.dtype:
    """The dtype in a configuration if it is bfloat16, else float32."""
    dtype = config.get_text_config().dtype or config.dtype
    return torch.bfloat16 if dtype == torch.bfloat16 else torch.float32


def _prepare_special_tokens(location: str, tokenizer: Any) -> None:
    """Check that there is an end token, and use it for padding if there is no padding token."""
    if tokenizer.eos_token_id is None:
        also_missing = "" if tokenizer.pad_token_id is not None else " and no padding token"
        raise ModelError(
            f"the tokenizer of {location} has no end token{also_missing}, so texts would have no end. Set "
            "one, as in tokenizer.eos_token = '</s>', and save it there."
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
        log.info("the tokenizer of %s has no padding token; padding with %s", location, tokenizer.eos_token)
