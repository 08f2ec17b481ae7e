"""TinyBERT's augmentation: replace words by what a masked language model would write there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import normalize

from lmdistill.core.errors import ConfigError, ModelError
from lmdistill.core.fingerprint import fingerprint
from lmdistill.core.seeding import generator
from lmdistill.data.augment.pretrained import load_model, load_tokenizer, model_identity
from lmdistill.data.augment.word_splitting import is_content_word, match_case, split_words

COPIES: Mapping[str, int] = MappingProxyType(
    {"cola": 30, "mnli": 10, "mrpc": 30, "sst2": 20, "stsb": 30, "qqp": 10, "qnli": 20, "rte": 30}
)
"""Task -> new texts for each original, as TinyBERT's authors set them."""


class _Spot(NamedTuple):
    """A word that may be replaced."""

    text: int
    """Row of its text."""

    place: int
    """Place in the pieces of its text."""

    ids: list[int]
    """Tokens of the whole text."""

    first: int
    """Position of its first token."""

    width: int
    """How many tokens it has, >= 1."""

    @property
    def pieces(self) -> tuple[int, ...]:
        """Its own tokens."""
        return tuple(self.ids[self.first : self.first + self.width])


@dataclass(frozen=True, kw_only=True)
class Masked:
    """Replace each content word, with a probability, by one of the likeliest words there.

    Jiao et al. 2020 (TinyBERT), Algorithm 1. A word of one token is masked and the model's `candidates`
    likeliest words are drawn from. Deviations: a word of several tokens takes its neighbours by cosine in the
    model's own word-embedding table (around the mean of its pieces), where the paper has GloVe; the word
    itself and pieces of words are no candidates; words of grammar and numbers are neither replaced nor drawn;
    words beyond the model's longest input stay.
    """

    name: ClassVar[str] = "masked"
    varied: ClassVar[bool] = True

    model: str = "bert-base-uncased"
    """Masked language model: hub id or local folder."""

    replace: float = 0.4
    """Probability that a content word is replaced, in [0, 1]; the paper's p."""

    candidates: int = 15
    """Words to draw from at each place, >= 1; the paper's K, M in its code."""

    seed: int = 0
    """Seed of the draws."""

    batch_size: int = 32
    """Masked texts a forward pass, >= 1; changes speed and memory, not results."""

    device: str = "cpu"
    """Torch device, such as "cpu" or "cuda"."""

    allow_pickle: bool = False
    """Whether weights may be pickles, which can run code."""

    def __post_init__(self) -> None:
        if not 0 <= self.replace <= 1:
            raise ConfigError(f"replace must be in [0, 1], got {self.replace}.")
        for field in ("candidates", "batch_size"):
            if getattr(self, field) < 1:
                raise ConfigError(f"{field} must be >= 1, got {getattr(self, field)}.")

    @cached_property
    def identity(self) -> str:
        """Names the model (a local one by content) and the draws."""
        return fingerprint(self.name, model_identity(self.model), self.replace, self.candidates, self.seed)

    def __call__(self, texts: Sequence[str], copies: Sequence[int] | None = None) -> list[str]:
        """Each text with some of its words replaced; copies of one text share one set of forward passes."""
        numbers = [0] * len(texts) if copies is None else copies
        distinct = sorted(set(texts))
        choices = dict(zip(distinct, self.choices(distinct), strict=True))
        return [self._drawn(text, copy, choices[text]) for text, copy in zip(texts, numbers, strict=True)]

    def choices(self, texts: Sequence[str]) -> list[dict[int, list[str]]]:
        """For each text: place in `words.split(text)` -> candidates, likeliest first."""
        spots = [spot for row, text in enumerate(texts) for spot in self._spots(row, text)]
        results: list[dict[int, list[str]]] = [{} for _ in texts]
        single = sorted((spot for spot in spots if spot.width == 1), key=lambda spot: len(spot.ids))
        for start in range(0, len(single), self.batch_size):
            part = single[start : start + self.batch_size]
            for spot, words in zip(part, self._likeliest(part), strict=True):
                results[spot.text][spot.place] = words
        neighbours: dict[tuple[int, ...], list[str]] = {}
        for spot in spots:
            if spot.width > 1:
                if spot.pieces not in neighbours:
                    neighbours[spot.pieces] = self._nearest(spot.pieces)
                results[spot.text][spot.place] = neighbours[spot.pieces]
        return results

    def _spots(self, row: int, text: str) -> list[_Spot]:
        """Content words of `text` that the model's input holds whole."""
        tokenizer, model = self._loaded
        longest = min(tokenizer.model_max_length, model.config.max_position_embeddings)
        encoded = tokenizer(text, truncation=True, max_length=longest, return_offsets_mapping=True)
        offsets = encoded["offset_mapping"]
        found = []
        start = 0
        for place, piece in enumerate(split_words(text)):
            end = start + len(piece)
            if place % 2 and is_content_word(piece):
                at = [i for i, (first, last) in enumerate(offsets) if start < last and first < end]
                if at and offsets[at[0]][0] == start and offsets[at[-1]][1] == end:
                    spot = _Spot(text=row, place=place, ids=encoded["input_ids"], first=at[0], width=len(at))
                    found.append(spot)
            start = end
        return found

    def _drawn(self, text: str, copy: int, choices: dict[int, list[str]]) -> str:
        """One variant of `text`."""
        random = generator(self.seed, self.name, fingerprint(text), copy)
        pieces = split_words(text)
        for place, words in sorted(choices.items()):
            number, chance = random.random(2)
            if words and chance < self.replace:
                word = words[int(number * len(words))]
                pieces[place] = match_case(word, pieces[place])
        return "".join(pieces)

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """Tokenizer and model, loaded when first needed."""
        from transformers import AutoModelForMaskedLM  # here: a recipe that names Masked does not need it

        tokenizer = load_tokenizer(self.model)
        if not tokenizer.is_fast or tokenizer.mask_token_id is None:
            raise ModelError(
                f"{self.model!r} has no fast tokenizer with a mask token; take a BERT-like model."
            )
        return tokenizer, load_model(
            AutoModelForMaskedLM, self.model, device=self.device, allow_pickle=self.allow_pickle
        )

    @cached_property
    def _words(self) -> tuple[list[str], Bool[Tensor, " v"]]:
        """Vocabulary entry -> its word, and which entries are whole words."""
        tokenizer, model = self._loaded
        rows = model.get_output_embeddings().weight.shape[0]
        words = whole_words(tokenizer.convert_ids_to_tokens(list(range(len(tokenizer)))))
        words += [""] * (rows - len(words))  # models may have more rows than their tokenizer has entries
        allowed = torch.tensor([bool(word) for word in words[:rows]], device=model.device)
        if not allowed.any():
            raise ModelError(f"the vocabulary of {self.model!r} has no whole words to replace words by.")
        return words, allowed

    def _likeliest(self, spots: Sequence[_Spot]) -> list[list[str]]:
        """Candidates for words of one token, each masked in its own copy of its text."""
        tokenizer, model = self._loaded
        words, allowed = self._words
        inputs = tokenizer.pad({"input_ids": [spot.ids for spot in spots]}, return_tensors="pt").to(
            model.device
        )
        rows = torch.arange(len(spots), device=model.device)
        at = torch.tensor([spot.first for spot in spots], device=model.device)
        old = inputs["input_ids"][rows, at]
        inputs["input_ids"][rows, at] = tokenizer.mask_token_id
        with torch.inference_mode():
            scores = model(**inputs).logits[rows, at].masked_fill(~allowed, -torch.inf)
        return self._top(scores.scatter(1, old[:, None], -torch.inf), words)

    def _nearest(self, pieces: tuple[int, ...]) -> list[str]:
        """Whole words around the mean of `pieces` in the embedding table, by cosine."""
        words, allowed = self._words
        with torch.inference_mode():
            table = self._loaded[1].get_input_embeddings().weight
            scores = (self._table @ table[list(pieces)].mean(0)).masked_fill(~allowed, -torch.inf)
        return self._top(scores[None], words)[0]

    @cached_property
    def _table(self) -> Float[Tensor, "v d"]:
        """Word embeddings of length one."""
        return normalize(self._loaded[1].get_input_embeddings().weight.detach(), dim=-1)

    def _top(self, scores: Float[Tensor, "b v"], words: list[str]) -> list[list[str]]:
        """The best words of each row; fewer than asked for where the vocabulary has no more."""
        best = scores.topk(min(self.candidates, scores.shape[-1]))
        kept = best.values.isfinite().tolist()
        return [
            [words[i] for i, keep in zip(ids, keeps, strict=True) if keep]
            for ids, keeps in zip(best.indices.tolist(), kept, strict=True)
        ]


def whole_words(tokens: Sequence[str]) -> list[str]:
    """The content word that each vocabulary entry is; "" for all others, pieces and special tokens included.

    Examples:
        >>> whole_words(["[CLS]", "film", "##ing", "3", "."]), whole_words(["<s>", "Ġfilm", "ing"])
        (['', 'film', '', '', ''], ['', 'film', ''])
    """
    pieces_are_marked = any(token.startswith("##") for token in tokens)
    marks = "" if pieces_are_marked else "Ġ▁"  # else the starts of words are
    start = next((mark for mark in marks if any(token.startswith(mark) for token in tokens)), "")
    words = [token[len(start) :] if token.startswith(start) else "" for token in tokens]
    return [word if len(word) > 1 and word.isalpha() and is_content_word(word) else "" for word in words]
