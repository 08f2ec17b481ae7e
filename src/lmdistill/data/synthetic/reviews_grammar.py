"""Opinions: phrases that know what they mean, and the rules that join them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Opinion:
    """A phrase with its contrary and its meaning.

    Examples:
        >>> dull = Opinion("the plot is dull", "the plot is not dull", praises=False)
        >>> dull.negated()
        Opinion(text='the plot is not dull', contrary='the plot is dull', praises=True)
    """

    text: str
    """The phrase, without a capital and a full stop."""

    contrary: str
    """A phrase that means the opposite."""

    praises: bool
    """Whether `text` is praise; blame otherwise."""

    def negated(self) -> "Opinion":
        """The contrary opinion, whose contrary is this one."""
        return Opinion(self.contrary, self.text, not self.praises)


def framed(opinion: Opinion, pattern: str, *, turns: bool = False) -> Opinion:
    """An opinion put into a sentence that keeps it, or that `turns` it round.

    Examples:
        >>> dull = Opinion("the plot is dull", "the plot is not dull", praises=False)
        >>> framed(dull, "I doubt that {0}", turns=True).praises
        True
    """
    text, contrary = pattern.format(opinion.text), pattern.format(opinion.contrary)
    return Opinion(text, contrary, opinion.praises != turns)


def contrast(minor: Opinion, major: Opinion, pattern: str = "{minor}, but {major}") -> Opinion:
    """Two opinions of which the major one decides, wherever the pattern puts it.

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
    """A contrast whose minor opinion is turned round where it says the same as the major one."""
    return contrast(minor.negated() if minor.praises == major.praises else minor, major, pattern)


def agreement(first: Opinion, second: Opinion) -> Opinion:
    """Two opinions that say the same, joined by "and"; the second is turned round where it does not.

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
    """The verb with the ending that goes with "it".

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
    """The past of a verb that forms it with -d or -ed.

    Examples:
        >>> past("love"), past("detest")
        ('loved', 'detested')
    """
    return verb + ("d" if verb.endswith("e") else "ed")
