"""Tokens: prompts and completions to passages of token ids, on disk, once for each content and tokenizer."""

import json
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
from lmdistill.data.batching.tokenizer_checks import check_max_length, tokenizer_fingerprint
from lmdistill.data.files.dataset_errors import underlying_error
from lmdistill.data.files.progress_bars import without_bars
from lmdistill.data.language.chat_template import render_chat, require_template
from lmdistill.data.language.packing import pack_blocks

FORMAT = 1  # count up when rows are encoded differently, so that no old cache is read

WHOLE, CUT, LONG, UNSCORED = range(4)  # what became of a row

PASSAGES = Features(
    {
        "input_ids": List(Value("int32")),
        "start": Value("int32"),
        "length": Value("int32"),
        "index": Value("int64"),
    }
)
"""Columns of passages."""


@dataclass(frozen=True, kw_only=True)
class EncodingCounts:
    """What encoding did to the rows."""

    total: int
    """Rows before."""

    cut: int = 0
    """Rows whose completion was cut at the maximum; they have no end token."""

    long_prompts: int = 0
    """Rows dropped because their prompt alone fills the maximum."""

    unscored: int = 0
    """Rows dropped because no token of theirs can be predicted."""

    @property
    def dropped(self) -> int:
        """Rows that were dropped."""
        return self.long_prompts + self.unscored

    @property
    def cut_share(self) -> float:
        """Cut rows over all rows, in [0, 1]."""
        return self.cut / self.total if self.total else 0.0

    @property
    def dropped_share(self) -> float:
        """Dropped rows over all rows, in [0, 1]."""
        return self.dropped / self.total if self.total else 0.0

    def notes(self, max_length: int) -> tuple[str, ...]:
        """What to say of them; nothing when nothing was lost."""
        said = (
            (self.cut, f"completions cut at {max_length} tokens"),
            (self.long_prompts, f"rows dropped whose prompt alone has {max_length} tokens or more"),
            (self.unscored, "rows dropped without a token to predict"),
        )
        return tuple(
            f"{count} of {self.total} ({count / self.total:.1%}) {what}" for count, what in said if count
        )


@dataclass(frozen=True, kw_only=True)
class Passages:
    """Rows as token ids."""

    rows: Dataset = field(repr=False)
    """Columns input_ids, start (index of the first response token), length (tokens) and index (row number in
    the source; of a block, its own number)."""

    counts: EncodingCounts
    """What was cut and dropped."""

    @property
    def lengths(self) -> Int[np.ndarray, " n"]:
        """Tokens of each passage."""
        return np.asarray(
            self.rows.select_columns("length").with_format("numpy")[:]["length"], dtype=np.int64
        )


def eos_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """Id of the end token.

    Raises:
        DataError: The tokenizer has none.
    """
    if tokenizer.eos_token_id is None:
        name = tokenizer.name_or_path or type(tokenizer).__name__
        raise DataError(
            f"the tokenizer of {name} has no end token, so a model cannot learn where to stop. "
            "Set eos_token in its tokenizer_config.json."
        )
    return int(tokenizer.eos_token_id)


def pad_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """Id that fills short rows: the padding token, or the end token where there is none."""
    return eos_id(tokenizer) if tokenizer.pad_token_id is None else int(tokenizer.pad_token_id)


def bos_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """What the tokenizer puts before a text: its begin token, or nothing."""
    bare: list[int] = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole: list[int] = tokenizer("a")["input_ids"]
    places = range(len(whole) - len(bare) + 1)
    return next((whole[:n] for n in places if whole[n : n + len(bare)] == bare), [])


def make_passage(prompt: Sequence[int], completion: Sequence[int], *, end: int, max_length: int) -> list[int]:
    """Prompt, completion and end token; what is too long is cut, the end token first."""
    return [*prompt, *completion, end][:max_length]


def _texts_of(
    batch: Mapping[str, list[Any]], tokenizer: PreTrainedTokenizerBase
) -> tuple[list[str], list[str]]:
    """Prompts and completions; chats are written out by the tokenizer's template."""
    pairs = [
        render_chat(json.loads(chat), tokenizer) if chat else (prompt, completion)
        for prompt, completion, chat in zip(
            batch["prompt"], batch["completion"], batch["messages"], strict=True
        )
    ]
    return [prompt for prompt, _ in pairs], [completion for _, completion in pairs]


def _columns(
    batch: Mapping[str, list[Any]],
    tokenizer: PreTrainedTokenizerBase,
    begin: list[int],
    max_length: int,
    shown: Progress,
) -> dict[str, list[Any]]:
    """One batch for `Dataset.map`."""
    bare = partial(tokenizer.__call__, add_special_tokens=False, return_attention_mask=False, verbose=False)
    prompts, completions = (bare(texts)["input_ids"] for texts in _texts_of(batch, tokenizer))
    end, unended = eos_id(tokenizer), batch.get("unended", [False] * len(prompts))
    columns: dict[str, list[Any]] = {"input_ids": [], "start": [], "length": [], "fate": []}
    for prompt, completion, chat, open_end in zip(
        prompts, completions, batch["messages"], unended, strict=True
    ):
        before = prompt if chat else [*begin, *prompt]
        ids = make_passage(before, completion, end=end, max_length=max_length)
        whole = len(before) + len(completion) < max_length
        ids = ids[:-1] if whole and open_end else ids
        fate = WHOLE if whole else CUT
        fate = LONG if len(before) >= max_length else UNSCORED if len(ids) < 2 else fate
        row = {"input_ids": ids, "start": len(before), "length": len(ids), "fate": fate}
        for name, value in row.items():
            columns[name].append(value)
    shown.add(len(columns["length"]))
    return columns


def encode_passages(
    rows: Dataset, tokenizer: PreTrainedTokenizerBase, *, max_length: int = 512, packing: bool = False
) -> Passages:
    """Token ids of all rows, memory-mapped from the cache of `datasets`.

    Prompt and completion are encoded each on its own and put together as ids, so that the boundary is
    exact; a
    tokenizer that writes a space before every text writes one before the completion too. The begin token, if
    the tokenizer has one, comes first (in a chat its template writes it) and belongs to the prompt. The end
    token comes last and is learned, unless the completion was cut.

    Args:
        rows: Columns of `Conversations`; a completion that is `unended`, where that column is there, gets no
            end token.
        tokenizer: Of the model that will read the ids.
        max_length: Most tokens of a passage, prompt, begin and end token included.
        packing: Join plain texts, each with its begin and end token (once where they are the same), and cut
            them into blocks of `max_length`, of which every token but the first is scored.

    Returns:
        Passages in the order of the rows, not padded, and what was cut and dropped.

    Raises:
        ConfigError: `max_length` is out of range, or rows with prompts are to be packed.
        DataError: There is no end token or chat template, or no row is left.
    """
    check_max_length(tokenizer, max_length, pair=False)
    end, begin = eos_id(tokenizer), bos_ids(tokenizer)
    chats = _any_text(rows, "messages")
    if chats:
        require_template(tokenizer)
    if packing and (chats or _any_text(rows, "prompt")):
        raise ConfigError(
            "packing joins plain texts, and these rows have prompts, which must not be scored. "
            "Set texts.packing to false."
        )
    template = tokenizer.chat_template if chats else None
    key = fingerprint(FORMAT, rows._fingerprint, tokenizer_fingerprint(tokenizer), begin, end, template)
    longest = np.iinfo(np.int32).max if packing else max_length
    with without_bars(), progress("encoding", rows.num_rows, minor=True) as shown:
        table = rows.with_format(None).map(
            _columns,
            batched=True,
            fn_kwargs={"tokenizer": tokenizer, "begin": begin, "max_length": int(longest), "shown": shown},
            remove_columns=[name for name in rows.column_names if name != "index"],
            features=Features({**PASSAGES, "fate": Value("int8")}),
            new_fingerprint=fingerprint(key, int(longest)),
            desc="encode",
        )
    if packing:
        return _packed(table, begin, end, max_length, fingerprint(key, "packed", max_length))
    return _kept(table, max_length)


def _any_text(rows: Dataset, column: str) -> bool:
    """Whether some row has a text in this column."""
    return any(any(batch[column]) for batch in rows.select_columns(column).with_format(None).iter(10_000))


def _kept(table: Dataset, max_length: int) -> Passages:
    """The rows that have something to learn."""
    fates = np.asarray(table.select_columns("fate").with_format("numpy")[:]["fate"])
    counts = [int((fates == fate).sum()) for fate in range(4)]
    facts = EncodingCounts(
        total=len(fates), cut=counts[CUT], long_prompts=counts[LONG], unscored=counts[UNSCORED]
    )
    if facts.dropped == facts.total:
        why = "; ".join(facts.notes(max_length)) or "there are none"
        raise DataError(f"no row is left to learn from: {why}. Raise texts.max_length, or check the data.")
    kept = table.select(np.flatnonzero(fates <= CUT)) if facts.dropped else table
    return Passages(rows=kept.remove_columns("fate"), counts=facts)


def _packed(table: Dataset, begin: list[int], end: int, max_length: int, key: str) -> Passages:
    """Blocks of the joined texts."""
    with without_bars():
        try:
            rows = Dataset.from_generator(
                partial(_blocks, table, begin, end, max_length), features=PASSAGES, fingerprint=key
            )
        except DatasetGenerationError as error:
            raise underlying_error(error) from error
    if not rows.num_rows:
        raise DataError("no row is left to learn from: the texts have fewer than two tokens together.")
    return Passages(rows=rows, counts=EncodingCounts(total=table.num_rows))


def _blocks(table: Dataset, begin: list[int], end: int, max_length: int) -> Iterator[dict[str, Any]]:
    """Passages of blocks."""

    def texts() -> Iterator[list[int]]:
        rows = table.select_columns("input_ids").with_format(None)
        for number, row in enumerate(track(rows, "packing", table.num_rows, unit="row")):
            # The end token of one text is the begin token of the next where they are the same.
            yield row["input_ids"][len(begin) if number and begin == [end] else 0 :]

    for number, ids in enumerate(pack_blocks(texts(), max_length)):
        yield {"input_ids": ids, "start": 0, "length": len(ids), "index": number}
