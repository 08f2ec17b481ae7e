"""Back-translation with two neural translation models."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lmdistill.core.errors import ConfigError
from lmdistill.core.fingerprint import fingerprint
from lmdistill.core.seeding import generator
from lmdistill.data.augment.pretrained import load_model, load_tokenizer, model_identity


@dataclass(frozen=True, kw_only=True)
class Marian:
    """Translate texts into another language and back with MarianMT models.

    MixKD's +BT rows are German back-translations (Liang et al. 2021, section 4). Deviation: the paper used
    fairseq models; the defaults here are the Helsinki models of the same language pair. Beam search gives one
    variant per text. A temperature above 0 samples in both directions, and results do not depend on the other
    texts of a batch.
    """

    name: ClassVar[str] = "marian"

    there: str = "Helsinki-NLP/opus-mt-en-de"
    """Model that translates from the language of the data: hub id or local folder."""

    back: str = "Helsinki-NLP/opus-mt-de-en"
    """Model that translates back: hub id or local folder."""

    beams: int = 4
    """Number of beams of the beam search, >= 1; unused if `temperature` is above 0."""

    temperature: float = 0.0
    """Sampling temperature, >= 0; higher values give more diverse texts, 0 uses beam search."""

    seed: int = 0
    """Random seed of the sampling."""

    max_tokens: int = 512
    """Maximum length of texts and translations in tokens, >= 1; limited to the positions of the model."""

    batch_size: int = 32
    """Number of texts per batch, >= 1; changes speed, not results."""

    device: str = "cpu"
    """Torch device, such as "cpu" or "cuda"."""

    allow_pickle: bool = False
    """Whether to load weights from pickles, which can run code; older hub models have no other format."""

    def __post_init__(self) -> None:
        if self.temperature < 0:
            raise ConfigError(f"temperature must be >= 0, got {self.temperature}.")
        for field in ("beams", "max_tokens", "batch_size"):
            if getattr(self, field) < 1:
                raise ConfigError(f"{field} must be >= 1, got {getattr(self, field)}.")

    @cached_property
    def identity(self) -> str:
        """Fingerprint of the models (local ones by content), the search settings and `max_tokens`."""
        search = ("sample", self.temperature, self.seed) if self.varied else ("beam", self.beams)
        return fingerprint(
            self.name, model_identity(self.there), model_identity(self.back), search, self.max_tokens
        )

    @property
    def varied(self) -> bool:
        """Whether copies of a text differ: if texts are sampled."""
        return self.temperature > 0

    def __call__(self, texts: Sequence[str], copies: Sequence[int] | None = None) -> list[str]:
        """Translate each text there and back."""
        numbers = [0] * len(texts) if copies is None else copies
        keys = [(fingerprint(text), copy) for text, copy in zip(texts, numbers, strict=True)]
        foreign = self._translated("there", texts, keys)
        return self._translated("back", foreign, keys)

    @cached_property
    def _models(self) -> dict[str, tuple[Any, Any]]:
        """Direction -> its tokenizer and model, loaded at the first use."""
        return {"there": self._loaded(self.there), "back": self._loaded(self.back)}

    def _loaded(self, source: str) -> tuple[Any, Any]:
        """The tokenizer and the model of one direction."""
        from transformers import AutoModelForSeq2SeqLM  # slow to import, and not needed to read a recipe

        model = load_model(AutoModelForSeq2SeqLM, source, device=self.device, allow_pickle=self.allow_pickle)
        return load_tokenizer(source), model

    def _translated(self, direction: str, texts: Sequence[str], keys: Sequence[tuple[str, int]]) -> list[str]:
        """Translate with one model, in batches of similar length; blank texts give "".

        `keys` are the fingerprint and the copy of each text, which determine its random numbers.
        """
        tokenizer, model = self._models[direction]
        longest = min(self.max_tokens, model.config.max_position_embeddings)
        non_blank = [i for i, text in enumerate(texts) if text.strip()]
        results = [""] * len(texts)
        if not non_blank:
            return results
        ids = tokenizer([texts[i] for i in non_blank], truncation=True, max_length=longest)["input_ids"]
        rows = sorted(zip(non_blank, ids, strict=True), key=lambda row: (len(row[1]), row[0]))
        for start in range(0, len(rows), self.batch_size):
            part = rows[start : start + self.batch_size]
            inputs = tokenizer.pad({"input_ids": [row for _, row in part]}, return_tensors="pt").to(
                model.device
            )
            search = self._search([(direction, *keys[i]) for i, _ in part], longest, model.device)
            output = model.generate(**inputs, max_length=longest, do_sample=False, **search)
            lines = tokenizer.batch_decode(output, skip_special_tokens=True, use_source_tokenizer=False)
            for (i, _), line in zip(part, lines, strict=True):
                results[i] = line
        return results

    def _search(self, keys: list[tuple[str, str, int]], longest: int, device: torch.device) -> dict[str, Any]:
        """Arguments of `generate` for beam search or sampling."""
        if not self.varied:
            return {"num_beams": self.beams}
        numbers = [generator(self.seed, self.name, *key).random(longest) for key in keys]
        uniform = torch.stack([torch.from_numpy(row) for row in numbers]).to(device)
        return {
            "num_beams": 1,
            "logits_processor": [SamplingProcessor(uniform=uniform, temperature=self.temperature)],
        }


@dataclass(frozen=True, kw_only=True)
class SamplingProcessor:
    """Samples each row with given random numbers, so that the other texts of a batch do not matter.

    Greedy search with the returned scores is sampling from softmax(scores / temperature): only the token at
    which the cumulative distribution exceeds the row's uniform number has a finite score.
    """

    uniform: Float[Tensor, "b s"]
    """Uniform random numbers in [0, 1), one for each row and step."""

    temperature: float
    """Sampling temperature, > 0."""

    def __call__(self, input_ids: Int[Tensor, "b t"], scores: Float[Tensor, "b v"]) -> Float[Tensor, "b v"]:
        """Return scores of 0 for the sampled token and -inf for all other tokens."""
        total = (scores.double() / self.temperature).softmax(-1).cumsum(-1)
        number = self.uniform[:, input_ids.shape[1] - 1, None] * total[:, -1:]
        token = (total <= number).sum(-1, keepdim=True).clamp(max=scores.shape[-1] - 1)
        return torch.full_like(scores, -torch.inf).scatter(1, token, 0.0)
