"""Text classifiers of Hugging Face, encoders and decoders, as a `Net`, the interface that methods use."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from lmdistill.core.batch import Inputs, MixupPartners, Outputs

THRESHOLDS = "label_thresholds"
"""Field of config.json with a multi-label classifier's thresholds."""


class Network(nn.Module):
    """A classifier or a regression; implements `Net`. The Hugging Face model is `network.model`.

    Mixup is computed inside `forward`, because distributed wrappers must see every use of a parameter.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: Any, *, source: str) -> None:
        super().__init__()
        config: Any = model.config  # transformers does not type these fields
        self.model = model
        self.tokenizer = tokenizer
        self.source = source
        self.num_layers = int(config.num_hidden_layers)
        self.num_classes = int(config.num_labels)
        self.width = int(config.hidden_size)
        self.labels: tuple[str, ...] = ()
        if self.num_classes > 1:
            self.labels = tuple(str(config.id2label[number]) for number in range(self.num_classes))
        self.multi_label = is_multi_label(config)
        self._segments_at = _segments_at(model)
        self.positions = _positions(model)
        self._pad = int(getattr(config, "pad_token_id", None) or 0) if reads_last_token(model) else None
        self.train(model.training)  # a new module is in training mode, which would switch dropout on

    @property
    def thresholds(self) -> tuple[float, ...] | None:
        """Probability of each label from which on it is predicted; None is 0.5, or for one label a text."""
        found = getattr(self.model.config, THRESHOLDS, None)
        return None if found is None or not self.multi_label else tuple(map(float, found))

    def set_thresholds(self, thresholds: Sequence[float] | None) -> None:
        """Keep thresholds in the configuration of the model, where stock transformers ignores them."""
        if thresholds is not None:
            setattr(self.model.config, THRESHOLDS, list(thresholds))
        elif hasattr(self.model.config, THRESHOLDS):
            delattr(self.model.config, THRESHOLDS)

    @property
    def takes_segments(self) -> bool:
        """Whether the model has segment embeddings (`token_type_ids`)."""
        return self._segments_at is not None

    @property
    def padding_of_a_decoder(self) -> int | None:
        """Id that a decoder's head skips when it looks for the last token; None for an encoder."""
        return self._pad

    def with_model(self, model: PreTrainedModel, *, source: str) -> "Network":
        """A network for another model, with the same tokenizer."""
        return Network(model, self.tokenizer, source=source)

    def forward(self, inputs: Inputs, *, hidden: bool = False) -> Outputs:
        """Run the model once.

        Args:
            inputs: Token ids, and the second examples if mixup is used.
            hidden: Return the hidden states after the embeddings and after each layer.

        Returns:
            Logits of shape (b, v), and the hidden states if requested.
        """
        if self._pad is not None:
            return self._read_last(inputs, self._pad, hidden)
        arguments: dict[str, Any] = {}
        if inputs.segments is not None and self.takes_segments:
            arguments["token_type_ids"] = inputs.segments
        if inputs.partners is None:
            arguments |= {"input_ids": inputs.ids, "attention_mask": inputs.mask}
        else:
            embeds = self._mixed_embeddings(inputs, inputs.partners)
            mask = _mixed_mask(inputs.mask, inputs.partners)
            arguments |= {"inputs_embeds": embeds, "attention_mask": mask}
        outputs = self.model(**arguments, output_hidden_states=hidden)
        return Outputs(logits=outputs.logits, hidden=tuple(outputs.hidden_states or ()))

    def _read_last(self, inputs: Inputs, pad: int, hidden: bool) -> Outputs:
        """Run a decoder, whose head reads the state of the last token that is not padding.

        Of two interpolated texts it is the last token of the longer one. The stock class cannot find that
        among embeddings, so the head is applied here as the stock class applies it.
        """
        at, asked = _last_token(inputs.ids, inputs.mask, pad), {"output_hidden_states": hidden}
        if inputs.partners is None:
            ids = inputs.ids.masked_fill(inputs.mask == 0, pad)  # what the stock class takes for padding
            outputs = self.model(input_ids=ids, attention_mask=inputs.mask, use_cache=False, **asked)
            return Outputs(logits=outputs.logits, hidden=tuple(outputs.hidden_states or ()), read_at=at)
        partners, model = inputs.partners, cast(Any, self.model)
        other = _last_token(partners.ids, partners.mask, pad)
        at = torch.maximum(at.where(partners.share > 0, 0), other.where(partners.share < 1, 0))
        embeds, mask = self._mixed_embeddings(inputs, partners), _mixed_mask(inputs.mask, partners)
        outputs = model.base_model(inputs_embeds=embeds, attention_mask=mask, use_cache=False, **asked)
        logits = model.score(outputs.last_hidden_state)[torch.arange(len(at), device=at.device), at]
        return Outputs(logits=logits, hidden=tuple(outputs.hidden_states or ()), read_at=at)

    def _mixed_embeddings(self, inputs: Inputs, partners: MixupPartners) -> Float[Tensor, "b t d"]:
        """Interpolated word embeddings, where padding counts as the zero vector.

        The model itself adds the segment embeddings of the first text. To interpolate these too, the
        difference is added here; padding has segment 0, as tokenizers set it.
        """
        words: Any = self.model.get_input_embeddings()
        share = partners.share.unsqueeze(-1).to(words.weight.dtype)
        weights = torch.cat([share * inputs.mask, (1 - share) * partners.mask])
        # One look-up for both texts, because the gradient of a look-up is as large as the embedding table.
        weighted = words(torch.cat([inputs.ids, partners.ids])) * weights.unsqueeze(-1)
        first, second = weighted.chunk(2)
        embeds: Tensor = first + second
        if self._segments_at is None or partners.segments is None or inputs.segments is None:
            return embeds
        table = self.model.get_submodule(self._segments_at)
        difference: Tensor = table(partners.segments) - table(inputs.segments)
        return embeds + (1 - share).unsqueeze(-1) * difference


def is_multi_label(config: Any) -> bool:
    """Whether a classifier has a sigmoid for each label, and not a softmax over classes."""
    return getattr(config, "problem_type", None) == "multi_label_classification"


def reads_last_token(model: nn.Module) -> bool:
    """Whether a stock classifier is a decoder, whose head (`score`) reads the last token of a text."""
    return isinstance(getattr(model, "score", None), nn.Linear)


def _last_token(ids: Int[Tensor, "b t"], mask: Int[Tensor, "b t"], pad: int) -> Int[Tensor, " b"]:
    """Position of the last token that is not padding, as stock decoders find it; 0 where there is none."""
    places = torch.arange(ids.shape[1], device=ids.device)
    return (places * ((ids != pad) & (mask > 0))).argmax(-1)


def _mixed_mask(mask: Int[Tensor, "b t"], partners: MixupPartners) -> Int[Tensor, "b t"]:
    """1 where a text with a weight above 0 has a token: the union of both masks, if 0 < share < 1."""
    share = partners.share.unsqueeze(-1)
    first, second = (mask > 0) & (share > 0), (partners.mask > 0) & (share < 1)
    return (first | second).to(mask.dtype)


def _positions(model: nn.Module) -> int | None:
    """Longest input that a model has position embeddings for; None for relative positions.

    In the family of RoBERTa numbers begin after that of the padding, so some embeddings are never used.
    """
    for name, module in model.named_modules():
        if name.split(".")[-1] == "position_embeddings" and isinstance(module, nn.Embedding):
            return module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
    return None


def _segments_at(model: nn.Module) -> str | None:
    """Name of the segment-embedding module; None if the model has none or only one segment."""
    for name, module in model.named_modules():
        if name.endswith("token_type_embeddings") and isinstance(module, nn.Embedding):
            return name if module.num_embeddings > 1 else None
    return None
