"""Easy data augmentation: synonyms, insertions, swaps and deletions of words."""

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
    """One of four small edits for each new text, drawn evenly among those whose share is above 0.

    Wei & Zou 2019 (EDA), section 2; a text of l words has max(1, int(alpha * l)) of them edited, and a
    deletion drops each word with probability alpha. Deviations: case and punctuation stay (theirs are
    removed), numbers are never touched, and what counts as a stop word is a list of grammatical words.
    """

    name: ClassVar[str] = "eda"
    varied: ClassVar[bool] = True

    synonym: float = 0.1
    """Share of words replaced by a synonym, in [0, 1]; 0 turns the edit off; the paper's alpha."""

    insertion: float = 0.1
    """Synonyms of random words put at random places, as a share of the words, in [0, 1]."""

    swap: float = 0.1
    """Swaps of two random words, as a share of the words, in [0, 1]."""

    deletion: float = 0.1
    """Probability that a word is dropped, in [0, 1]."""

    seed: int = 0
    """Seed of the draws."""

    wordnet: str | None = None
    """Folder with WordNet's files; None looks at WNSEARCHDIR, NLTK's data and the system."""

    def __post_init__(self) -> None:
        for field in OPERATIONS:
            if not 0 <= getattr(self, field) <= 1:
                raise ConfigError(f"{field} must be in [0, 1], got {getattr(self, field)}.")
        if not self._operations:
            raise ConfigError(f"{', '.join(OPERATIONS)} are all 0, which leaves nothing to do; raise one.")

    @property
    def identity(self) -> str:
        """Names the shares, the seed and the setting of WordNet."""
        shares = [getattr(self, operation) for operation in OPERATIONS]
        return fingerprint(self.name, shares, self.seed, self.wordnet)

    def __call__(self, texts: Sequence[str], copies: Sequence[int] | None = None) -> list[str]:
        """Each text with one edit; a text that has nothing to edit comes back as it was."""
        numbers = [0] * len(texts) if copies is None else copies
        return [self._edited(text, copy) for text, copy in zip(texts, numbers, strict=True)]

    @property
    def _operations(self) -> list[str]:
        """Edits that are on."""
        return [operation for operation in OPERATIONS if getattr(self, operation) > 0]

    @cached_property
    def _synonyms(self) -> Synonyms:
        """WordNet, opened when first needed."""
        return wordnet_synonyms(self.wordnet)

    def _edited(self, text: str, copy: int) -> str:
        """One variant of `text`, from a random stream of its own."""
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
    """`pieces` with up to `count` content words replaced, each by one of its synonyms in its own case."""
    result = list(pieces)
    places = _replaceable(pieces, synonyms)
    for place in random.permutation(places)[:count].tolist():
        result[place] = match_case(_one_of(synonyms(pieces[place]), random), pieces[place])
    return result


def with_insertions(
    pieces: Sequence[str], count: int, random: np.random.Generator, synonyms: Synonyms
) -> list[str]:
    """`pieces` with `count` synonyms of random content words, each put after a random word."""
    result = list(pieces)
    places = _replaceable(pieces, synonyms)
    for _ in range(count if places else 0):
        source = pieces[places[random.integers(len(places))]]
        target = 2 * int(random.integers(len(pieces) // 2)) + 1
        result[target] += " " + _one_of(synonyms(source), random)
    return result


def with_swaps(pieces: Sequence[str], count: int, random: np.random.Generator) -> list[str]:
    """`pieces` after `count` swaps of two random words; the gaps stay where they are."""
    result = list(pieces)
    words = len(pieces) // 2
    for _ in range(count if words > 1 else 0):
        first, second = (2 * random.choice(words, size=2, replace=False) + 1).tolist()
        result[first], result[second] = result[second], result[first]
    return result


def with_deletions(pieces: Sequence[str], share: float, random: np.random.Generator) -> list[str]:
    """`pieces` without the words that a draw below `share` hits; one word is always left."""
    words = len(pieces) // 2
    if not words:
        return list(pieces)
    kept = random.random(words) >= share
    if not kept.any():
        kept[random.integers(words)] = True
    return [piece if place % 2 == 0 or kept[place // 2] else "" for place, piece in enumerate(pieces)]


def _replaceable(pieces: Sequence[str], synonyms: Synonyms) -> list[int]:
    """Places of content words that have synonyms."""
    return [i for i in range(1, len(pieces), 2) if is_content_word(pieces[i]) and synonyms(pieces[i])]


def _one_of(words: Sequence[str], random: np.random.Generator) -> str:
    """One of `words`, each as likely."""
    return words[int(random.integers(len(words)))]
