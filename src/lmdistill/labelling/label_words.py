"""Label words: what the teacher writes for each label, and how its tokens and replies are read."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lmdistill.core.errors import ConfigError, UnknownNameError

FIRST_RUN = re.compile(r"[^\W\d_]+|.", re.DOTALL)
"""The first run of letters, or one digit or sign: tokenizers split a word there or earlier."""

DECORATION = " \t\r\n\u2581\u0120\"'`*_#()[]<>.,:;!\u201c\u201d\u00ab\u00bb"
"""Spaces, the space marks of tokenizers, quotes, Markdown and punctuation around an answer."""

THOUGHT = re.compile(r"^.*</think>", re.DOTALL)
"""What a reasoning model writes before its answer."""

LEAD_IN = re.compile(r"^(?:label|answer|category|class)\s*[:=]\s*", re.IGNORECASE)
"""What some models repeat before the label."""


@dataclass(frozen=True, kw_only=True)
class LabelWords:
    """The labels of a task, and the word that the teacher is asked to write for each."""

    labels: tuple[str, ...]
    """Names of the labels, at least two, in the order of the output."""

    words: tuple[str, ...]
    """The word of each label; the label itself unless another one was named."""

    def started_by(self, token: str) -> tuple[int, ...]:
        """Numbers of the labels whose word begins with `token`, or is followed by a sign in it.

        Case, and spaces or quotes before the token, do not count.

        Examples:
            >>> words = label_words(["positive", "negative"])
            >>> words.started_by(" Pos"), words.started_by("negative."), words.started_by("the")
            ((0,), (1,), ())
        """
        start = token.lstrip(DECORATION).casefold()
        if not start:
            return ()
        return tuple(
            number for number, word in enumerate(self.words) if _begins(word.strip().casefold(), start)
        )

    def read(self, reply: str) -> int | None:
        """Number of the label that a reply names, or None if it names none or several.

        The reply is a label word, or begins with one and names no other.

        Examples:
            >>> words = label_words(["positive", "negative"])
            >>> words.read("**Negative**."), words.read("Answer: positive, since it is praise")
            (1, 0)
            >>> words.read("positive or negative"), words.read("I like it")
            (None, None)
        """
        text = THOUGHT.sub("", reply).strip(DECORATION)
        text = LEAD_IN.sub("", text).strip(DECORATION).casefold()
        folded = [word.strip().casefold() for word in self.words]
        stripped = [word.strip(DECORATION) or word for word in folded]
        if text in stripped:
            return stripped.index(text)
        first = [number for number, word in enumerate(folded) if _is_word_at(text, word, 0)]
        if not first:
            return None
        number = max(first, key=lambda one: len(folded[one]))
        rest = text[len(folded[number]) :]
        return None if any(_occurs(word, rest) for word in folded if word != folded[number]) else number

    def require_distinct_beginnings(self) -> None:
        """Refuse words that have the same first token for any usual tokenizer.

        Tokenizers split a word after a run of letters, or earlier. So two words share the first token if
        they begin with the same run, or if one is the beginning of the other. Words that share a shorter
        beginning are found by `from_top_logprobs`.

        Raises:
            ConfigError: If two words do.
        """
        folded = [word.strip().casefold() for word in self.words]
        for number, word in enumerate(folded):
            for other in range(number):
                if _share_beginning(word, folded[other]):
                    raise same_beginning(self, (other, number))


def same_beginning(words: LabelWords, pair: Sequence[int]) -> ConfigError:
    """The error for two labels that the first token does not tell apart."""
    first, second = pair[:2]
    return ConfigError(
        f"the words {words.words[first]!r} and {words.words[second]!r} begin with the same token, which "
        "log-probabilities cannot tell apart. Give one of them another word, as in --label-word "
        f"{words.labels[second]!r}=WORD, or use --probabilities samples."
    )


def label_words(labels: Sequence[str], renamed: Mapping[str, str] | None = None) -> LabelWords:
    """The words of some labels.

    Args:
        labels: Names, at least two; they differ in more than case and spaces at the ends.
        renamed: Label to the word that the teacher writes for it.

    Raises:
        ConfigError: There are fewer than two labels, or two are alike, or one is blank.
        UnknownNameError: A word is given for a label that does not exist.

    Examples:
        >>> label_words(["pos", "neg"], {"neg": "bad"}).words
        ('pos', 'bad')
    """
    renamed = renamed or {}
    names = tuple(label.strip() for label in labels)
    if len(names) < 2:
        raise ConfigError(f"there are {len(names)} labels ({', '.join(names) or 'none'}). Name two or more.")
    for label in renamed:
        if label not in names:
            raise UnknownNameError("label", label, names)
    words = tuple(renamed.get(name, name).strip() for name in names)
    for what, values in (("labels", names), ("words of labels", words)):
        _require_different(what, values)
    return LabelWords(labels=names, words=words)


def _require_different(what: str, values: Sequence[str]) -> None:
    """Refuse blank values, and two that differ only in case."""
    seen: dict[str, str] = {}
    for value in values:
        if not value:
            raise ConfigError(f"one of the {what} is blank: {', '.join(map(repr, values))}. Name it.")
        if value.casefold() in seen:
            raise ConfigError(
                f"the {what} {seen[value.casefold()]!r} and {value!r} are alike. Name each label once."
            )
        seen[value.casefold()] = value


def _begins(word: str, start: str) -> bool:
    """Whether a token is the beginning of a word, or the word with a sign behind it."""
    return word.startswith(start) or _is_word_at(start, word, 0)


def _is_word_at(text: str, word: str, place: int) -> bool:
    """Whether `text` has `word` at `place`, and no letter or digit directly behind it."""
    end = place + len(word)
    return text.startswith(word, place) and not text[end : end + 1].isalnum()


def _occurs(word: str, text: str) -> bool:
    """Whether a word stands anywhere in a text on its own."""
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


def _share_beginning(first: str, second: str) -> bool:
    """Whether two words have the same first token for any usual tokenizer."""
    runs = [FIRST_RUN.match(word) for word in (first, second)]
    if runs[0] and runs[1] and runs[0].group() == runs[1].group():
        return True
    return first.startswith(second) or second.startswith(first)
