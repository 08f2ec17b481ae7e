"""Back-translation by two neural translation models."""

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

    MixKD's +BT rows train on German back-translations as well (Liang et al. 2021, section 4). Deviation: they
    used fairseq models; these are the Helsinki ones of the same language pair. Beam search gives one variant
    a text; a temperature above 0 samples both directions, each text from a random stream of its own.
    """

    name: ClassVar[str] = "marian"

    there: str = "Helsinki-NLP/opus-mt-en-de"
    """Model out of the language of the data: hub id or local folder."""

    back: str = "Helsinki-NLP/opus-mt-de-en"
    """Model back into it: hub id or local folder."""

    beams: int = 4
    """Width of the beam search, >= 1; unused when sampling."""

    temperature: float = 0.0
    """Above 0: sample, more freely the higher it is; 0: beam search."""

    seed: int = 0
    """Seed of the sampling."""

    max_tokens: int = 512
    """Where texts and translations are cut, >= 1; never beyond the positions that the model has."""

    batch_size: int = 32
    """Texts translated at once, >= 1; changes speed, not results."""

    device: str = "cpu"
    """Torch device, such as "cpu" or "cuda"."""

    allow_pickle: bool = False
    """Whether weights may be pickles, which can run code; older hub folders have nothing else."""

    def __post_init__(self) -> None:
        if self.temperature < 0:
            raise ConfigError(f"temperature must be >= 0, got {self.temperature}.")
        for field in ("beams", "max_tokens", "batch_size"):
            if getattr(self, field) < 1:
                raise ConfigError(f"{field} must be >= 1, got {getattr(self, field)}.")

    @cached_property
    def identity(self) -> str:
        """Names the models (local ones by content) and the search."""
        how = ("sample", self.temperature, self.seed) if self.varied else ("beam", self.beams)
        return fingerprint(
            self.name, model_identity(self.there), model_identity(self.back), how, self.max_tokens
        )

    @property
    def varied(self) -> bool:
        """Whether it samples."""
        return self.temperature > 0

    def __call__(self, texts: Sequence[str], copies: Sequence[int] | None = None) -> list[str]:
        """Each text, there and back."""
        numbers = [0] * len(texts) if copies is None else copies
        streams = [(fingerprint(text), copy) for text, copy in zip(texts, numbers, strict=True)]
        middle = self._translated("there", texts, streams)
        return self._translated("back", middle, streams)

    @cached_property
    def _models(self) -> dict[str, tuple[Any, Any]]:
        """Direction -> its tokenizer and its model, loaded when first needed."""
        return {"there": self._loaded(self.there), "back": self._loaded(self.back)}

    def _loaded(self, source: str) -> tuple[Any, Any]:
        """Tokenizer and model of one direction."""
        from transformers import AutoModelForSeq2SeqLM  # here: a recipe that names Marian does not need it

        model = load_model(AutoModelForSeq2SeqLM, source, device=self.device, allow_pickle=self.allow_pickle)
        return load_tokenizer(source), model

    def _translated(self, way: str, texts: Sequence[str], streams: Sequence[tuple[str, int]]) -> list[str]:
        """`texts` through one model, in batches of similar length; blank ones stay blank."""
        tokenizer, model = self._models[way]
        longest = min(self.max_tokens, model.config.max_position_embeddings)
        wanted = [i for i, text in enumerate(texts) if text.strip()]
        results = [""] * len(texts)
        if not wanted:
            return results
        ids = tokenizer([texts[i] for i in wanted], truncation=True, max_length=longest)["input_ids"]
        rows = sorted(zip(wanted, ids, strict=True), key=lambda row: (len(row[1]), row[0]))
        for start in range(0, len(rows), self.batch_size):
            part = rows[start : start + self.batch_size]
            inputs = tokenizer.pad({"input_ids": [row for _, row in part]}, return_tensors="pt").to(
                model.device
            )
            search = self._search([(way, *streams[i]) for i, _ in part], longest, model.device)
            written = model.generate(**inputs, max_length=longest, do_sample=False, **search)
            lines = tokenizer.batch_decode(written, skip_special_tokens=True, use_source_tokenizer=False)
            for (i, _), line in zip(part, lines, strict=True):
                results[i] = line
        return results

    def _search(
        self, streams: list[tuple[str, str, int]], longest: int, device: torch.device
    ) -> dict[str, Any]:
        """How `generate` picks tokens."""
        if not self.varied:
            return {"num_beams": self.beams}
        drawn = [generator(self.seed, self.name, *stream).random(longest) for stream in streams]
        uniform = torch.stack([torch.from_numpy(row) for row in drawn]).to(device)
        return {
            "num_beams": 1,
            "logits_processor": [SamplingProcessor(uniform=uniform, temperature=self.temperature)],
        }


@dataclass(frozen=True, kw_only=True)
class SamplingProcessor:
    """Samples each row with numbers drawn beforehand, so that a text's neighbours in the batch do not matter.

    Greedy search over what comes back is sampling from softmax(scores / temperature): the token where the
    row's uniform number falls in the cumulated distribution is the only one left.
    """

    uniform: Float[Tensor, "b s"]
    """Numbers in [0, 1), one for each row and step."""

    temperature: float
    """Divides the scores, > 0."""

    def __call__(self, input_ids: Int[Tensor, "b t"], scores: Float[Tensor, "b v"]) -> Float[Tensor, "b v"]:
        """Scores with 0 for the drawn token and -inf for all others."""
        total = (scores.double() / self.temperature).softmax(-1).cumsum(-1)
        number = self.uniform[:, input_ids.shape[1] - 1, None] * total[:, -1:]
        token = (total <= number).sum(-1, keepdim=True).clamp(max=scores.shape[-1] - 1)
        return torch.full_like(scores, -torch.inf).scatter(1, token, 0.0)
