"""The pieces of texts: which ones are used, and what a smaller vocabulary changes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lmdistill.core.errors import ModelError
from lmdistill.models.vocabulary_trimming.tokenizer_definition import TokenizerDefinition
from lmdistill.records.vocabulary_facts import ChangedTexts

CHUNK = 1000
"""Number of texts that are tokenized together."""


@dataclass(frozen=True)
class Texts:
    """Texts, or pairs of texts."""

    first: Sequence[str]
    """The texts, or the first text of each pair."""

    second: Sequence[str] | None = None
    """The second text of each pair; None for single texts."""

    def chunks(self) -> Iterator["Texts"]:
        """The same texts, at most `CHUNK` at a time."""
        for start in range(0, len(self.first), CHUNK):
            yield self.select(range(start, min(start + CHUNK, len(self.first))))

    def select(self, rows: Sequence[int]) -> "Texts":
        """The texts with these numbers."""
        second = None if self.second is None else [self.second[row] for row in rows]
        return Texts([self.first[row] for row in rows], second)

    def ids(self, tokenizer: Any) -> list[list[int]]:
        """Ids of each text as a whole, special tokens included; nothing is truncated or padded."""
        found: list[list[int]] = tokenizer(
            list(self.first),
            None if self.second is None else list(self.second),
            truncation=False,
            padding=False,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,
        )["input_ids"]
        return found


def used_pieces(tokenizer: Any, definition: TokenizerDefinition, texts: Texts) -> set[int]:
    """Ids of all pieces that texts are cut into, special tokens included.

    For WordPiece also those that begin an unknown word: without the longest piece, a shorter one could begin
    it, after which another piece might fit.
    """
    used, unknown, seen = set[int](), definition.unknown_id, set[str]()
    for chunk in texts.chunks():
        rows = chunk.ids(tokenizer)
        used.update(*rows)
        if definition.kind != "WordPiece" or unknown is None:
            continue
        for number, row in enumerate(rows):
            if unknown in row:
                parts = [chunk.first[number], *([] if chunk.second is None else [chunk.second[number]])]
                words = {word for part in parts for word in _unknown_words(tokenizer, part, unknown)} - seen
                seen |= words
                used.update(piece for word in words for piece in _beginning(definition, word))
    return used


def _unknown_words(tokenizer: Any, text: str, unknown: int) -> Iterator[str]:
    """The words of a text, as the tokenizer separates and normalizes them, that are unknown to it."""
    found = tokenizer(
        text, truncation=False, return_offsets_mapping=True, add_special_tokens=False, verbose=False
    )
    inner = tokenizer.backend_tokenizer
    for number, (start, end) in zip(found["input_ids"], found["offset_mapping"], strict=True):
        if number == unknown and start < end:
            word = text[start:end]
            normal = word if inner.normalizer is None else inner.normalizer.normalize_str(word)
            if inner.pre_tokenizer is None:
                yield normal
            else:
                yield from (part for part, _ in inner.pre_tokenizer.pre_tokenize_str(normal))


def _beginning(definition: TokenizerDefinition, word: str) -> Iterator[int]:
    """Ids of the longest pieces that WordPiece finds one after another in a word, up to where none fits."""
    ids, start = definition.model_ids, 0
    while start < len(word):
        prefix = definition.prefix if start else ""
        ends = (end for end in range(len(word), start, -1) if prefix + word[start:end] in ids)
        end = next(ends, None)
        if end is None:
            return
        yield ids[prefix + word[start:end]]
        start = end


def require_same_pieces(old: Any, new: Any, texts: Texts, new_ids: Mapping[int, int]) -> list[int]:
    """Check that a trimmed tokenizer cuts texts into the same pieces.

    Args:
        old: The whole tokenizer.
        new: The trimmed one.
        texts: All are compared.
        new_ids: Old id -> new id.

    Returns:
        The number of pieces of each text.

    Raises:
        ModelError: If a text has other pieces.
    """
    lengths: list[int] = []
    for chunk in texts.chunks():
        for before, after in zip(chunk.ids(old), chunk.ids(new), strict=True):
            if [new_ids.get(number) for number in before] != after:
                raise ModelError(
                    f"text {len(lengths)} (counted from 0) has other word pieces with the trimmed "
                    f"vocabulary: {len(after)} in place of {len(before)}. The vocabulary of this tokenizer "
                    "cannot be trimmed; leave it whole."
                )
            lengths.append(len(before))
    return lengths


def changed_texts(old: Any, new: Any, texts: Texts, new_ids: Mapping[int, int]) -> ChangedTexts:
    """How many texts are cut into other pieces by a trimmed tokenizer, and how many pieces are gone."""
    changed = pieces = removed = 0
    for chunk in texts.chunks():
        for before, after in zip(chunk.ids(old), chunk.ids(new), strict=True):
            mapped = [new_ids.get(number) for number in before]
            changed += mapped != after
            pieces += len(before)
            removed += mapped.count(None)
    return ChangedTexts(texts=len(texts.first), changed_texts=changed, pieces=pieces, removed_pieces=removed)
