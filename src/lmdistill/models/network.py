"""A Hugging Face encoder classifier behind the one call that methods use."""

import inspect
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedModel

from lmdistill.core.types import Blend, Inputs, Outputs


class Network(nn.Module):
    """Adapter; the one place that knows how transformers names things.

    Interpolation happens inside `forward`, so that distributed wrappers around the network see every use of its
    weights. The stock model is `network.model`, untouched.
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
        self.takes_segments = "token_type_ids" in inspect.signature(model.forward).parameters

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
        if inputs.blend is None:
            given |= {"input_ids": inputs.ids, "attention_mask": inputs.mask}
        else:
            given |= {"inputs_embeds": self._blended(inputs, inputs.blend), "attention_mask": inputs.mask | inputs.blend.mask}
        out = self.model(**given, output_hidden_states=hidden)
        return Outputs(logits=out.logits, hidden=tuple(out.hidden_states or ()))

    def _blended(self, inputs: Inputs, blend: Blend) -> Float[Tensor, "b t d"]:
        """Interpolated word embeddings; segment embeddings are interpolated by correcting what the model will add."""
        words = self.model.get_input_embeddings()
        share = blend.share.view(-1, 1, 1).to(words.weight.dtype)
        embeds = _mixed(words(inputs.ids), words(blend.ids), inputs.mask, blend.mask, share)
        table = self._segment_table()
        if table is None or blend.segments is None or inputs.segments is None:
            return embeds
        ours = table(inputs.segments)
        return embeds + (_mixed(ours, table(blend.segments), inputs.mask, blend.mask, share) - ours)

    def _segment_table(self) -> nn.Embedding | None:
        """The segment embeddings, where the model has more than one."""
        for name, module in self.model.named_modules():
            if name.endswith("token_type_embeddings") and isinstance(module, nn.Embedding):
                return module if module.num_embeddings > 1 else None
        return None


def _mixed(
    ours: Float[Tensor, "b t d"], theirs: Float[Tensor, "b t d"], mask: Tensor, other: Tensor, share: Tensor
) -> Float[Tensor, "b t d"]:
    """Each masked by its own mask, so that padding counts as zero; then interpolated."""
    keep, take = share * mask.unsqueeze(-1), (1 - share) * other.unsqueeze(-1)
    return keep * ours + take * theirs
