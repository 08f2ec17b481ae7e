"""Easy data augmentation (EDA): synonyms, insertions, swaps and deletions of words."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from lmdistill.core.errors import ConfigError
from lmdistill.core.fingerprint import fingerprint
from lmdistill.core.seeding import generator
from lmdistill.data.augment.word_splitting import (
    collapse_whitespace,
    is_content_word,
    match_case,
    split_words,
)
from lmdistill.data.augment.wordnet import Synonyms, wordnet_synonyms

OPERATIONS = ("synonym", "insertion", "swap", "deletion")


@dataclass(frozen=True, kw_only=True)
class Eda:
    """Edit each text with one of four operations, chosen uniformly among those whose share is above 0.

    Wei & Zou 2019 (EDA), section 2; a text of l words has max(1, int(alpha * l)) of them edited, and a
    deletion removes each word with probability alpha. Deviations: case and punctuation are kept (EDA removes
    them), numbers are not edited, and the stop words are a list of function words.
    """

    name: ClassVar[str] = "eda"
    varied: ClassVar[bool] = True

    synonym: float = 0.1
    """Fraction of the words that are replaced by a synonym, in [0, 1]; 0 is off. The paper's alpha."""

    insertion: float = 0.1
    """Number of synonyms of random words inserted at random positions, per word, in [0, 1]; 0 is off."""

    swap: float = 0.1
    """Number of swaps of two random words, per word, in [0, 1]; 0 is off."""

    deletion: float = 0.1
    """Probability that a word is deleted, in [0, 1]; 0 is off."""

    seed: int = 0
    """Random seed of the edits."""

    wordnet: str | None = None
    """Folder with WordNet's files; None looks in WNSEARCHDIR, NLTK's data and the system's folder."""

    def __post_init__(self) -> None:
        for field in OPERATIONS:
            if not 0 <= getattr(self, field) <= 1:
                raise ConfigError(f"{field} must be in [0, 1], got {getattr(self, field)}.")
        if not self._operations:
            raise ConfigError(f"{', '.join(OPERATIONS)} are all 0, so no text would change; raise one.")

    @property
    def identity(self) -> str:
        """Fingerprint of the shares, the seed and the WordNet folder."""
        shares = [getattr(self, operation) for operation in OPERATIONS]
        return fingerprint(self.name, shares, self.seed, self.wordnet)

    def __call__(self, texts: Sequence[str], copies: Sequence[int] | None = None) -> list[str]:
        """Edit each text once; a text without a word that can be edited is returned unchanged."""
        numbers = [0] * len(texts) if copies is None else copies
        return [self._edited(text, copy) for text, copy in zip(texts, numbers, strict=True)]

    @property
    def _operations(self) -> list[str]:
        """Names of the operations whose share is above 0."""
        return [operation for operation in OPERATIONS if getattr(self, operation) > 0]

    @cached_property
    def _synonyms(self) -> Synonyms:
        """The synonyms of WordNet, loaded at the first use."""
        return wordnet_synonyms(self.wordnet)

    def _edited(self, text: str, copy: int) -> str:
        """One variant of `text`; its random numbers depend only on the seed, the text and the copy."""
        random = generator(self.seed, self.name, fingerprint(text), copy)
        pieces = split_words(text)
        operation = self._operations[random.integers(len(self._operations))]
        share: float = getattr(self, operation)
        count = max(1, int(share * (len(pieces) // 2)))
        match operation:
            case "synonym":
                return "".join(with_synonyms(pieces, count, random, self._synonyms))
            case "insertion":
                return "".join(with_insertions(pieces, count, random, self._synonyms))
            case "swap":
                return "".join(with_swaps(pieces, count, random))
            case _:
                return collapse_whitespace("".join(with_deletions(pieces, share, random)))


def with_synonyms(
    pieces: Sequence[str], count: int, random: np.random.Generator, synonyms: Synonyms
) -> list[str]:
    """Replace up to `count` content words, each by one of its synonyms in the same case.

    Args:
        pieces: Words and gaps of a text, from `split_words`; also in the functions below.
        count: Number of edits, >= 0.
        random: Random generator.
        synonyms: Synonyms of a word.
    """
    result = list(pieces)
    positions = _replaceable(pieces, synonyms)
    for position in random.permutation(positions)[:count].tolist():
        result[position] = match_case(_one_of(synonyms(pieces[position]), random), pieces[position])
    return result


def with_insertions(
    pieces: Sequence[str], count: int, random: np.random.Generator, synonyms: Synonyms
) -> list[str]:
    """Insert `count` synonyms of random content words, each after a random word."""
    result = list(pieces)
    positions = _replaceable(pieces, synonyms)
    for _ in range(count if positions else 0):
        source = pieces[positions[random.integers(len(positions))]]
        target = 2 * int(random.integers(len(pieces) // 2)) + 1
        result[target] += " " + _one_of(synonyms(source), random)
    return result


def with_swaps(pieces: Sequence[str], count: int, random: np.random.Generator) -> list[str]:
    """Swap two random words `count` times; the gaps between words are kept."""
    result = list(pieces)
    words = len(pieces) // 2
    for _ in range(count if words > 1 else 0):
        first, second = (2 * random.choice(words, size=2, replace=False) + 1).tolist()
        result[first], result[second] = result[second], result[first]
    return result


def with_deletions(pieces: Sequence[str], share: float, random: np.random.Generator) -> list[str]:
    """Delete each word with probability `share`; one random word is kept if all would be deleted."""
    words = len(pieces) // 2
    if not words:
        return list(pieces)
    kept = random.random(words) >= share
    if not kept.any():
        kept[random.integers(words)] = True
    return [piece if index % 2 == 0 or kept[index // 2] else "" for index, piece in enumerate(pieces)]


def _replaceable(pieces: Sequence[str], synonyms: Synonyms) -> list[int]:
    """Indices in `pieces` of content words that have synonyms."""
    return [i for i in range(1, len(pieces), 2) if is_content_word(pieces[i]) and synonyms(pieces[i])]


def _one_of(words: Sequence[str], random: np.random.Generator) -> str:
    """One of `words`, chosen uniformly."""
    return words[int(random.integers(len(words)))]
