"""Encoding: texts to token ids, on disk, once for each content, tokenizer and length."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from datasets import Dataset, Features, List, Value
from transformers import PreTrainedTokenizerBase

from lmdistill.core.fingerprint import fingerprint
from lmdistill.core.progress import Progress, announce, progress
from lmdistill.data.batching.tokenizer_checks import check_max_length, tokenizer_fingerprint
from lmdistill.data.files.progress_bars import without_bars

FORMAT = 1  # count up when rows are encoded differently, so that no old cache is read
MANY_ROWS = 100_000  # fewer take longer to start processes for than a tokenizer's own threads need
MOST_PROCESSES = 8


@dataclass(frozen=True, kw_only=True)
class EncodedExamples:
    """Examples as token ids, and what was cut off."""

    rows: Dataset = field(repr=False)
    """Columns input_ids, token_type_ids (where the tokenizer has them), label, length (tokens) and index."""

    truncated: float
    """Share of the rows, in [0, 1], that were longer than the maximum."""


def tokenize(
    tokenizer: PreTrainedTokenizerBase, first: list[str], second: list[str] | None, *, max_length: int
) -> dict[str, list[Any]]:
    """Token ids of texts or pairs, cut to `max_length` (the longer text of a pair first), not padded.

    Returns:
        input_ids, token_type_ids where the tokenizer has them, length (tokens kept) and cut (whether some
        were not), each with one entry an example.
    """
    encoded = tokenizer(
        first, second, truncation="longest_first", max_length=max_length, return_attention_mask=False
    )
    columns = {name: encoded[name] for name in ("input_ids", "token_type_ids") if name in encoded}
    if tokenizer.is_fast:  # what was cut off is kept beside each encoding, so nothing is tokenized twice
        cut = [bool(one.overflowing) for one in encoded.encodings]
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
    """One batch for `Dataset.map`."""
    second = batch["sentence2"] if pair else None
    found = tokenize(tokenizer, batch["sentence1"], second, max_length=max_length)
    if shown is not None:
        shown.add(len(found["length"]))
    return found


@contextmanager
def _one_thread_each(processes: int) -> Iterator[None]:
    """Let several processes tokenize with one thread each; a single one may use all threads."""
    name, before = "TOKENIZERS_PARALLELISM", os.environ.get("TOKENIZERS_PARALLELISM")
    if processes > 1:
        os.environ[name] = "false"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


def encode(
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_length: int = 128,
    pair: bool,
    processes: int | None = None,
) -> EncodedExamples:
    """Token ids of all examples, memory-mapped from the cache of `datasets`.

    Args:
        dataset: Columns sentence1, sentence2, index and, where there are labels, label.
        tokenizer: Of the model that will read the ids.
        max_length: Most tokens of an example, special ones included; the longer text of a pair is cut first.
        pair: Whether sentence2 is read.
        processes: How many work at it; None takes one below 100,000 rows, else up to 8 of the machine's.

    Returns:
        Rows in the order of `dataset`, not padded, and the share that was cut.

    Raises:
        ConfigError: `max_length` leaves no room for text or exceeds the model's.
    """
    check_max_length(tokenizer, max_length, pair=pair)
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
        rows = dataset.with_format(None).map(
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
    cut = np.asarray(rows.select_columns("cut").with_format("numpy")[:]["cut"])
    return EncodedExamples(rows=rows.remove_columns("cut"), truncated=float(cut.mean()) if len(cut) else 0.0)
