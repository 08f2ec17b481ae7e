"""Synthetic stories: very short, made by a small grammar, with a tokenizer trained on them.

Each story names a child, a thing and its color, and comes back to them later; what goes
wrong decides what mends it. So a small model has something to miss: a wrong name, color or pronoun, or a
thing that is pulled out of the water after it broke. No person wrote these stories.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from datasets import Dataset, Features, Value
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from lmdistill.core.errors import ConfigError
from lmdistill.core.seeding import derive, generator
from lmdistill.data.language.conversations import COLUMNS, Conversations
from lmdistill.data.synthetic import stories_lexicon as words

DEV_PART = 8
"""One in so many combinations of child, color and thing is kept for dev."""

SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
"""First entries of the vocabulary, in order of their ids."""

Split = Literal["train", "dev"]


@dataclass(frozen=True, kw_only=True)
class Story:
    """A story and what it is about."""

    opening: str
    """The first sentence, which names the child."""

    rest: str
    """All other sentences."""

    child: str
    """Who it is about."""

    color: str
    """Of the thing."""

    thing: str
    """What is given, lost or broken, and mended."""

    @property
    def text(self) -> str:
        """The whole story, on one line."""
        return f"{self.opening} {self.rest}"


def split_of(child: str, color: str, thing: str) -> Split:
    """The split that a combination belongs to, whatever the seed; training never shows those of dev.

    Examples:
        >>> split_of("Lily", "red", "ball")
        'train'
    """
    return "dev" if derive(0, child, color, thing) % DEV_PART == 0 else "train"


def _one(rng: np.random.Generator, options: Sequence[str]) -> str:
    """One of the options, all equally likely; ten times faster than numpy's choice."""
    return options[int(rng.random() * len(options))]


def _fillings(rng: np.random.Generator) -> dict[str, str]:
    """Who and what a story is about: one word for each field, the same in all of its sentences."""
    is_girl = rng.random() < 0.5
    giver = _one(rng, words.WOMEN + words.MEN)
    helpers = [name for name in words.WOMEN + words.MEN if name != giver]
    people = {
        "child": _one(rng, words.GIRLS if is_girl else words.BOYS),
        "kind": "girl" if is_girl else "boy",
        "giver": giver,
        "helper": _one(rng, helpers),
    }
    pronouns = ("she", "her", "her") if is_girl else ("he", "his", "him")
    people |= dict(zip(("she", "her", "her2"), pronouns, strict=True))
    people |= {"She": people["she"].capitalize(), "Her": people["her"].capitalize()}
    lists = {
        **{"trait": words.TRAITS, "home": words.HOMES, "color": words.COLORS, "thing": words.THINGS},
        **{"weather": words.WEATHER, "time": words.TIMES, "place": words.PLACES, "spot": words.SPOTS},
        **{"size": words.SIZES, "animal": words.ANIMALS, "food": words.FOODS, "tool": words.TOOLS},
        **{"mender": words.MENDERS, "bad": words.BAD, "good": words.GOOD, "cries": words.CRIES},
        **{"box": words.BOXES, "spot2": words.SPOTS},
    }
    return people | {name: _one(rng, options) for name, options in lists.items()}


def _with_article(text: str) -> str:
    """The text with "an" before vowels."""
    vowels = tuple("aeiou")
    parts = text.split(" ")
    for place, (word, after) in enumerate(pairwise(parts)):
        if word in ("a", "A") and after.startswith(vowels):
            parts[place] = word + "n"
    return " ".join(parts)


def _story(rng: np.random.Generator) -> Story:
    """One story of any split; its end comes back to the place, or to whoever helped."""
    filling = _fillings(rng)
    problem, solution = words.PROBLEMS[int(rng.random() * len(words.PROBLEMS))]
    parts: tuple[words.Patterns, ...] = (words.OUTINGS, problem, solution, words.ENDINGS)
    if rng.random() < 0.5:
        middle = words.FEELINGS if rng.random() < 0.5 else words.HELPS
        parts = (problem, middle, solution, words.THANKS)
    patterns = (words.OPENINGS, words.GIFTS, *parts)
    opening, *rest = (_with_article(_one(rng, options).format(**filling)) for options in patterns)
    about = {name: filling[name] for name in ("child", "color", "thing")}
    return Story(opening=opening, rest=" ".join(rest), **about)


def make_stories(rows: int, *, seed: int, split: Split) -> list[Story]:
    """Stories of one split, no two the same.

    Args:
        rows: How many, >= 1.
        seed: Same seed, same stories.
        split: No child has the same thing in the same color in both splits, whatever the seeds.

    Raises:
        ConfigError: `rows` is below 1.

    Examples:
        >>> story, = make_stories(1, seed=0, split="dev")
        >>> story.child in story.opening, story.thing in story.rest
        (True, True)
    """
    if rows < 1:
        raise ConfigError(f"a split needs 1 story or more, got {rows}. Ask for more rows.")
    rng = generator(seed, "stories", split)
    stories: dict[str, Story] = {}
    while len(stories) < rows:
        story = _story(rng)
        if split_of(story.child, story.color, story.thing) == split:
            stories[story.text] = story
    return list(stories.values())


def stories_corpus(
    train_rows: int = 4000, dev_rows: int = 400, *, seed: int = 0, prompted: bool = False
) -> Conversations:
    """The synthetic corpus.

    Args:
        train_rows: Training stories, >= 1.
        dev_rows: Dev stories, >= 1.
        seed: Same seed, same corpus.
        prompted: Whether the first sentence is a prompt and only the rest is learned; else all of a story is.

    Examples:
        >>> corpus = stories_corpus(8, 4, prompted=True)
        >>> corpus.train.num_rows, corpus.dev.num_rows, corpus.layout
        (8, 4, 'prompt')
    """
    train = make_stories(train_rows, seed=seed, split="train")
    dev = make_stories(dev_rows, seed=seed, split="dev")
    notes = (
        "made by a grammar, no person wrote these stories",
        "no dev story has child, color and thing in common with a training story",
    )
    return Conversations(
        splits={"train": _dataset(train, prompted), "dev": _dataset(dev, prompted)},
        layout="prompt" if prompted else "text",
        source=f"synthetic stories, seed {seed}",
        notes=notes,
    )


def _dataset(stories: Sequence[Story], prompted: bool) -> Dataset:
    """Stories with the columns of all conversations."""
    columns = {
        "prompt": [story.opening if prompted else "" for story in stories],
        "completion": [story.rest if prompted else story.text for story in stories],
        "question": [story.opening if prompted else story.text for story in stories],
        "messages": [""] * len(stories),
        "index": list(range(len(stories))),
    }
    kinds = {**{name: Value("string") for name in COLUMNS}, "index": Value("int64")}
    return Dataset.from_dict(columns, features=Features(kinds))


def stories_tokenizer(corpus: Conversations) -> PreTrainedTokenizerFast:
    """A tokenizer of the words and marks of the training stories: one token each, words with their space.

    It writes `<s>` before a text and has `</s>` as end and `<pad>` as padding token; other words are `<unk>`.
    A text that is cut at a space has the same tokens as its two parts.

    Args:
        corpus: One of `stories_corpus`; whether it is prompted makes no difference.
    """
    inner = Tokenizer(models.WordLevel({}, unk_token="<unk>"))
    marks = pre_tokenizers.Split(Regex(r'[.,!?"]'), "isolated")
    inner.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Metaspace(prepend_scheme="always"), marks])
    inner.decoder = decoders.Metaspace(prepend_scheme="always")
    trainer = trainers.WordLevelTrainer(special_tokens=list(SPECIAL), show_progress=False)
    texts = (
        f"{row['prompt']} {row['completion']}".strip() for row in corpus.train.select_columns(COLUMNS[:2])
    )
    inner.train_from_iterator(texts, trainer)
    inner.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=inner, model_max_length=512,
        pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip
