"""The synthetic task: sentiment classification of reviews that a grammar generates.

The label of a review is computed from its parts (see `reviews_grammar`), not estimated from its text. A model
must learn: negation and double negation; contrast ("X, but Y" means Y); that only the opinion of the writer
counts; statements that are refuted later; and words of opinion that do not occur in the training split.
"""

import re
from collections.abc import Sequence
from typing import Literal, TypeVar, get_args

import numpy as np
from datasets import Dataset, Features, Value

from lmdistill.core.errors import ConfigError
from lmdistill.core.seeding import derive, generator
from lmdistill.data.synthetic import reviews_lexicon
from lmdistill.data.synthetic.reviews_grammar import (
    Opinion,
    agreement,
    disagreement,
    framed,
    past,
    third_person,
)
from lmdistill.data.synthetic.reviews_lexicon import Domain, Words
from lmdistill.data.tasks.task import Task
from lmdistill.data.tasks.task_spec import SYNTHETIC

Split = Literal["train", "dev", "test"]

HELD_OUT_SHARE = 0.4
"""Fraction of the words of opinion in dev and test that do not occur in the training split."""

CARELESS_SHARE = 0.1
"""Fraction of wrong training labels, which imitate careless annotators; dev and test have none."""

FEWEST_WORDS, MOST_WORDS = 6, 45
"""Minimum and maximum number of words of a review."""

T = TypeVar("T")


class Writer:
    """Generates random opinions on the things of one domain.

    Args:
        rng: Random generator.
        domain: What is reviewed.
        held_out_share: Fraction of the words of opinion that are held out from training, in [0, 1].
    """

    def __init__(self, rng: np.random.Generator, domain: Domain, held_out_share: float) -> None:
        self.rng = rng
        self.domain = domain
        self.held_out_share = held_out_share

    def review(self) -> tuple[str, bool]:
        """A review, and whether it is positive."""
        opinion = self.opinion()
        sentences = [opinion.text]
        if self._chance(0.15):
            sentences.insert(int(self._chance(0.5)), self._one(self.domain.facts))
        return self._typed(". ".join(sentences)), opinion.praises

    def opinion(self) -> Opinion:
        """The opinion that a review expresses."""
        number = self.rng.random()
        if number < 0.55:
            return self.side()
        if number < 0.77:
            return disagreement(self.side(), self.side(), self._one(reviews_lexicon.CONTRASTS))
        return self.attributed() if number < 0.88 else self.judged()

    def attributed(self) -> Opinion:
        """The opinions of another person and of the writer, which differ; the writer's counts."""
        who = self._one(reviews_lexicon.CITED)
        if self._chance(0.4):
            pattern = self._one(reviews_lexicon.FEELING_CONTRASTS)
            return disagreement(self.felt(who), self.felt("I"), pattern)
        pattern = self._one(reviews_lexicon.ATTRIBUTIONS).replace("{who}", who)
        return disagreement(self.statement(), self.clause(), pattern)

    def judged(self) -> Opinion:
        """The opinion of another person, which the writer confirms or refutes."""
        turns = self._chance(0.5)
        pattern = self._one(reviews_lexicon.REFUTED if turns else reviews_lexicon.CONFIRMED)
        return framed(self.clause(), pattern.replace("{who}", self._one(reviews_lexicon.CITED)), turns=turns)

    def side(self) -> Opinion:
        """The writer's own opinion: a statement, two clauses that agree, or a feeling."""
        number = self.rng.random()
        if number < 0.2:
            return agreement(self.clause(), self.clause())
        return self.felt("I") if number < 0.4 else self.statement()

    def statement(self) -> Opinion:
        """A clause, with probability 0.1 after an opener such as "I think that", with 0.08 after a denial."""
        number, clause = self.rng.random(), self.clause()
        if number < 0.08:
            return framed(clause, self._one(reviews_lexicon.DENIALS), turns=True)
        return framed(clause, self._one(reviews_lexicon.OPENERS)) if number < 0.18 else clause

    def clause(self) -> Opinion:
        """A short opinion on the thing or a part of it."""
        return self._one((self.described, self.described, self.named, self.acting))()

    def described(self) -> Opinion:
        """An opinion with an adjective: "the plot is gripping"."""
        praises, special = self._chance(0.5), self._chance(0.4)
        subject = self._one(self.domain.described) if special else self._subject()
        be = self._one(("are", "were") if subject in self.domain.many else ("is", "was"))
        word = self._word((self.domain.adjectives if special else reviews_lexicon.ADJECTIVES)[praises])
        text = " ".join(filter(None, (subject, be, self._one(reviews_lexicon.INTENSIFIERS), word)))
        contrary = self._one(reviews_lexicon.DENIED_ADJECTIVE).format(subject=subject, be=be, word=word)
        return self._maybe_negated(Opinion(text, contrary, praises))

    def named(self) -> Opinion:
        """An opinion with a noun: "the plot is a triumph"."""
        praises, subject = self._chance(0.5), self._one((self.domain.thing, *self.domain.parts))
        noun = f"{self._one(reviews_lexicon.ARTICLES)} {self._word(reviews_lexicon.NOUNS[praises])}"
        be = self._one(("is", "was"))
        contrary = self._one(reviews_lexicon.DENIED_NOUN).format(subject=subject, be=be, word=noun)
        return self._maybe_negated(Opinion(f"{subject} {be} {noun}", contrary, praises))

    def acting(self) -> Opinion:
        """An opinion with a verb: "the plot falls flat"."""
        praises, subject = self._chance(0.5), self._subject()
        verb = self._word(reviews_lexicon.VERBS[praises])
        do, ended = ("do", verb) if subject in self.domain.many else ("does", third_person(verb))
        contrary = self._one(reviews_lexicon.DENIED_VERB).format(subject=subject, do=do, word=verb)
        return self._maybe_negated(Opinion(f"{subject} {ended}", contrary, praises))

    def felt(self, who: str) -> Opinion:
        """A feeling of a person: "I loved the plot"."""
        praises, subject = self._chance(0.5), self._subject()
        verb = self._word(reviews_lexicon.FEELINGS[praises])
        contrary = self._one(reviews_lexicon.DENIED_FEELING).format(who=who, subject=subject, word=verb)
        return self._maybe_negated(Opinion(f"{who} {past(verb)} {subject}", contrary, praises))

    def _maybe_negated(self, opinion: Opinion) -> Opinion:
        """The opinion, or its contrary with probability 0.2."""
        return opinion.negated() if self._chance(0.2) else opinion

    def _subject(self) -> str:
        """The thing or one of its parts."""
        return self._one((self.domain.thing, *self.domain.parts, *self.domain.many))

    def _word(self, words: Words) -> str:
        """A held-out word with probability `held_out_share`, else one that occurs in training."""
        return self._one(words.held_out if self._chance(self.held_out_share) else words.seen)

    def _chance(self, probability: float) -> bool:
        """True with the given probability."""
        return bool(self.rng.random() < probability)

    def _one(self, options: Sequence[T]) -> T:
        """One of the options, chosen uniformly; ten times as fast as numpy's `choice`."""
        return options[int(self.rng.random() * len(options))]

    def _typed(self, text: str) -> str:
        """Vary case and punctuation: most texts have capitals and end with a mark, some have neither."""
        style, mark = self.rng.random(), self._one((".", ".", ".", "!", "..."))
        if style < 0.1:
            return re.sub(r"\bI\b", "i", text)
        if style < 0.2:
            return text + mark
        text = re.sub(r"(?:^|(?<=\. ))[a-z]", lambda first: first[0].upper(), text)
        return (text.upper() if style < 0.25 else text) + mark


def letters(text: str) -> str:
    """The letters of a review in lower case, which identify it; without spaces and punctuation."""
    return re.sub(r"[^a-z]", "", text.lower())


def split_of(text: str) -> Split:
    """The split of a text, a function of its letters, so that no text is in two splits for any seeds.

    Examples:
        >>> split_of("I loved it!") == split_of("i loved it")
        True
    """
    splits: tuple[Split, ...] = get_args(Split)
    return splits[derive(0, letters(text)) % len(splits)]


def make_reviews(rows: int, *, seed: int, split: Split) -> list[tuple[str, int]]:
    """Generate distinct reviews with labels (0 negative, 1 positive), half of them positive.

    Args:
        rows: Number of reviews, >= 1; an odd number has one more negative review.
        seed: Random seed; the same seed gives the same reviews.
        split: "train" uses only the words that are `seen` in the lexicon, "dev" and "test" also the others.
            No text is in two splits, for any seeds.

    Raises:
        ConfigError: `rows` is below 1.

    Examples:
        >>> sorted(label for _, label in make_reviews(4, seed=0, split="dev"))
        [0, 0, 1, 1]
    """
    if rows < 1:
        raise ConfigError(f"a split needs 1 review or more, got {rows}. Ask for more rows.")
    rng = generator(seed, "synthetic", split)
    share = 0.0 if split == "train" else HELD_OUT_SHARE
    labels = rng.permutation(np.arange(rows) % 2)
    reviews: list[tuple[str, int]] = []
    known: set[str] = set()
    while len(reviews) < rows:
        domain = reviews_lexicon.DOMAINS[int(rng.random() * len(reviews_lexicon.DOMAINS))]
        text, praises = Writer(rng, domain, share).review()
        fits = FEWEST_WORDS <= len(text.split()) <= MOST_WORDS and letters(text) not in known
        if praises == labels[len(reviews)] and fits and split_of(text) == split:
            known.add(letters(text))
            reviews.append((text, int(praises)))
    return reviews


def reviews_task(
    train_rows: int = 3000, dev_rows: int = 1000, *, seed: int = 0, careless: float = CARELESS_SHARE
) -> Task:
    """The synthetic task: sentiment of generated reviews.

    Args:
        train_rows: Number of training examples, >= 1.
        dev_rows: Number of dev examples, >= 1.
        seed: Random seed; the same seed gives the same task.
        careless: Fraction of the training labels that are flipped, in [0, 1).

    Raises:
        ConfigError: `careless` or a number of rows is out of range.

    Examples:
        >>> task = reviews_task(8, 4)
        >>> task.spec.name, task.train.num_rows, task.dev["dev"].num_rows
        ('synthetic', 8, 4)
    """
    if not 0 <= careless < 1:
        raise ConfigError(f"careless must be in [0, 1), got {careless}.")
    wrong = generator(seed, "careless").permutation(train_rows)[: round(careless * train_rows)].tolist()
    splits = {"train": _dataset(train_rows, seed, "train", wrong), "dev": _dataset(dev_rows, seed, "dev")}
    notes = (
        "made by a grammar, no person wrote these reviews",
        f"{HELD_OUT_SHARE:.0%} of the words of opinion in dev never appear in train",
        f"{len(wrong)} of {train_rows} training labels are wrong on purpose, none in dev",
    )
    return Task(spec=SYNTHETIC, splits=splits, source=f"synthetic reviews, seed {seed}", notes=notes)


def _dataset(rows: int, seed: int, split: Split, wrong: Sequence[int] = ()) -> Dataset:
    """Reviews with the columns that every task has; the labels of the rows `wrong` are flipped."""
    texts, true_labels = zip(*make_reviews(rows, seed=seed, split=split), strict=True)
    flipped = set(wrong)
    labels = [1 - label if row in flipped else label for row, label in enumerate(true_labels)]
    dtypes = {"sentence1": "string", "sentence2": "string", "label": "int64", "index": "int64"}
    columns = {"sentence1": texts, "sentence2": [""] * rows, "label": labels, "index": range(rows)}
    features = Features({name: Value(dtype) for name, dtype in dtypes.items()})
    return Dataset.from_dict({name: list(column) for name, column in columns.items()}, features=features)
