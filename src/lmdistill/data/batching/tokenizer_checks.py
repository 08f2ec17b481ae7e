"""Check of the maximum input length of a tokenizer, and its fingerprint."""

import json
from weakref import WeakKeyDictionary

from transformers import PreTrainedTokenizerBase

from lmdistill.core.errors import ConfigError
from lmdistill.core.fingerprint import fingerprint

LARGEST = 2**31 - 1
"""Longest input that tokenizers can count."""

CHARACTERS_PER_TOKEN = 1000
"""Characters that a token can have on average in a text that is cut before it is tokenized, which is safe."""

_FINGERPRINTS: WeakKeyDictionary[PreTrainedTokenizerBase, dict[tuple[object, ...], str]] = WeakKeyDictionary()
"""Cached fingerprints: tokenizer -> (vocabulary size and settings) -> fingerprint."""


def check_max_length(
    tokenizer: PreTrainedTokenizerBase, max_length: int, *, pair: bool, positions: int | None = None
) -> None:
    """Check that a maximum length leaves room for text and is not above the model's own maximum.

    Args:
        tokenizer: The tokenizer of the model.
        max_length: Maximum number of tokens of an example, special tokens included.
        pair: Whether an example consists of two texts.
        positions: Number of positions that the model has embeddings for; None if it has no such limit.

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
    most = longest_input(tokenizer, positions)
    if max_length > most:
        raise ConfigError(
            f"max_length is {max_length} and the model reads at most {most} tokens. "
            f"Set max_length to {most} or less."
        )


def longest_input(tokenizer: PreTrainedTokenizerBase, positions: int | None) -> int:
    """Maximum number of tokens of an input: that of the tokenizer, or of the model if it is smaller.

    Args:
        tokenizer: States no maximum if it was saved without one.
        positions: Number of positions that the model has embeddings for; None if it has no such limit.
    """
    most = min(int(tokenizer.model_max_length), LARGEST)
    return most if positions is None else min(most, positions)


def cut_text(text: str, max_length: int) -> str:
    """The part of a text that can be among its first `max_length` tokens, with a wide margin.

    A text of 200 MB would take gigabytes in a tokenizer, which cuts only after it has read all of it.
    """
    return text[: max_length * CHARACTERS_PER_TOKEN]


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
