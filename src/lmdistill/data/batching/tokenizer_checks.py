"""Check of the maximum input length of a tokenizer, and its fingerprint."""

import json
from weakref import WeakKeyDictionary

from transformers import PreTrainedTokenizerBase

from lmdistill.core.errors import ConfigError
from lmdistill.core.fingerprint import fingerprint

_FINGERPRINTS: WeakKeyDictionary[PreTrainedTokenizerBase, dict[tuple[object, ...], str]] = WeakKeyDictionary()
"""Cached fingerprints: tokenizer -> (vocabulary size and settings) -> fingerprint."""


def check_max_length(tokenizer: PreTrainedTokenizerBase, max_length: int, *, pair: bool) -> None:
    """Check that a maximum length leaves room for text and is not above the model's own maximum.

    Args:
        tokenizer: The tokenizer of the model.
        max_length: Maximum number of tokens of an example, special tokens included.
        pair: Whether an example consists of two texts.

    Raises:
        ConfigError: `max_length` is too small or too large.
    """
    special = tokenizer.num_special_tokens_to_add(pair=pair)
    lowest = max(3, special + (2 if pair else 1))
    if max_length < lowest:
        raise ConfigError(
            f"max_length is {max_length}; an example has {special} special tokens. "
            f"Set max_length to {lowest} or more."
        )
    if max_length > tokenizer.model_max_length:
        raise ConfigError(
            f"max_length is {max_length} and the model reads at most {tokenizer.model_max_length} tokens. "
            f"Set max_length to {tokenizer.model_max_length} or less."
        )


def tokenizer_fingerprint(tokenizer: PreTrainedTokenizerBase) -> str:
    """Fingerprint (16 hexadecimal digits) of how a tokenizer encodes texts.

    Truncation and padding settings of the last call are left out. The fingerprint is computed once for each
    tokenizer object and again when tokens are added, since serializing 30,000 entries takes 0.1 s.
    """
    key = (len(tokenizer), tokenizer.truncation_side, tuple(sorted(tokenizer.model_input_names)))
    cache = _FINGERPRINTS.setdefault(tokenizer, {})
    if key not in cache:
        cache[key] = _fingerprint(tokenizer)
    return cache[key]


def _fingerprint(tokenizer: PreTrainedTokenizerBase) -> str:
    """Compute the fingerprint."""
    if tokenizer.is_fast:
        state = json.loads(tokenizer.backend_tokenizer.to_str())
        state.pop("truncation", None)  # set by the last call
        state.pop("padding", None)
    else:
        state = [sorted(tokenizer.get_vocab().items()), repr(tokenizer.init_kwargs)]
    names = sorted(tokenizer.model_input_names)
    return fingerprint(type(tokenizer).__name__, state, names, tokenizer.truncation_side)
