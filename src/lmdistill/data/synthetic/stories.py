"""Synthetic stories: very short texts from a small grammar, with a tokenizer trained on them.

Each story names a child, a thing and its color and mentions them again later; the problem determines the
solution. So a small model can make measurable errors: a wrong name, color or pronoun, or a thing that is
pulled out of the water after it broke. No person wrote these stories.
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
"""One of this many combinations of child, color and thing belongs to dev, the others to train."""

SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
"""Special tokens: the first entries of the vocabulary, in the order of their ids."""

Split = Literal["train", "dev"]


@dataclass(frozen=True, kw_only=True)
class Story:
    """A story and its subject."""

    opening: str
    """The first sentence, which names the child."""

    rest: str
    """All sentences after the first."""

    child: str
    """Name of the child."""

    color: str
    """Color of the thing."""

    thing: str
    """The thing that the child gets, and that is lost or broken and then found or repaired."""

    @property
    def text(self) -> str:
        """The whole story, on one line."""
        return f"{self.opening} {self.rest}"


def split_of(child: str, color: str, thing: str) -> Split:
    """The split of a combination of child, color and thing, for every seed; train and dev share none.

    Examples:
        >>> split_of("Lily", "red", "ball")
        'train'
    """
    return "dev" if derive(0, child, color, thing) % DEV_PART == 0 else "train"


def _one(rng: np.random.Generator, options: Sequence[str]) -> str:
    """One of the options, chosen uniformly; ten times as fast as numpy's `choice`."""
    return options[int(rng.random() * len(options))]


def _fields(rng: np.random.Generator) -> dict[str, str]:
    """One word or phrase for each field of the sentences of a story."""
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
    """Replace the article "a" by "an" before vowels."""
    vowels = tuple("aeiou")
    parts = text.split(" ")
    for index, (word, after) in enumerate(pairwise(parts)):
        if word in ("a", "A") and after.startswith(vowels):
            parts[index] = word + "n"
    return " ".join(parts)


def _story(rng: np.random.Generator) -> Story:
    """One random story of any split; its end mentions the place again, or the person who helped."""
    fields = _fields(rng)
    problem, solution = words.PROBLEMS[int(rng.random() * len(words.PROBLEMS))]
    parts: tuple[words.Patterns, ...] = (words.OUTINGS, problem, solution, words.ENDINGS)
    if rng.random() < 0.5:
        middle = words.FEELINGS if rng.random() < 0.5 else words.HELPS
        parts = (problem, middle, solution, words.THANKS)
    patterns = (words.OPENINGS, words.GIFTS, *parts)
    opening, *sentences = (_with_article(_one(rng, options).format(**fields)) for options in patterns)
    subject = {name: fields[name] for name in ("child", "color", "thing")}
    return Story(opening=opening, rest=" ".join(sentences), **subject)


def make_stories(rows: int, *, seed: int, split: Split) -> list[Story]:
    """Generate distinct stories of one split.

    Args:
        rows: Number of stories, >= 1.
        seed: Random seed; the same seed gives the same stories.
        split: The splits share no combination of child, color and thing, for any seeds.

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
    """The synthetic corpus of stories.

    Args:
        train_rows: Number of training stories, >= 1.
        dev_rows: Number of dev stories, >= 1.
        seed: Random seed; the same seed gives the same corpus.
        prompted: Whether the first sentence is a prompt and the loss covers only the other sentences. If not,
            it covers the whole story.

    Raises:
        ConfigError: A number of rows is below 1.

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
    """Stories with the columns of `Conversations`."""
    columns = {
        "prompt": [story.opening if prompted else "" for story in stories],
        "completion": [story.rest if prompted else story.text for story in stories],
        "question": [story.opening if prompted else story.text for story in stories],
        "messages": [""] * len(stories),
        "index": list(range(len(stories))),
    }
    dtypes = {**{name: Value("string") for name in COLUMNS}, "index": Value("int64")}
    return Dataset.from_dict(columns, features=Features(dtypes))


def stories_tokenizer(corpus: Conversations) -> PreTrainedTokenizerFast:
    """Train a word-level tokenizer on the training stories: one token per punctuation mark and per word.

    It adds `<s>` before a text; the end token is `</s>`, the padding token `<pad>`, and unknown words are
    `<unk>`. A word token contains the space before the word, so a text that is split at a space has the same
    tokens as its two parts.

    Args:
        corpus: A corpus of `stories_corpus`; `prompted` makes no difference.
    """
    tokenizer = Tokenizer(models.WordLevel({}, unk_token="<unk>"))
    marks = pre_tokenizers.Split(Regex(r'[.,!?"]'), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(prepend_scheme="always"), marks]
    )
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    trainer = trainers.WordLevelTrainer(special_tokens=list(SPECIAL), show_progress=False)
    texts = (
        f"{row['prompt']} {row['completion']}".strip() for row in corpus.train.select_columns(COLUMNS[:2])
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, model_max_length=512,
        pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip
