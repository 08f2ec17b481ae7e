"""Tokenization of prompts and completions to passages of token ids, cached on disk."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from datasets import Dataset, Features, List, Value
from datasets.exceptions import DatasetGenerationError
from jaxtyping import Int
from transformers import PreTrainedTokenizerBase

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.core.fingerprint import fingerprint
from lmdistill.core.progress import Progress, progress, track
from lmdistill.data.batching.tokenizer_checks import check_max_length, cut_text, tokenizer_fingerprint
from lmdistill.data.files.checked_cache import cached_rows, checked
from lmdistill.data.files.dataset_errors import underlying_error
from lmdistill.data.files.progress_bars import without_bars
from lmdistill.data.language.chat_messages import Chat
from lmdistill.data.language.chat_template import render_chat, require_template, without_end
from lmdistill.data.language.packing import pack_blocks
from lmdistill.data.language.special_tokens import bos_ids, eos_id, with_begin

log = logging.getLogger("lmdistill")

FORMAT = 2  # increase it when rows are encoded differently, so that older caches are not used

COMPLETE, CUT, LONG, UNSCORED = range(4)  # values of the column `fate`; rows above CUT are dropped

PASSAGES = Features(
    {
        "input_ids": List(Value("int32")),
        "start": Value("int32"),
        "length": Value("int32"),
        "index": Value("int64"),
    }
)
"""Columns of passages; see `Passages.rows`."""


@dataclass(frozen=True, kw_only=True)
class EncodingCounts:
    """Numbers of rows that tokenization cut or dropped."""

    total: int
    """Number of rows before any was dropped."""

    cut: int = 0
    """Rows whose completion was cut at the maximum length; they have no end token."""

    long_prompts: int = 0
    """Rows that were dropped because their prompt alone has the maximum length or more."""

    unscored: int = 0
    """Rows that were dropped because they have fewer than two tokens, so none can be predicted."""

    @property
    def dropped(self) -> int:
        """Number of rows that were dropped."""
        return self.long_prompts + self.unscored

    @property
    def cut_share(self) -> float:
        """Fraction of all rows that were cut, in [0, 1]."""
        return self.cut / self.total if self.total else 0.0

    @property
    def dropped_share(self) -> float:
        """Fraction of all rows that were dropped, in [0, 1]."""
        return self.dropped / self.total if self.total else 0.0

    def notes(self, max_length: int) -> tuple[str, ...]:
        """A note for each kind of row that was cut or dropped; none if there are none.

        Args:
            max_length: Maximum number of tokens of a passage.
        """
        counts = (
            (self.cut, f"completions cut at {max_length} tokens"),
            (self.long_prompts, f"rows dropped whose prompt alone has {max_length} tokens or more"),
            (self.unscored, "rows dropped without a token to predict"),
        )
        return tuple(
            f"{count} of {self.total} ({count / self.total:.1%}) {what}" for count, what in counts if count
        )


@dataclass(frozen=True, kw_only=True)
class Passages:
    """Tokenized rows, and counts of what was cut or dropped."""

    rows: Dataset = field(repr=False)
    """Columns input_ids, start (index of the first response token), length (number of tokens) and index (row
    number in the source, or the number of a packed block)."""

    counts: EncodingCounts
    """Numbers of rows that were cut or dropped."""

    @property
    def lengths(self) -> Int[np.ndarray, " n"]:
        """Number of tokens of each passage."""
        return np.asarray(
            self.rows.select_columns("length").with_format("numpy")[:]["length"], dtype=np.int64
        )


def make_passage(prompt: Sequence[int], completion: Sequence[int], *, end: int, max_length: int) -> list[int]:
    """Prompt, completion and end token, cut to `max_length` tokens at the end."""
    return [*prompt, *completion, end][:max_length]


def _texts_of(
    batch: Mapping[str, list[Any]], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> tuple[list[str], list[str]]:
    """Prompts and completions of a batch of rows, without end tokens; chats in the tokenizer's chat template.

    Very long texts are cut, because no more of them would be kept.
    """
    names = ("prompt", "completion", "messages", "index")
    pairs = []
    for prompt, completion, text, index in zip(*(batch[name] for name in names), strict=True):
        if text:
            chat = Chat.from_json(text)
            location = f"row {index + 1}"
            prompt, completion = render_chat(chat.messages, tokenizer, tools=chat.tools, location=location)
        completion = without_end(completion, tokenizer)
        pairs.append((cut_text(prompt, max_length), cut_text(completion, max_length)))
    return [prompt for prompt, _ in pairs], [completion for _, completion in pairs]


def _columns(
    batch: Mapping[str, list[Any]],
    tokenizer: PreTrainedTokenizerBase,
    begin: list[int],
    max_length: int,
    bar: Progress,
) -> dict[str, list[Any]]:
    """Tokenize one batch of rows, for `Dataset.map`; the column `fate` says what happened to each row."""
    tokenize = partial(
        tokenizer.__call__, add_special_tokens=False, return_attention_mask=False, verbose=False
    )
    texts = _texts_of(batch, tokenizer, max_length)
    prompts, completions = (tokenize(part)["input_ids"] for part in texts)
    end, unended = eos_id(tokenizer), batch.get("unended", [False] * len(prompts))
    columns: dict[str, list[Any]] = {"input_ids": [], "start": [], "length": [], "fate": []}
    for prompt, completion, chat, is_unended in zip(
        prompts, completions, batch["messages"], unended, strict=True
    ):
        if not prompt and not chat:
            completion = with_begin(completion, begin)[len(begin) :]  # a begin token belongs to the prompt
        before = prompt if chat else with_begin(prompt, begin)
        ids = make_passage(before, completion, end=end, max_length=max_length)
        is_complete = len(before) + len(completion) < max_length
        ids = ids[:-1] if is_complete and is_unended else ids
        fate = COMPLETE if is_complete else CUT
        fate = LONG if len(before) >= max_length else UNSCORED if len(ids) < 2 else fate
        row = {"input_ids": ids, "start": len(before), "length": len(ids), "fate": fate}
        for name, value in row.items():
            columns[name].append(value)
    bar.add(len(columns["length"]))
    return columns


def encode_passages(
    rows: Dataset, tokenizer: PreTrainedTokenizerBase, *, max_length: int = 512, packing: bool = False
) -> Passages:
    """Tokenize all rows; the result is memory-mapped from the cache of `datasets`.

    Prompt and completion are tokenized separately and their ids are joined, so that the boundary between them
    is exact. (A tokenizer that adds a space before every text adds one before the completion too.) The begin
    token, if the tokenizer has one, comes first and belongs to the prompt; in chats the template writes it.
    The end token comes last and is scored, unless the completion was cut. A begin or end token that is
    written out in the text is not added again.

    Args:
        rows: Rows with the columns of `Conversations`. Completions that are `unended`, if there is such a
            column, get no end token.
        tokenizer: Tokenizer of the model.
        max_length: Maximum number of tokens of a passage, with prompt, begin and end token, >= 3.
        packing: Join plain texts, each with its begin and end token (one token if they are the same), and cut
            them into blocks of `max_length` tokens, of which all but the first are scored.

    Returns:
        Passages in the order of the rows, without padding, and counts of what was cut and dropped.

    Raises:
        ConfigError: `max_length` is out of range, or `packing` is on and rows have prompts.
        DataError: The tokenizer has no end token or no chat template, or no row is left.
    """
    check_max_length(tokenizer, max_length, pair=False)
    end, begin = eos_id(tokenizer), bos_ids(tokenizer)
    chats = _any_text(rows, "messages")
    if chats:
        require_template(tokenizer)
        _warn_of_unused_tools(rows, tokenizer)
    if packing and (chats or _any_text(rows, "prompt")):
        raise ConfigError(
            "packing joins plain texts, and these rows have prompts, which must not be scored. "
            "Set texts.packing to false."
        )
    template = tokenizer.chat_template if chats else None
    key = fingerprint(FORMAT, rows._fingerprint, tokenizer_fingerprint(tokenizer), begin, end, template)
    longest = np.iinfo(np.int32).max if packing else max_length
    with without_bars(), progress("encoding", rows.num_rows, minor=True) as bar:
        table = checked(
            lambda: rows.with_format(None).map(
                _columns,
                batched=True,
                fn_kwargs={"tokenizer": tokenizer, "begin": begin, "max_length": int(longest), "bar": bar},
                remove_columns=[name for name in rows.column_names if name != "index"],
                features=Features({**PASSAGES, "fate": Value("int8")}),
                new_fingerprint=fingerprint(key, int(longest)),
                desc="encode",
            )
        )
    if packing:
        return _packed(table, begin, end, max_length, fingerprint(key, "packed", max_length))
    return _kept(table, max_length)


def _warn_of_unused_tools(rows: Dataset, tokenizer: PreTrainedTokenizerBase) -> None:
    """Warn of chats with tools if the chat template never writes any."""
    if "tools" in str(tokenizer.chat_template):
        return
    texts = rows.select_columns("messages").with_format(None).iter(10_000)
    count = sum(
        Chat.from_json(text).tools is not None for batch in texts for text in batch["messages"] if text
    )
    if count:
        log.warning(
            "%d of %d chats have tools, and the chat template does not write tools. Set texts.template to "
            "one that does.",
            count,
            rows.num_rows,
        )


def _any_text(rows: Dataset, column: str) -> bool:
    """Whether any row has a text in this column."""
    return any(any(batch[column]) for batch in rows.select_columns(column).with_format(None).iter(10_000))


def _kept(table: Dataset, max_length: int) -> Passages:
    """Drop rows that cannot be trained on, and count what was cut and dropped."""
    fates = np.asarray(table.select_columns("fate").with_format("numpy")[:]["fate"])
    counts = [int((fates == fate).sum()) for fate in range(4)]
    summary = EncodingCounts(
        total=len(fates), cut=counts[CUT], long_prompts=counts[LONG], unscored=counts[UNSCORED]
    )
    if summary.dropped == summary.total:
        reason = "; ".join(summary.notes(max_length)) or "there are none"
        raise DataError(f"no row is left to train on: {reason}. Raise texts.max_length, or check the data.")
    kept = table.select(np.flatnonzero(fates <= CUT)) if summary.dropped else table
    return Passages(rows=kept.remove_columns("fate"), counts=summary)


def _packed(table: Dataset, begin: list[int], end: int, max_length: int, key: str) -> Passages:
    """Pack tokenized texts into blocks."""
    with without_bars():
        try:
            rows = cached_rows(partial(_blocks, table, begin, end, max_length), PASSAGES, key)
        except DatasetGenerationError as error:
            raise underlying_error(error) from error
    if not rows.num_rows:
        raise DataError(
            "no row is left to train on: the texts have fewer than two tokens in total. Check the data."
        )
    return Passages(rows=rows, counts=EncodingCounts(total=table.num_rows))


def _blocks(table: Dataset, begin: list[int], end: int, max_length: int) -> Iterator[dict[str, Any]]:
    """Yield packed blocks as passages."""

    def texts() -> Iterator[list[int]]:
        rows = table.select_columns("input_ids").with_format(None)
        for number, row in enumerate(track(rows, "packing", table.num_rows, unit="row")):
            # If begin and end token are the same, the end token of one text is the begin token of the next.
            yield row["input_ids"][len(begin) if number and begin == [end] else 0 :]

    for number, ids in enumerate(pack_blocks(texts(), max_length)):
        yield {"input_ids": ids, "start": 0, "length": len(ids), "index": number}
