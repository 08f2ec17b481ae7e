"""A prompt and the label words behind it, in tokens of a language model that reads both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.data.batching.tokenizer_checks import cut_text
from lmdistill.data.language.chat_template import render_chat_prompt
from lmdistill.data.language.special_tokens import bos_ids, with_begin
from lmdistill.evaluation.label_likelihood import Question
from lmdistill.labelling.label_words import LabelWords
from lmdistill.labelling.prompt_template import PromptTemplate

CONTENT_FREE = ("N/A", "[MASK]", "")
"""Texts without content, as Zhao et al. (2021) use them."""


@dataclass(frozen=True, kw_only=True)
class LabelPrompt:
    """Turns the texts of an example into a `Question` whose answers are the label words."""

    template: PromptTemplate
    """The text around the example, with a place for each of its texts."""

    words: LabelWords
    """The labels, and the word of each."""

    tokenizer: Any
    """The tokenizer of the model."""

    chat: bool
    """Send the prompt as the message of a user, in the chat template of the tokenizer."""

    max_length: int
    """Most tokens of the texts of an example together; longer ones are cut at their end."""

    longest: int
    """Most tokens that the model reads."""

    def question(self, texts: Sequence[str]) -> tuple[Question, bool]:
        """The question of an example, and whether its texts were cut.

        The longer text of a pair is cut first; the prompt around the texts stays as it is.

        Raises:
            ConfigError: If the prompt leaves no room for a text, or two words are the same tokens.
            DataError: If the chat template rejects the prompt.
        """
        budget = min(self.max_length, self._room)
        while True:
            shown = self._cut(texts, budget)
            question = self._question(shown)
            over = len(question.prompt) + max(map(len, question.answers)) - 1 - self.longest
            if over <= 0:
                return question, tuple(shown) != tuple(texts)
            budget -= over
            if budget < 1:
                raise self._no_room(len(question.prompt))

    @cached_property
    def content_free(self) -> tuple[Question, ...]:
        """The questions of texts without content."""
        return tuple(self.question([text] * len(self.template.columns))[0] for text in CONTENT_FREE)

    @cached_property
    def _room(self) -> int:
        """Tokens that the prompt and the longest word leave for the texts.

        Raises:
            ConfigError: If that is none.
        """
        empty = self._question([""] * len(self.template.columns))
        room = self.longest - len(empty.prompt) - max(map(len, empty.answers))
        if room < len(self.template.columns):
            raise self._no_room(len(empty.prompt))
        return room

    def _no_room(self, tokens: int) -> ConfigError:
        """The error for a prompt that is too long."""
        return ConfigError(
            f"the prompt has {tokens} tokens without a text, and the model reads at most {self.longest}. "
            "Shorten it."
        )

    def _cut(self, texts: Sequence[str], budget: int) -> list[str]:
        """The texts with at most `budget` tokens in all; the longer one is cut first."""
        shown = [cut_text(text, budget) for text in texts]
        sizes = shares([len(self._plain(text)) for text in shown], budget)
        return [self._beginning(text, size) for text, size in zip(shown, sizes, strict=True)]

    def _beginning(self, text: str, size: int) -> str:
        """The first `size` tokens of a text, as text."""
        ids = self._plain(text)
        if len(ids) <= size:
            return text
        if not self.tokenizer.is_fast:
            return str(self.tokenizer.decode(ids[:size]))
        spans = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        return text[: spans[size - 1][1]] if size else ""

    def _question(self, texts: Sequence[str]) -> Question:
        """The question of texts that are shown whole."""
        prompt, gap = self._rendered(self.template.fill(texts))
        alone = self._ids(prompt)
        whole = [self._ids(f"{prompt}{gap}{word}") for word in self.words.words]
        shared = min(_common(alone, ids) for ids in whole)
        answers = tuple(tuple(ids[shared:]) for ids in whole)
        self._require_answers(answers)
        if not shared:
            raise ConfigError("the prompt has no tokens before the label word. Write a question in it.")
        return Question(prompt=tuple(alone[:shared]), answers=answers)

    def _rendered(self, prompt: str) -> tuple[str, str]:
        """The prompt as the model reads it, and what stands between it and the word."""
        if self.chat:
            try:
                return render_chat_prompt([{"role": "user", "content": prompt}], self.tokenizer), ""
            except DataError as error:
                raise DataError(
                    f"{str(error).split(').')[0]}). Set teacher.scoring.chat_template to false."
                ) from None
        bare = prompt.rstrip(" ")
        return bare, "" if not bare or bare[-1].isspace() else " "

    def _ids(self, text: str) -> list[int]:
        """Token ids of a prompt, with the begin token unless a chat template has written it."""
        ids = self._plain(text)
        return with_begin(ids, bos_ids(self.tokenizer))

    def _plain(self, text: str) -> list[int]:
        """Token ids of a text alone."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _require_answers(self, answers: Sequence[tuple[int, ...]]) -> None:
        """Check that each word has tokens of its own."""
        seen: Mapping[tuple[int, ...], int] = {}
        for number, answer in enumerate(answers):
            word = self.words.words[number]
            if not answer:
                raise ConfigError(
                    f"the word {word!r} of the label {self.words.labels[number]!r} has no tokens. Name "
                    "another one in teacher.label_words."
                )
            if answer in seen:
                raise ConfigError(
                    f"the words {self.words.words[seen[answer]]!r} and {word!r} are the same tokens to the "
                    "model, which cannot tell them apart. Name another one in teacher.label_words."
                )
            seen = {**seen, answer: number}


def shares(sizes: Sequence[int], budget: int) -> list[int]:
    """How many tokens of one or two texts are kept, at most `budget` in all; the longer one is cut first.

    Examples:
        >>> shares([9], 5), shares([9, 2], 6), shares([9, 8], 7), shares([3, 3], 7)
        ([5], [4, 2], [4, 3], [3, 3])
    """
    if sum(sizes) <= budget:
        return list(sizes)
    if len(sizes) == 1:
        return [budget]
    shorter = min(*sizes, budget // 2)
    return [budget - shorter, shorter] if sizes[0] >= sizes[1] else [shorter, budget - shorter]


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """Number of tokens at the beginning that two lists share."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(first), len(second)))
