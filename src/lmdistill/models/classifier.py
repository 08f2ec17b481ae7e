"""A Hugging Face encoder classifier behind the one call that methods use."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from lmdistill.core.batch import Inputs, MixupPartners, Outputs


class Network(nn.Module):
    """Adapter; the one place that knows how transformers names things.

    Interpolation happens inside `forward`, so that distributed wrappers around the network see every use of
    its weights. The stock model is `network.model`, untouched.
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
        self._segments_at = _segments_at(model)
        self.train(model.training)  # as the model is, or whoever restores the mode later turns dropout on

    @property
    def takes_segments(self) -> bool:
        """Whether the model tells the first text of a pair from the second by segment ids."""
        return self._segments_at is not None

    def with_model(self, model: PreTrainedModel, *, source: str) -> "Network":
        """A network of another model with the same tokenizer."""
        return Network(model, self.tokenizer, source=source)

    def forward(self, inputs: Inputs, *, hidden: bool = False) -> Outputs:
        """Run the model once.

        Args:
            inputs: Token ids, or two sets of them to interpolate.
            hidden: Return the states after the embeddings and after each layer.

        Returns:
            Logits of shape (b, v), and the states if asked for.
        """
        given: dict[str, Any] = {}
        if inputs.segments is not None and self.takes_segments:
            given["token_type_ids"] = inputs.segments
        if inputs.partners is None:
            given |= {"input_ids": inputs.ids, "attention_mask": inputs.mask}
        else:
            embeds, mask = self._blended(inputs, inputs.partners), _united(inputs.mask, inputs.partners)
            given |= {"inputs_embeds": embeds, "attention_mask": mask}
        out = self.model(**given, output_hidden_states=hidden)
        return Outputs(logits=out.logits, hidden=tuple(out.hidden_states or ()))

    def _blended(self, inputs: Inputs, blend: MixupPartners) -> Float[Tensor, "b t d"]:
        """Interpolated word embeddings, where padding counts as the zero vector.

        The stock model adds segment embeddings by itself, those of the first text. To interpolate them too,
        what it will add is corrected beforehand; padding has segment 0 there, as tokenizers pad.
        """
        words: Any = self.model.get_input_embeddings()
        share = blend.share.unsqueeze(-1).to(words.weight.dtype)
        weights = torch.cat([share * inputs.mask, (1 - share) * blend.mask])
        # One look-up for both: the gradient of a look-up is as large as the whole table.
        both = words(torch.cat([inputs.ids, blend.ids])) * weights.unsqueeze(-1)
        ours, theirs = both.chunk(2)
        embeds: Tensor = ours + theirs
        if self._segments_at is None or blend.segments is None or inputs.segments is None:
            return embeds
        table = self.model.get_submodule(self._segments_at)
        change: Tensor = table(blend.segments) - table(inputs.segments)
        return embeds + (1 - share).unsqueeze(-1) * change


def _united(mask: Int[Tensor, "b t"], blend: MixupPartners) -> Int[Tensor, "b t"]:
    """1 where a text has a token and a share; at a share of exactly 1 or 0 that is one text alone."""
    share = blend.share.unsqueeze(-1)
    first, second = (mask > 0) & (share > 0), (blend.mask > 0) & (share < 1)
    return (first | second).to(mask.dtype)


def _segments_at(model: nn.Module) -> str | None:
    """The name of the module that embeds segments, where the model has more than one."""
    for name, module in model.named_modules():
        if name.endswith("token_type_embeddings") and isinstance(module, nn.Embedding):
            return name if module.num_embeddings > 1 else None
    return None
