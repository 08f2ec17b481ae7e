"""Opinions: phrases with their sentiment, and the rules that combine them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Opinion:
    """A phrase with its contrary and its sentiment.

    Examples:
        >>> dull = Opinion("the plot is dull", "the plot is not dull", praises=False)
        >>> dull.negated()
        Opinion(text='the plot is not dull', contrary='the plot is dull', praises=True)
    """

    text: str
    """The phrase, without a capital letter at the start and without a full stop."""

    contrary: str
    """A phrase with the opposite meaning."""

    praises: bool
    """Whether `text` is positive; negative otherwise."""

    def negated(self) -> "Opinion":
        """The contrary opinion; its contrary is this one."""
        return Opinion(self.contrary, self.text, not self.praises)


def framed(opinion: Opinion, pattern: str, *, turns: bool = False) -> Opinion:
    """Put an opinion into a sentence.

    Args:
        opinion: The opinion.
        pattern: The sentence, with {0} for the opinion.
        turns: Whether the sentence negates the opinion.

    Examples:
        >>> dull = Opinion("the plot is dull", "the plot is not dull", praises=False)
        >>> framed(dull, "I doubt that {0}", turns=True).praises
        True
    """
    text, contrary = pattern.format(opinion.text), pattern.format(opinion.contrary)
    return Opinion(text, contrary, opinion.praises != turns)


def contrast(minor: Opinion, major: Opinion, pattern: str = "{minor}, but {major}") -> Opinion:
    """Combine two opinions; the result has the sentiment of the major one.

    Args:
        minor: The opinion that does not count.
        major: The opinion that counts.
        pattern: The sentence, with {minor} and {major} in any order.

    Examples:
        >>> fine = Opinion("the cast is fine", "the cast is not fine", praises=True)
        >>> dull = Opinion("the plot is dull", "the plot is not dull", praises=False)
        >>> both_ways = contrast(fine, dull), contrast(dull, fine)
        >>> [(opinion.text, opinion.praises) for opinion in both_ways]
        [('the cast is fine, but the plot is dull', False), ('the plot is dull, but the cast is fine', True)]
    """
    text = pattern.format(minor=minor.text, major=major.text)
    contrary = pattern.format(minor=minor.text, major=major.contrary)
    return Opinion(text, contrary, major.praises)


def disagreement(minor: Opinion, major: Opinion, pattern: str) -> Opinion:
    """A contrast of opinions that differ: the minor one is negated if both have the same sentiment."""
    return contrast(minor.negated() if minor.praises == major.praises else minor, major, pattern)


def agreement(first: Opinion, second: Opinion) -> Opinion:
    """Join two opinions of the same sentiment by "and"; the second is negated if its sentiment differs.

    Examples:
        >>> fine = Opinion("the cast is fine", "the cast is not fine", praises=True)
        >>> dull = Opinion("the plot is dull", "the plot is not dull", praises=False)
        >>> agreement(fine, dull).text
        'the cast is fine and the plot is not dull'
    """
    second = second if second.praises == first.praises else second.negated()
    text, contrary = f"{first.text} and {second.text}", f"{first.contrary} and {second.contrary}"
    return Opinion(text, contrary, first.praises)


def third_person(verb: str) -> str:
    """The third person singular of a verb phrase.

    Examples:
        >>> third_person("work well"), third_person("impress"), third_person("satisfy us")
        ('works well', 'impresses', 'satisfies us')
    """
    first, space, rest = verb.partition(" ")
    if first.endswith("fy"):
        ended = first.removesuffix("y") + "ies"
    else:
        ended = first + ("es" if first.endswith(("s", "sh", "ch", "x", "z")) else "s")
    return ended + space + rest


def past(verb: str) -> str:
    """The past tense of a regular verb, with -d or -ed.

    Examples:
        >>> past("love"), past("detest")
        ('loved', 'detested')
    """
    return verb + ("d" if verb.endswith("e") else "ed")
