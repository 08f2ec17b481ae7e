"""The synthetic task: reviews made by a grammar that knows what they mean.

Every phrase is an `Opinion`: a text, its contrary, and whether it praises. Phrases are joined by rules that compute
the meaning of the whole from the meaning of the parts, so that labels are exact. What the task asks for is negation
(also twice), contrast ("X, but Y" means Y), whose opinion counts (the writer's), and words that training never showed.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from datasets import Dataset, Features, Value

from lmdistill.core.errors import ConfigError
from lmdistill.core.seeding import derive, generator
from lmdistill.data import lexicon
from lmdistill.data.lexicon import Domain, Words
from lmdistill.data.tasks import Task, TaskSpec

SYNTHETIC = TaskSpec(name="synthetic", columns=("sentence",), labels=("negative", "positive"), test_splits=())
"""What the synthetic task asks; it comes from `reviews_task`, not from files."""

SPLITS = ("train", "dev", "test")
HELD_OUT_SHARE = 0.5  # of the words of opinion outside training; the rest was seen there
WORDS = (6, 45)  # shortest and longest review

Split = Literal["train", "dev", "test"]


@dataclass(frozen=True)
class Opinion:
    """A phrase with its meaning.

    Examples:
        >>> dull = Opinion("the plot is dull", "the plot is not dull", praises=False)
        >>> dull.negated()
        Opinion(text='the plot is not dull', contrary='the plot is dull', praises=True)
    """

    text: str
    """The phrase, without a capital or a full stop."""

    contrary: str
    """The phrase that means the opposite."""

    praises: bool
    """Whether `text` is positive."""

    def negated(self) -> "Opinion":
        """The contrary opinion, whose contrary is this one."""
        return Opinion(self.contrary, self.text, not self.praises)


def framed(opinion: Opinion, pattern: str, *, turns: bool = False) -> Opinion:
    """An opinion put into a sentence that keeps it, or `turns` it into the opposite.

    Examples:
        >>> dull = Opinion("the plot is dull", "the plot is not dull", praises=False)
        >>> framed(dull, "I doubt that {0}", turns=True).praises
        True
    """
    return Opinion(pattern.format(opinion.text), pattern.format(opinion.contrary), opinion.praises != turns)


def contrast(minor: Opinion, major: Opinion, pattern: str = "{minor}, but {major}") -> Opinion:
    """Two opinions of which the major one decides.

    Examples:
        >>> fine = Opinion("the cast is fine", "the cast is not fine", praises=True)
        >>> dull = Opinion("the plot is dull", "the plot is not dull", praises=False)
        >>> contrast(fine, dull)
        Opinion(text='the cast is fine, but the plot is dull', contrary='the cast is fine, but the plot is not dull', praises=False)
    """
    text, contrary = (pattern.format(minor=minor.text, major=side) for side in (major.text, major.contrary))
    return Opinion(text, contrary, major.praises)


def both(first: Opinion, second: Opinion) -> Opinion:
    """Two opinions that agree, with "and"; the second is turned round if it must be."""
    second = second if second.praises == first.praises else second.negated()
    return Opinion(
        f"{first.text} and {second.text}", f"{first.contrary} and {second.contrary}", first.praises
    )


def disagreeing(minor: Opinion, major: Opinion, pattern: str) -> Opinion:
    """A contrast whose minor opinion is turned round where it says the same as the major one."""
    return contrast(minor.negated() if minor.praises == major.praises else minor, major, pattern)


class Writer:
    """Draws opinions on one kind of thing."""

    def __init__(self, rng: np.random.Generator, domain: Domain, held_out_share: float) -> None:
        self.rng = rng
        self.domain = domain
        self.held_out_share = held_out_share

    def chance(self, share: float) -> bool:
        """True in `share` of all draws."""
        return bool(self.rng.random() < share)

    def pick(self, options: Sequence[str]) -> str:
        """One of the options, all equally likely."""
        return options[int(self.rng.random() * len(options))]

    def word(self, words: Words) -> str:
        """A word that training shows, or one that it does not."""
        return self.pick(words.held_out if self.chance(self.held_out_share) else words.seen)

    def turned(self, opinion: Opinion, share: float = 0.2) -> Opinion:
        """The opinion, or its contrary in `share` of all draws."""
        return opinion.negated() if self.chance(share) else opinion

    def subject(self) -> str:
        """What is praised or blamed."""
        return self.pick((self.domain.thing, *self.domain.parts, *self.domain.many))

    def described(self) -> Opinion:
        """An opinion with an adjective: "the plot is gripping"."""
        praises, special = self.chance(0.5), self.chance(0.4)
        subject = self.pick(self.domain.described) if special else self.subject()
        word = self.word((self.domain.adjectives if special else lexicon.ADJECTIVES)[praises])
        be = self.pick(("are", "were") if subject in self.domain.many else ("is", "was"))
        intensifier = self.pick(lexicon.INTENSIFIERS)
        strong = f"{intensifier} {word}".strip()
        contrary = self.pick(lexicon.DENIED_ADJECTIVE).format(subject=subject, be=be, word=word)
        return Opinion(f"{subject} {be} {strong}", contrary, praises)

    def named(self) -> Opinion:
        """An opinion with a noun: "the plot is a triumph"."""
        praises, subject = self.chance(0.5), self.pick((self.domain.thing, *self.domain.parts))
        noun = f"{self.pick(('a', 'a real', 'a complete'))} {self.word(lexicon.NOUNS[praises])}"
        be = self.pick(("is", "was"))
        contrary = self.pick(lexicon.DENIED_NOUN).format(subject=subject, be=be, word=noun)
        return Opinion(f"{subject} {be} {noun}", contrary, praises)

    def acting(self) -> Opinion:
        """An opinion with a verb: "the plot drags"."""
        praises, subject = self.chance(0.5), self.subject()
        verb, plural = self.word(lexicon.VERBS[praises]), subject in self.domain.many
        contrary = self.pick(lexicon.DENIED_VERB).format(subject=subject, do="do" if plural else "does", word=verb)
        return Opinion(f"{subject} {verb if plural else third_person(verb)}", contrary, praises)

    def felt(self, who: str) -> Opinion:
        """An opinion with a feeling: "I loved the plot"."""
        praises, subject = self.chance(0.5), self.subject()
        verb = self.word(lexicon.FEELINGS[praises])
        contrary = self.pick(lexicon.DENIED_FEELING).format(who=who, subject=subject, word=verb)
        return Opinion(f"{who} {past(verb)} {subject}", contrary, praises)

    def clause(self) -> Opinion:
        """One short opinion on the thing, in a third of all draws denied."""
        makers = (self.described, self.described, self.named, self.acting)
        return self.turned(makers[int(self.rng.random() * len(makers))]())

    def statement(self) -> Opinion:
        """A clause, hedged or denied as a whole in a third of all draws."""
        dice, clause = self.rng.random(), self.clause()
        if dice < 0.1:
            return framed(clause, self.pick(lexicon.DENIALS), turns=True)
        return framed(clause, self.pick(lexicon.OPENERS)) if dice < 0.2 else clause

    def side(self) -> Opinion:
        """One side of a contrast: a statement, two clauses that agree, or the writer's feeling."""
        dice = self.rng.random()
        if dice < 0.2:
            return both(self.clause(), self.clause())
        return self.turned(self.felt("I")) if dice < 0.4 else self.statement()

    def contrasted(self) -> Opinion:
        """Two sides that disagree."""
        return disagreeing(self.side(), self.side(), self.pick(lexicon.CONTRASTS))

    def attributed(self) -> Opinion:
        """Somebody's opinion and the writer's, which disagree."""
        who = self.pick(lexicon.CITED)
        if self.chance(0.4):
            minor, major = self.turned(self.felt(who)), self.turned(self.felt("I"))
            return disagreeing(minor, major, self.pick(lexicon.FEELING_CONTRASTS))
        pattern = self.pick(lexicon.ATTRIBUTIONS).replace("{who}", who)
        return disagreeing(self.statement(), self.clause(), pattern)

    def judged(self) -> Opinion:
        """Somebody's opinion that the writer confirms or refutes."""
        turns = self.chance(0.5)
        pattern = self.pick(lexicon.REFUTED if turns else lexicon.CONFIRMED).replace(
            "{who}", self.pick(lexicon.CITED)
        )
        return framed(self.clause(), pattern, turns=turns)

    def opinion(self) -> Opinion:
        """The opinion of a whole review."""
        dice = self.rng.random()
        if dice < 0.4:
            return self.side()
        if dice < 0.7:
            return self.contrasted()
        return self.attributed() if dice < 0.85 else self.judged()

    def review(self) -> tuple[str, bool]:
        """A text, and whether it praises."""
        opinion = self.opinion()
        sentences = [opinion.text]
        if self.chance(0.15):
            sentences.insert(int(self.rng.random() * 2), self.pick(self.domain.facts))
        return styled(sentences, self.rng), opinion.praises


def third_person(verb: str) -> str:
    """The verb with the ending of "she does".

    Examples:
        >>> third_person("work well"), third_person("impress")
        ('works well', 'impresses')
    """
    first, _, rest = verb.partition(" ")
    ending = "es" if first.endswith(("s", "sh", "ch", "x", "z")) else "ies" if first.endswith("fy") else "s"
    return f"{first.removesuffix('y') if ending == 'ies' else first}{ending} {rest}".strip()


def past(verb: str) -> str:
    """The past of a regular verb.

    Examples:
        >>> past("love"), past("detest")
        ('loved', 'detested')
    """
    return verb + ("d" if verb.endswith("e") else "ed")


def styled(sentences: Sequence[str], rng: np.random.Generator) -> str:
    """Sentences as people type them: mostly with capitals and full stops."""
    mark = (".", ".", ".", "!", "...", "")[int(rng.random() * 6)]
    text = ". ".join(sentences)
    style = rng.random()
    if style < 0.15:
        return text.replace("I ", "i ") + mark
    text = re.sub(r"(^|\. )([a-z])", lambda match: match[1] + match[2].upper(), text)
    return (text.upper() if style < 0.2 else text) + (mark or ".")


def _split_of(text: str) -> str:
    """The split that a text belongs to, by its letters alone: no seed can put it into another."""
    return SPLITS[derive(0, re.sub(r"[^a-z]", "", text.lower())) % len(SPLITS)]


def make_reviews(rows: int, *, seed: int, split: Split) -> Iterator[tuple[str, int]]:
    """Reviews with their labels, half of them positive."""
    rng = generator(seed, "synthetic", split)
    share = 0.0 if split == "train" else HELD_OUT_SHARE
    known: set[str] = set()
    for label in rng.permutation(np.arange(rows) % 2):
        while True:
            domain = lexicon.DOMAINS[int(rng.random() * len(lexicon.DOMAINS))]
            text, praises = Writer(rng, domain, share).review()
            if praises != label or not WORDS[0] <= len(text.split()) <= WORDS[1]:
                continue
            if _split_of(text) == split and text.lower() not in known:
                break
        known.add(text.lower())
        yield text, int(label)
