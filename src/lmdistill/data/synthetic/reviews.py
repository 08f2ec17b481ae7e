"""The synthetic task: reviews that a grammar makes, which therefore knows what they mean.

Labels are computed from the parts (`lmdistill.data.synthetic.reviews_grammar`), never guessed from the
text. What has to be understood: negation, also twice; contrast ("X, but Y" means Y); whose opinion counts
(the writer's); what is said and then refuted; and words that training never shows.
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
"""Share of the words of opinion in dev and test that training never shows."""

CARELESS_SHARE = 0.1
"""Share of the training labels that are wrong, as hurried people leave them; dev and test are right."""

FEWEST_WORDS, MOST_WORDS = 6, 45
"""Length of the shortest and the longest review."""

T = TypeVar("T")


class Writer:
    """Draws opinions on one kind of thing.

    Args:
        rng: Where chance comes from.
        domain: What is reviewed.
        held_out_share: Share of the words of opinion that training never shows, in [0, 1].
    """

    def __init__(self, rng: np.random.Generator, domain: Domain, held_out_share: float) -> None:
        self.rng = rng
        self.domain = domain
        self.held_out_share = held_out_share

    def review(self) -> tuple[str, bool]:
        """A text, and whether it is praise."""
        opinion = self.opinion()
        sentences = [opinion.text]
        if self._happens(0.15):
            sentences.insert(int(self._happens(0.5)), self._one(self.domain.facts))
        return self._typed(". ".join(sentences)), opinion.praises

    def opinion(self) -> Opinion:
        """What a whole review says."""
        dice = self.rng.random()
        if dice < 0.55:
            return self.side()
        if dice < 0.77:
            return disagreement(self.side(), self.side(), self._one(reviews_lexicon.CONTRASTS))
        return self.attributed() if dice < 0.88 else self.judged()

    def attributed(self) -> Opinion:
        """Somebody's opinion and the writer's, which disagree."""
        who = self._one(reviews_lexicon.CITED)
        if self._happens(0.4):
            pattern = self._one(reviews_lexicon.FEELING_CONTRASTS)
            return disagreement(self.felt(who), self.felt("I"), pattern)
        pattern = self._one(reviews_lexicon.ATTRIBUTIONS).replace("{who}", who)
        return disagreement(self.statement(), self.clause(), pattern)

    def judged(self) -> Opinion:
        """Somebody's opinion, which the writer confirms or refutes."""
        turns = self._happens(0.5)
        pattern = self._one(reviews_lexicon.REFUTED if turns else reviews_lexicon.CONFIRMED)
        return framed(self.clause(), pattern.replace("{who}", self._one(reviews_lexicon.CITED)), turns=turns)

    def side(self) -> Opinion:
        """The writer's own opinion: a statement, two clauses that agree, or a feeling."""
        dice = self.rng.random()
        if dice < 0.2:
            return agreement(self.clause(), self.clause())
        return self.felt("I") if dice < 0.4 else self.statement()

    def statement(self) -> Opinion:
        """A clause, in some draws hedged or denied as a whole."""
        dice, clause = self.rng.random(), self.clause()
        if dice < 0.08:
            return framed(clause, self._one(reviews_lexicon.DENIALS), turns=True)
        return framed(clause, self._one(reviews_lexicon.OPENERS)) if dice < 0.18 else clause

    def clause(self) -> Opinion:
        """One short opinion on the thing or a part of it."""
        return self._one((self.described, self.described, self.named, self.acting))()

    def described(self) -> Opinion:
        """An opinion with an adjective: "the plot is gripping"."""
        praises, special = self._happens(0.5), self._happens(0.4)
        subject = self._one(self.domain.described) if special else self._subject()
        be = self._one(("are", "were") if subject in self.domain.many else ("is", "was"))
        word = self._word((self.domain.adjectives if special else reviews_lexicon.ADJECTIVES)[praises])
        text = " ".join(filter(None, (subject, be, self._one(reviews_lexicon.INTENSIFIERS), word)))
        contrary = self._one(reviews_lexicon.DENIED_ADJECTIVE).format(subject=subject, be=be, word=word)
        return self._perhaps_denied(Opinion(text, contrary, praises))

    def named(self) -> Opinion:
        """An opinion with a noun: "the plot is a triumph"."""
        praises, subject = self._happens(0.5), self._one((self.domain.thing, *self.domain.parts))
        noun = f"{self._one(reviews_lexicon.ARTICLES)} {self._word(reviews_lexicon.NOUNS[praises])}"
        be = self._one(("is", "was"))
        contrary = self._one(reviews_lexicon.DENIED_NOUN).format(subject=subject, be=be, word=noun)
        return self._perhaps_denied(Opinion(f"{subject} {be} {noun}", contrary, praises))

    def acting(self) -> Opinion:
        """An opinion with a verb: "the plot falls flat"."""
        praises, subject = self._happens(0.5), self._subject()
        verb = self._word(reviews_lexicon.VERBS[praises])
        do, ended = ("do", verb) if subject in self.domain.many else ("does", third_person(verb))
        contrary = self._one(reviews_lexicon.DENIED_VERB).format(subject=subject, do=do, word=verb)
        return self._perhaps_denied(Opinion(f"{subject} {ended}", contrary, praises))

    def felt(self, who: str) -> Opinion:
        """What somebody felt: "I loved the plot"."""
        praises, subject = self._happens(0.5), self._subject()
        verb = self._word(reviews_lexicon.FEELINGS[praises])
        contrary = self._one(reviews_lexicon.DENIED_FEELING).format(who=who, subject=subject, word=verb)
        return self._perhaps_denied(Opinion(f"{who} {past(verb)} {subject}", contrary, praises))

    def _perhaps_denied(self, opinion: Opinion) -> Opinion:
        """The opinion, or in some draws its contrary."""
        return opinion.negated() if self._happens(0.2) else opinion

    def _subject(self) -> str:
        """What is praised or blamed."""
        return self._one((self.domain.thing, *self.domain.parts, *self.domain.many))

    def _word(self, words: Words) -> str:
        """A word that training shows, or one that it does not."""
        return self._one(words.held_out if self._happens(self.held_out_share) else words.seen)

    def _happens(self, share: float) -> bool:
        """True in `share` of all draws."""
        return bool(self.rng.random() < share)

    def _one(self, options: Sequence[T]) -> T:
        """One of the options, all equally likely; ten times faster than numpy's choice."""
        return options[int(self.rng.random() * len(options))]

    def _typed(self, text: str) -> str:
        """Sentences as people type them: mostly with capitals and a full stop."""
        style, mark = self.rng.random(), self._one((".", ".", ".", "!", "..."))
        if style < 0.1:
            return re.sub(r"\bI\b", "i", text)
        if style < 0.2:
            return text + mark
        text = re.sub(r"(?:^|(?<=\. ))[a-z]", lambda first: first[0].upper(), text)
        return (text.upper() if style < 0.25 else text) + mark


def letters(text: str) -> str:
    """What makes a review itself: its letters, without case, spaces and punctuation."""
    return re.sub(r"[^a-z]", "", text.lower())


def split_of(text: str) -> Split:
    """The split that a text belongs to, a function of its letters: no seed can bring it into another.

    Examples:
        >>> split_of("I loved it!") == split_of("i loved it")
        True
    """
    splits: tuple[Split, ...] = get_args(Split)
    return splits[derive(0, letters(text)) % len(splits)]


def make_reviews(rows: int, *, seed: int, split: Split) -> list[tuple[str, int]]:
    """Reviews with labels (0 negative, 1 positive), no two the same, half of them positive.

    Args:
        rows: How many, >= 1; an odd number has one more negative review.
        seed: Same seed, same reviews.
        split: "train" has only the words that are `seen` in the lexicon, "dev" and "test" have others too.
            No text can come up in two splits, whatever the seeds.

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
    wanted = rng.permutation(np.arange(rows) % 2)
    reviews: list[tuple[str, int]] = []
    known: set[str] = set()
    while len(reviews) < rows:
        domain = reviews_lexicon.DOMAINS[int(rng.random() * len(reviews_lexicon.DOMAINS))]
        text, praises = Writer(rng, domain, share).review()
        fits = FEWEST_WORDS <= len(text.split()) <= MOST_WORDS and letters(text) not in known
        if praises == wanted[len(reviews)] and fits and split_of(text) == split:
            known.add(letters(text))
            reviews.append((text, int(praises)))
    return reviews


def reviews_task(
    train_rows: int = 3000, dev_rows: int = 1000, *, seed: int = 0, careless: float = CARELESS_SHARE
) -> Task:
    """The synthetic task: sentiment of reviews that this program makes.

    Args:
        train_rows: Training examples, >= 1.
        dev_rows: Dev examples, >= 1.
        seed: Same seed, same task.
        careless: Share of the training labels that are turned round, in [0, 1).

    Raises:
        ConfigError: `careless` is out of its range, or a split is asked for without rows.

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
    """Reviews with the columns that every task has; the labels of the rows `wrong` are turned round."""
    texts, truth = zip(*make_reviews(rows, seed=seed, split=split), strict=True)
    turned = set(wrong)
    labels = [1 - label if row in turned else label for row, label in enumerate(truth)]
    kinds = {"sentence1": "string", "sentence2": "string", "label": "int64", "index": "int64"}
    columns = {"sentence1": texts, "sentence2": [""] * rows, "label": labels, "index": range(rows)}
    features = Features({name: Value(kind) for name, kind in kinds.items()})
    return Dataset.from_dict({name: list(column) for name, column in columns.items()}, features=features)
