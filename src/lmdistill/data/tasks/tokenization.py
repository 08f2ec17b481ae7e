"""Tokenization of classification and regression examples, cached on disk."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from datasets import Dataset, Features, List, Value
from jaxtyping import Int
from transformers import PreTrainedTokenizerBase

from lmdistill.core.errors import DataError
from lmdistill.core.fingerprint import fingerprint
from lmdistill.core.progress import Progress, announce, progress
from lmdistill.data.batching.tokenizer_checks import check_max_length, cut_text, tokenizer_fingerprint
from lmdistill.data.files.checked_cache import checked
from lmdistill.data.files.progress_bars import without_bars

FORMAT = 1  # increase it when rows are encoded differently, so that older caches are not used
MANY_ROWS = 100_000
"""Number of rows from which on several processes are faster than the threads of a single one."""

MOST_PROCESSES = 8
"""Maximum number of processes that tokenize."""


@dataclass(frozen=True, kw_only=True)
class EncodedExamples:
    """Examples as token ids, and how many were truncated."""

    rows: Dataset = field(repr=False)
    """Columns input_ids, token_type_ids (if the tokenizer has them), label, length (tokens) and index."""

    truncated: float
    """Fraction of the rows, in [0, 1], that were longer than the maximum length and were truncated."""


def tokenize(
    tokenizer: PreTrainedTokenizerBase, first: list[str], second: list[str] | None, *, max_length: int
) -> dict[str, list[Any]]:
    """Token ids of texts or text pairs, truncated to `max_length`, not padded.

    Args:
        tokenizer: The tokenizer of the model.
        first: The texts, or the first text of each pair.
        second: The second text of each pair; None for single texts.
        max_length: Maximum number of tokens, special tokens included; the longer text of a pair is
            truncated first.

    Returns:
        input_ids, token_type_ids (if the tokenizer has them), length (number of tokens) and cut (whether the
        example was truncated), each with one entry per example.
    """
    first = [cut_text(text, max_length) for text in first]
    second = None if second is None else [cut_text(text, max_length) for text in second]
    encoded = tokenizer(
        first, second, truncation="longest_first", max_length=max_length, return_attention_mask=False
    )
    columns = {name: encoded[name] for name in ("input_ids", "token_type_ids") if name in encoded}
    if tokenizer.is_fast:  # fast tokenizers keep the truncated part, so nothing is tokenized twice
        cut = [bool(encoding.overflowing) for encoding in encoded.encodings]
    else:
        cut = [
            len(ids) > max_length
            for ids in tokenizer(first, second, return_attention_mask=False)["input_ids"]
        ]
    return {**columns, "length": [len(ids) for ids in encoded["input_ids"]], "cut": cut}


def _columns(
    batch: Mapping[str, list[Any]],
    tokenizer: PreTrainedTokenizerBase,
    pair: bool,
    max_length: int,
    shown: Progress | None = None,
) -> dict[str, list[Any]]:
    """The new columns of one batch, for `Dataset.map`."""
    second = batch["sentence2"] if pair else None
    found = tokenize(tokenizer, batch["sentence1"], second, max_length=max_length)
    if shown is not None:
        shown.add(len(found["length"]))
    return found


@contextmanager
def _one_thread_each(processes: int) -> Iterator[None]:
    """Limit each of several processes to one tokenizer thread; a single process may use all threads."""
    name, previous = "TOKENIZERS_PARALLELISM", os.environ.get("TOKENIZERS_PARALLELISM")
    if processes > 1:
        os.environ[name] = "false"
    try:
        yield
    finally:
        if previous is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = previous


def encode(
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_length: int = 128,
    pair: bool,
    positions: int | None = None,
    processes: int | None = None,
) -> EncodedExamples:
    """Tokenize all examples; the result is memory-mapped from the cache of `datasets`.

    The same examples, tokenizer and settings are tokenized only once.

    Args:
        dataset: Columns sentence1, sentence2, index and, if there are labels, label.
        tokenizer: The tokenizer of the model that will read the ids.
        max_length: Maximum number of tokens of an example, special tokens included; the longer text of a
            pair is truncated first.
        pair: Whether sentence2 is used.
        positions: Number of positions that the model has embeddings for; None if it has no such limit.
        processes: Number of processes, >= 1; None uses one below 100,000 rows, else one per processor, up
            to 8.

    Returns:
        Rows in the order of `dataset`, not padded, and the fraction that was truncated.

    Raises:
        ConfigError: `max_length` leaves no room for text, or is above the maximum of the model.
        DataError: The tokenizer makes no tokens of a text; those of encoders always add some.
    """
    check_max_length(tokenizer, max_length, pair=pair, positions=positions)
    if processes is None:
        processes = 1 if dataset.num_rows < MANY_ROWS else min(os.cpu_count() or 1, MOST_PROCESSES)
    keep = [name for name in ("label", "index") if name in dataset.column_names]
    kinds = {"input_ids": List(Value("int32")), "length": Value("int32"), "cut": Value("bool")}
    if "token_type_ids" in tokenizer.model_input_names:
        kinds["token_type_ids"] = List(Value("int8"))
    key = fingerprint(FORMAT, dataset._fingerprint, tokenizer_fingerprint(tokenizer), max_length, pair)
    if processes > 1:  # what they have done cannot be counted here
        announce(f"encoding {dataset.num_rows} rows in {processes} processes")
    with (
        without_bars(),
        _one_thread_each(processes),
        progress("encoding", dataset.num_rows, minor=True) as shown,
    ):
        rows = checked(
            lambda: dataset.with_format(None).map(
                _columns,
                batched=True,
                fn_kwargs={
                    "tokenizer": tokenizer,
                    "pair": pair,
                    "max_length": max_length,
                    "shown": None if processes > 1 else shown,
                },
                remove_columns=[name for name in dataset.column_names if name not in keep],
                features=Features({**{name: dataset.features[name] for name in keep}, **kinds}),
                num_proc=processes if processes > 1 else None,
                new_fingerprint=key,
                desc="encode",
            )
        )
    columns = rows.select_columns(["cut", "length"]).with_format("numpy")[:]
    cut, lengths = (np.asarray(columns[name]) for name in ("cut", "length"))
    _require_tokens(lengths)
    return EncodedExamples(rows=rows.remove_columns("cut"), truncated=float(cut.mean()) if len(cut) else 0.0)


def _require_tokens(lengths: Int[np.ndarray, " b"]) -> None:
    """Check that every example has a token."""
    if (lengths == 0).any():
        raise DataError(
            f"{int((lengths == 0).sum())} of {len(lengths)} texts have no tokens, such as row "
            f"{int(lengths.argmin())} (counted from 0): they are empty, or the tokenizer is not the model's. "
            "Remove these rows, or save the model's own tokenizer with it."
        )
