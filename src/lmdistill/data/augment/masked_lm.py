"""TinyBERT's augmentation: replace words by predictions of a masked language model."""

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
"""Task -> number of new texts per original, as set by TinyBERT's authors."""


class _Word(NamedTuple):
    """A content word that may be replaced."""

    text: int
    """Index of its text."""

    position: int
    """Index of the word in the pieces of its text; see `split_words`."""

    ids: list[int]
    """Token ids of the text."""

    first: int
    """Position of the first token of the word."""

    num_tokens: int
    """Number of tokens of the word, >= 1."""

    @property
    def word_ids(self) -> tuple[int, ...]:
        """Token ids of the word."""
        return tuple(self.ids[self.first : self.first + self.num_tokens])


@dataclass(frozen=True, kw_only=True)
class Masked:
    """Replace each content word, with probability `replace`, by a word that a masked language model predicts.

    Jiao et al. 2020 (TinyBERT), Algorithm 1. A word of one token is masked, and its replacement is sampled
    from the `candidates` most likely words. Deviations: a word of several tokens is replaced by words whose
    embeddings in the model's own table are nearest by cosine to the mean embedding of its tokens (the paper
    uses GloVe); the word itself and subwords are no candidates; function words and numbers are neither
    replaced nor candidates; words beyond the maximum input length of the model are kept.
    """

    name: ClassVar[str] = "masked"
    varied: ClassVar[bool] = True

    model: str = "bert-base-uncased"
    """Masked language model: hub id or local folder."""

    replace: float = 0.4
    """Probability that a content word is replaced, in [0, 1]; the paper's p."""

    candidates: int = 15
    """Number of candidates for each word, >= 1; the paper's K, M in its code."""

    seed: int = 0
    """Random seed of the replacements."""

    batch_size: int = 32
    """Number of masked texts per forward pass, >= 1; changes speed and memory, not results."""

    device: str = "cpu"
    """Torch device, such as "cpu" or "cuda"."""

    allow_pickle: bool = False
    """Whether to load weights from pickles, which can run code."""

    def __post_init__(self) -> None:
        if not 0 <= self.replace <= 1:
            raise ConfigError(f"replace must be in [0, 1], got {self.replace}.")
        for field in ("candidates", "batch_size"):
            if getattr(self, field) < 1:
                raise ConfigError(f"{field} must be >= 1, got {getattr(self, field)}.")

    @cached_property
    def identity(self) -> str:
        """Fingerprint of the model (a local one by content), `replace`, `candidates` and the seed."""
        return fingerprint(self.name, model_identity(self.model), self.replace, self.candidates, self.seed)

    def __call__(self, texts: Sequence[str], copies: Sequence[int] | None = None) -> list[str]:
        """Replace words of each text; copies of one text share their forward passes."""
        numbers = [0] * len(texts) if copies is None else copies
        distinct = sorted(set(texts))
        choices = dict(zip(distinct, self.choices(distinct), strict=True))
        return [self._variant(text, copy, choices[text]) for text, copy in zip(texts, numbers, strict=True)]

    def choices(self, texts: Sequence[str]) -> list[dict[int, list[str]]]:
        """For each text: index in `split_words(text)` -> candidates, most likely first."""
        all_words = [word for row, text in enumerate(texts) for word in self._content_words(row, text)]
        results: list[dict[int, list[str]]] = [{} for _ in texts]
        single = sorted((word for word in all_words if word.num_tokens == 1), key=lambda word: len(word.ids))
        for start in range(0, len(single), self.batch_size):
            part = single[start : start + self.batch_size]
            for word, candidates in zip(part, self._likeliest(part), strict=True):
                results[word.text][word.position] = candidates
        neighbours: dict[tuple[int, ...], list[str]] = {}
        for word in all_words:
            if word.num_tokens > 1:
                if word.word_ids not in neighbours:
                    neighbours[word.word_ids] = self._nearest(word.word_ids)
                results[word.text][word.position] = neighbours[word.word_ids]
        return results

    def _content_words(self, row: int, text: str) -> list[_Word]:
        """The content words of `text` whose tokens are all within the maximum input length of the model."""
        tokenizer, model = self._loaded
        longest = min(tokenizer.model_max_length, model.config.max_position_embeddings)
        encoded = tokenizer(text, truncation=True, max_length=longest, return_offsets_mapping=True)
        offsets = encoded["offset_mapping"]
        words = []
        start = 0
        for index, piece in enumerate(split_words(text)):
            end = start + len(piece)
            if index % 2 and is_content_word(piece):
                tokens = [i for i, (first, last) in enumerate(offsets) if start < last and first < end]
                if tokens and offsets[tokens[0]][0] == start and offsets[tokens[-1]][1] == end:
                    ids = encoded["input_ids"]
                    words.append(
                        _Word(text=row, position=index, ids=ids, first=tokens[0], num_tokens=len(tokens))
                    )
            start = end
        return words

    def _variant(self, text: str, copy: int, choices: dict[int, list[str]]) -> str:
        """One variant of `text`."""
        random = generator(self.seed, self.name, fingerprint(text), copy)
        pieces = split_words(text)
        for index, words in sorted(choices.items()):
            number, chance = random.random(2)
            if words and chance < self.replace:
                word = words[int(number * len(words))]
                pieces[index] = match_case(word, pieces[index])
        return "".join(pieces)

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """The tokenizer and the model, loaded at the first use."""
        from transformers import AutoModelForMaskedLM  # slow to import, and not needed to read a recipe

        tokenizer = load_tokenizer(self.model)
        if not tokenizer.is_fast or tokenizer.mask_token_id is None:
            raise ModelError(
                f"{self.model!r} has no fast tokenizer with a mask token; use a BERT-like model."
            )
        return tokenizer, load_model(
            AutoModelForMaskedLM, self.model, device=self.device, allow_pickle=self.allow_pickle
        )

    @cached_property
    def _words(self) -> tuple[list[str], Bool[Tensor, " v"]]:
        """The word of each vocabulary entry ("" if it is not a content word), and which entries are words."""
        tokenizer, model = self._loaded
        rows = model.get_output_embeddings().weight.shape[0]
        words = whole_words(tokenizer.convert_ids_to_tokens(list(range(len(tokenizer)))))
        words += [""] * (rows - len(words))  # the model may have more entries than the tokenizer
        allowed = torch.tensor([bool(word) for word in words[:rows]], device=model.device)
        if not allowed.any():
            raise ModelError(
                f"the vocabulary of {self.model!r} has no complete words as replacements; use another model."
            )
        return words, allowed

    def _likeliest(self, targets: Sequence[_Word]) -> list[list[str]]:
        """Candidates for words of one token, each masked in its own copy of its text."""
        tokenizer, model = self._loaded
        words, allowed = self._words
        inputs = tokenizer.pad({"input_ids": [word.ids for word in targets]}, return_tensors="pt").to(
            model.device
        )
        rows = torch.arange(len(targets), device=model.device)
        positions = torch.tensor([word.first for word in targets], device=model.device)
        old = inputs["input_ids"][rows, positions]
        inputs["input_ids"][rows, positions] = tokenizer.mask_token_id
        with torch.inference_mode():
            scores = model(**inputs).logits[rows, positions].masked_fill(~allowed, -torch.inf)
        return self._top(scores.scatter(1, old[:, None], -torch.inf), words)

    def _nearest(self, word_ids: tuple[int, ...]) -> list[str]:
        """Words whose embeddings have the highest cosine similarity to the mean embedding of the tokens."""
        words, allowed = self._words
        with torch.inference_mode():
            table = self._loaded[1].get_input_embeddings().weight
            scores = (self._table @ table[list(word_ids)].mean(0)).masked_fill(~allowed, -torch.inf)
        return self._top(scores[None], words)[0]

    @cached_property
    def _table(self) -> Float[Tensor, "v d"]:
        """Word embeddings, normalised to length one."""
        return normalize(self._loaded[1].get_input_embeddings().weight.detach(), dim=-1)

    def _top(self, scores: Float[Tensor, "b v"], words: list[str]) -> list[list[str]]:
        """The `candidates` words with the highest scores in each row; fewer in a smaller vocabulary."""
        best = scores.topk(min(self.candidates, scores.shape[-1]))
        is_finite = best.values.isfinite().tolist()
        return [
            [words[i] for i, keep in zip(ids, keeps, strict=True) if keep]
            for ids, keeps in zip(best.indices.tolist(), is_finite, strict=True)
        ]


def whole_words(tokens: Sequence[str]) -> list[str]:
    """The word of each vocabulary entry that is a complete content word; "" for all other entries.

    Examples:
        >>> whole_words(["[CLS]", "film", "##ing", "3", "."]), whole_words(["<s>", "Ġfilm", "ing"])
        (['', 'film', '', '', ''], ['', 'film', ''])
    """
    marks_subwords = any(token.startswith("##") for token in tokens)
    marks = "" if marks_subwords else "Ġ▁"  # without marks of subwords, the first token of a word is marked
    start = next((mark for mark in marks if any(token.startswith(mark) for token in tokens)), "")
    words = [token[len(start) :] if token.startswith(start) else "" for token in tokens]
    return [word if len(word) > 1 and word.isalpha() and is_content_word(word) else "" for word in words]
