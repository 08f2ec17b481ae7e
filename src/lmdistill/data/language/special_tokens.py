"""Special tokens: the ids of the begin, end and padding token, and where they are added."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from lmdistill.core.errors import DataError


def eos_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """The id of the end token.

    Raises:
        DataError: The tokenizer has no end token.
    """
    if tokenizer.eos_token_id is None:
        name = tokenizer.name_or_path or type(tokenizer).__name__
        raise DataError(
            f"the tokenizer of {name} has no end token, so a model cannot learn where to stop. "
            "Set eos_token in its tokenizer_config.json."
        )
    return int(tokenizer.eos_token_id)


def pad_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token id that fills short rows: the padding token, or the end token if there is none."""
    return eos_id(tokenizer) if tokenizer.pad_token_id is None else int(tokenizer.pad_token_id)


def bos_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The token ids that the tokenizer adds before a text: its begin token, or none."""
    plain: list[int] = tokenizer("a", add_special_tokens=False)["input_ids"]
    complete: list[int] = tokenizer("a")["input_ids"]
    starts = range(len(complete) - len(plain) + 1)
    return next((complete[:n] for n in starts if complete[n : n + len(plain)] == plain), [])


def with_begin(ids: Sequence[int], begin: Sequence[int]) -> list[int]:
    """Token ids after the begin token, which is not added again if they have it already.

    Examples:
        >>> with_begin([5, 6], [1]), with_begin([1, 5, 6], [1])
        ([1, 5, 6], [1, 5, 6])
    """
    return [*ids] if list(ids[: len(begin)]) == list(begin) else [*begin, *ids]
