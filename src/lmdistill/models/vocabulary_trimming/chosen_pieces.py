"""Which pieces of a vocabulary stay: those of texts, those that compose other words, and frequent ones."""

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from lmdistill.core.errors import ConfigError
from lmdistill.models.vocabulary_trimming.tokenizer_definition import TokenizerDefinition

Size = int | Literal["texts"]
"""Number of pieces to keep, >= 1; or "texts" for those that are needed."""


@dataclass(frozen=True, kw_only=True)
class ChosenPieces:
    """The pieces that stay, and why."""

    kept: tuple[int, ...]
    """Their old ids, ascending; the new id of a piece is its place here."""

    needed: int
    """Number of pieces that the texts need, special tokens included."""

    composing: int
    """Number of further pieces that compose the words of other texts."""

    before: int
    """Number of pieces of the whole vocabulary."""

    @property
    def filled(self) -> int:
        """Number of pieces that are kept to reach the wanted number."""
        return len(self.kept) - self.needed - self.composing

    @property
    def new_ids(self) -> Mapping[int, int]:
        """Old id -> new id."""
        return {old: new for new, old in enumerate(self.kept)}

    @property
    def is_whole(self) -> bool:
        """Whether no piece is dropped."""
        return len(self.kept) == self.before


def choose_pieces(
    definition: TokenizerDefinition,
    used: Collection[int],
    size: Size,
    *,
    reserved: Iterable[int] = (),
    setting: str = "student.vocabulary",
) -> ChosenPieces:
    """Choose the pieces of a smaller vocabulary that cuts the texts as the whole one does.

    The pieces of the texts stay the same, since the kept pieces are a subset that has all pieces of `used`:

    - WordPiece takes the longest piece that begins the rest of a word. That piece is kept, and none that is
      longer was there before. Where no piece fits, none of a subset does; the pieces before that place are in
      `used` (see `text_pieces.used_pieces`), so the whole word is unknown as before.
    - BPE merges the pair of the lowest rank that is there. All merges that can make a kept piece are kept
      with their parts, so every merge that made a piece of the texts is there, in the same order. The others
      are a subset: at no step is a merge of lower rank possible, and none at the end.
    - Unigram takes the cut with the highest sum of scores. It is still possible, and the other cuts are a
      subset, so none is better; of equal ones the first is taken, as before. A piece with the lowest score
      stays, because the score of unknown characters is derived from it, and every single character of the
      texts, because no other character may be unknown.

    Args:
        definition: The whole tokenizer.
        used: Ids of the pieces of the texts.
        size: Number of pieces to keep; the rest is filled in the order of the ids, which is roughly that of
            the frequencies. BPE may keep a few less, since pieces come with their parts.
        reserved: Further ids that stay.
        setting: What the user calls `size`, for the message.

    Raises:
        ConfigError: If the texts and the pieces that compose other words need more than `size` pieces.

    References:
        Abdaoui et al., "Load What You Need: Smaller Versions of Multilingual BERT", 2020. Ushio et al., "An
        Efficient Multilingual Language Model Compression through Vocabulary Trimming", 2023. Both keep pieces
        by frequency; here those of the texts are kept whole.
    """
    parts = _Parts(definition)
    needed = parts.closure({*definition.added_ids.values(), *_fixed(definition), *used, *reserved})
    kept = parts.closure(needed | _composing(definition, used))
    composing, numbers = len(kept) - len(needed), sorted(definition.ids.values())
    if size != "texts":
        if size < len(kept):
            raise ConfigError(
                f"{setting} is {size}, and the texts need {len(needed)} word pieces and {composing} more "
                f"compose other words. Set {setting} to at least {len(kept)}, or to texts."
            )
        kept = _filled(kept, parts, numbers, size)
    return ChosenPieces(
        kept=tuple(sorted(kept)), needed=len(needed), composing=composing, before=len(numbers)
    )


class _Parts:
    """The pieces that build a piece; for BPE those of all its merges, for others none."""

    def __init__(self, definition: TokenizerDefinition) -> None:
        self._parts: dict[int, set[int]] = {}
        ids = definition.model_ids
        for pair in definition.merges if definition.kind == "BPE" else ():
            self._parts.setdefault(ids[definition.merged(pair)], set()).update(ids[piece] for piece in pair)

    def closure(self, numbers: Iterable[int]) -> set[int]:
        """These pieces with all that build them."""
        found, waiting = set[int](), list(numbers)
        while waiting:
            number = waiting.pop()
            if number not in found:
                found.add(number)
                waiting += self._parts.get(number, ())
        return found


def _filled(kept: set[int], parts: _Parts, numbers: Iterable[int], size: int) -> set[int]:
    """`kept` and further pieces in the order of their ids, as long as there are at most `size`."""
    found = set(kept)
    for number in numbers:
        if len(found) == size:
            break
        added = parts.closure({number}) - found
        if len(found) + len(added) <= size:
            found |= added
    return found


def _fixed(definition: TokenizerDefinition) -> set[int]:
    """Pieces that stay in any case: for unknown characters, for bytes, and the one with the lowest score."""
    unknown, found = definition.unknown_id, set(definition.processor_ids)
    found |= set() if unknown is None else {unknown}
    if definition.model.get("byte_fallback"):
        found |= {number for piece, number in definition.model_ids.items() if _is_byte(piece)}
    if definition.kind == "Unigram":
        scores = [score for _, score in definition.model["vocab"]]
        found.add(scores.index(min(scores)))
        # some classes of transformers expect the unknown piece at a certain place
        found |= set(range(unknown or 0))
    return found


def _is_byte(piece: str) -> bool:
    """Whether a piece stands for a byte, such as <0x0A>."""
    return len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">")


def _composing(definition: TokenizerDefinition, used: Collection[int]) -> set[int]:
    """Single characters that compose the words of other texts.

    All bytes; else all characters but letters and marks of scripts that the texts do not use.
    """
    suffix = str(definition.model.get("end_of_word_suffix") or "")
    used_ids, scripts, single = set(used), set[str](), dict[int, str]()
    for piece, number in definition.model_ids.items():
        bare = piece.removeprefix(definition.prefix).removesuffix(suffix) or piece
        if len(bare) == 1:
            single[number] = bare
        if number in used_ids:
            scripts.update(map(_script, bare))
    if definition.is_byte_level:
        return set(single)
    return {number for number, character in single.items() if _script(character) in scripts | {""}}


def _script(character: str) -> str:
    """Script of a letter or a mark: the first word of its Unicode name; "" for any other character."""
    if unicodedata.category(character)[0] not in "LM":
        return ""
    return unicodedata.name(character, "UNNAMED").split(" ")[0]
