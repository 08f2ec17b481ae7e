"""The longest input a tokenizer and its model allow, and the tokenizer's fingerprint."""

import json
from weakref import WeakKeyDictionary

from transformers import PreTrainedTokenizerBase

from lmdistill.core.errors import ConfigError
from lmdistill.core.fingerprint import fingerprint

_FINGERPRINTS: WeakKeyDictionary[PreTrainedTokenizerBase, dict[tuple[object, ...], str]] = WeakKeyDictionary()
"""Fingerprints that were computed before, by tokenizer and its state."""


def check_max_length(tokenizer: PreTrainedTokenizerBase, max_length: int, *, pair: bool) -> None:
    """Refuse a maximum that leaves no room for text, or that the model was not made for.

    Raises:
        ConfigError: With the maximum and the bound it breaks.
    """
    special = tokenizer.num_special_tokens_to_add(pair=pair)
    lowest = max(3, special + (2 if pair else 1))
    if max_length < lowest:
        raise ConfigError(
            f"max_length is {max_length}; an example has {special} special tokens here, "
            f"so it must be {lowest} or more."
        )
    if max_length > tokenizer.model_max_length:
        raise ConfigError(
            f"max_length is {max_length} and the model reads at most {tokenizer.model_max_length} tokens. "
            f"Set max_length to {tokenizer.model_max_length} or less."
        )


def tokenizer_fingerprint(tokenizer: PreTrainedTokenizerBase) -> str:
    """Sixteen hexadecimal digits that name what a tokenizer does, whatever it was last called with.

    Computed once for each tokenizer object, and again when tokens are added to it: serialising a vocabulary
    of 30,000 entries takes a tenth of a second.
    """
    key = (len(tokenizer), tokenizer.truncation_side, tuple(sorted(tokenizer.model_input_names)))
    known = _FINGERPRINTS.setdefault(tokenizer, {})
    if key not in known:
        known[key] = _fingerprint(tokenizer)
    return known[key]


def _fingerprint(tokenizer: PreTrainedTokenizerBase) -> str:
    """The fingerprint, computed."""
    if tokenizer.is_fast:
        state = json.loads(tokenizer.backend_tokenizer.to_str())
        state.pop("truncation", None)  # left over from the last call
        state.pop("padding", None)
    else:
        state = [sorted(tokenizer.get_vocab().items()), repr(tokenizer.init_kwargs)]
    names = sorted(tokenizer.model_input_names)
    return fingerprint(type(tokenizer).__name__, state, names, tokenizer.truncation_side)
