"""EncT5: classifiers made of the encoder of a T5 and one decoder layer, whose input is a learned prompt.

This file needs only torch and transformers. A copy of it is saved with every model of this class, so that
`from_pretrained(folder, trust_remote_code=True)` loads the model without lmdistill.
"""

from typing import Any, no_type_check

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, T5Config, initialization
from transformers.activations import ACT2FN
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.models.t5.modeling_t5 import T5Attention, T5LayerNorm


@no_type_check  # transformers turns configurations into dataclasses, which mypy does not know
class EncT5Config(T5Config):
    """Configuration of an EncT5 classifier."""

    model_type = "enc-t5"

    is_encoder_decoder: bool = False
    """False: the model does not generate text."""

    kept_heads: list[int] | None = None
    """Number of heads in each encoder layer, then in the decoder's self-attention and cross-attention; None
    keeps all heads."""

    kept_neurons: list[int] | None = None
    """Number of feed-forward neurons in each encoder layer, then 0 (the decoder's self-attention has no
    feed-forward layer), then after the decoder's cross-attention; None keeps all neurons."""

    def __post_init__(self, **kwargs: Any) -> None:
        self.num_decoder_layers = 1
        super().__post_init__(**kwargs)

    def widths(self) -> list[tuple[int, int]]:
        """(heads, neurons) of each encoder layer, then of the decoder's self- and cross-attention."""
        depth = self.num_layers
        heads = self.kept_heads or [self.num_heads] * (depth + 2)
        neurons = self.kept_neurons or [self.d_ff] * depth + [0, self.d_ff]
        return list(zip(heads, neurons, strict=True))


class Attention(nn.Module):
    """T5 attention: scores are not scaled, and encoder layers add a learned relative position bias."""

    def __init__(self, config: Any, heads: int, *, positions: bool) -> None:
        super().__init__()
        self.head_size, self.dropout = config.d_kv, config.dropout_rate
        self.buckets, self.farthest = (
            config.relative_attention_num_buckets,
            config.relative_attention_max_distance,
        )
        width = heads * config.d_kv
        self.q, self.k, self.v = (nn.Linear(config.d_model, width, bias=False) for _ in range(3))
        self.o = nn.Linear(width, config.d_model, bias=False)
        # A linear layer on one-hot buckets, so that rows belong to heads as in the other projections.
        self.positions = nn.Linear(self.buckets, heads, bias=False) if positions else None

    def forward(
        self, hidden_states: Tensor, mask: Tensor, source: Tensor | None = None
    ) -> tuple[Tensor, None]:
        """Attend to `source`, or to `hidden_states` if it is None; return the output and None."""
        source = hidden_states if source is None else source
        queries, keys, values = (
            projected.unflatten(-1, (-1, self.head_size)).transpose(1, 2)
            for projected in (self.q(hidden_states), self.k(source), self.v(source))
        )
        if self.positions is not None:
            mask = mask + self.distances(source.shape[1])
        dropout = self.dropout if self.training else 0.0
        attended = nn.functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=mask.to(queries.dtype), dropout_p=dropout, scale=1.0
        )
        return self.o(attended.transpose(1, 2).flatten(2)), None

    def distances(self, length: int) -> Tensor:
        """Relative position bias of each head for each pair of tokens, of shape (heads, length, length)."""
        assert self.positions is not None
        weight: Any = self.positions.weight
        offsets = torch.arange(1 - length, length, device=weight.device)
        buckets = T5Attention._relative_position_bucket(
            offsets, bidirectional=True, num_buckets=self.buckets, max_distance=self.farthest
        )
        by_offset = self.positions(nn.functional.one_hot(buckets, self.buckets).to(weight.dtype))
        # Token i needs offsets -i ... length - 1 - i: window number length - 1 - i, hence the flip.
        bias: Tensor = by_offset.t().unfold(1, length, 1).flip(1)
        return bias


class FeedForward(nn.Module):
    """Feed-forward layer of T5, which is gated in T5 1.1."""

    def __init__(self, config: Any, neurons: int) -> None:
        super().__init__()
        self.is_gated = config.is_gated_act
        if self.is_gated:
            self.wi_0, self.wi_1 = (nn.Linear(config.d_model, neurons, bias=False) for _ in range(2))
        else:
            self.wi = nn.Linear(config.d_model, neurons, bias=False)
        self.wo = nn.Linear(neurons, config.d_model, bias=False)
        self.act, self.dropout = ACT2FN[config.dense_act_fn], nn.Dropout(config.dropout_rate)

    def forward(self, states: Tensor) -> Tensor:
        """Output for each hidden state, of the same shape."""
        activations = (
            self.act(self.wi_0(states)) * self.wi_1(states) if self.is_gated else self.act(self.wi(states))
        )
        output: Tensor = self.wo(self.dropout(activations))
        return output


class Layer(nn.Module):
    """Attention and feed-forward layer with residual connections.

    `attention` is None if all heads are pruned, `feed_forward` if all neurons are pruned or there are none.
    """

    def __init__(
        self,
        config: Any,
        heads: int,
        neurons: int | None,
        *,
        positions: bool = False,
        reads_text: bool = False,
    ) -> None:
        super().__init__()
        self.reads_text = reads_text
        self.attention_norm = T5LayerNorm(config.d_model, eps=config.layer_norm_epsilon)
        self.attention = Attention(config, heads, positions=positions) if heads else None
        if neurons is not None:
            self.feed_forward_norm = T5LayerNorm(config.d_model, eps=config.layer_norm_epsilon)
        self.feed_forward = FeedForward(config, neurons) if neurons else None
        self.dropout = nn.Dropout(config.dropout_rate)

    def forward(self, states: Tensor, mask: Tensor, source: Tensor | None = None) -> Tensor:
        """Hidden states after the layer, which attends to `source`, or to `states` if it is None."""
        if self.attention is not None:
            attended, _ = self.attention(self.attention_norm(states), mask, source)
            states = states + self.dropout(attended)
        if self.feed_forward is not None:
            states = states + self.dropout(self.feed_forward(self.feed_forward_norm(states)))
        return states


class Backbone(nn.Module):
    """Encoder and decoder layer without the head.

    `decoder` has two parts: the decoder's self-attention, then its cross-attention and feed-forward layer.
    """

    def __init__(self, config: Any) -> None:
        super().__init__()
        *encoder, (heads, _), cross = config.widths()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.d_model)
        self.encoder = nn.ModuleList(Layer(config, *widths, positions=True) for widths in encoder)
        self.encoder_norm = T5LayerNorm(config.d_model, eps=config.layer_norm_epsilon)
        self.prompt = nn.Embedding(1, config.d_model)
        self.decoder = nn.ModuleList([Layer(config, heads, None), Layer(config, *cross, reads_text=True)])
        self.decoder_norm = T5LayerNorm(config.d_model, eps=config.layer_norm_epsilon)
        self.dropout = nn.Dropout(config.dropout_rate)

    def forward(self, embeds: Tensor, mask: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Final state of the prompt, and the encoder's states after the embeddings and after each layer."""
        additive_mask = mask.new_zeros(mask.shape, dtype=embeds.dtype)
        additive_mask = additive_mask.masked_fill(mask == 0, torch.finfo(embeds.dtype).min)[:, None, None]
        states = [self.dropout(embeds)]
        for layer in self.encoder:
            states.append(layer(states[-1], additive_mask))
        states[-1] = self.dropout(self.encoder_norm(states[-1]))
        prompt = self.dropout(self.prompt.weight.expand(len(embeds), 1, -1))
        self_attention, cross_attention = self.decoder
        # The prompt has one position, so its self-attention needs neither a mask nor a position bias.
        prompt = self_attention(prompt, additive_mask.new_zeros((1, 1)))
        prompt = cross_attention(prompt, additive_mask, states[-1])
        return self.dropout(self.decoder_norm(prompt))[:, 0], tuple(states)


class EncT5ForSequenceClassification(PreTrainedModel):
    """EncT5: the encoder of a T5, its first decoder layer on a learned prompt, and a linear head.

    References:
        Liu et al., "EncT5: A Framework for Fine-tuning T5 as Non-autoregressive Models", 2021; Zhang et al.,
        "MiniDisc", 2024. Deviation: each encoder layer has its own relative position bias, initialised with
        that of the T5, whose layers share one. This allows heads to be reordered in each layer separately.
    """

    config_class = EncT5Config
    base_model_prefix = "backbone"
    _supports_sdpa = True

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.num_labels = config.num_labels
        self.backbone = Backbone(config)
        self.classifier = nn.Linear(config.d_model, config.num_labels)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """The word embeddings."""
        return self.backbone.embed_tokens

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the word embeddings."""
        self.backbone.embed_tokens = value  # type: ignore[assignment]

    @torch.no_grad()
    def _init_weights(self, module: Any) -> None:
        """Initialise the weights of a module as T5 does."""
        factor, width = self.config.initializer_factor, self.config.d_model
        if isinstance(module, nn.Embedding):
            initialization.normal_(module.weight, std=factor)
        elif isinstance(module, T5LayerNorm):
            initialization.constant_(module.weight, factor)
        elif isinstance(module, nn.Linear):
            initialization.normal_(module.weight, std=factor * module.in_features**-0.5)
            if module.bias is not None:
                initialization.zeros_(module.bias)
        elif isinstance(module, Attention):  # called after its projections are initialised
            initialization.normal_(module.q.weight, std=factor * (width * module.head_size) ** -0.5)
            if module.positions is not None:
                initialization.normal_(module.positions.weight, std=factor * width**-0.5)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        **_: Any,
    ) -> SequenceClassifierOutput:
        """Compute the logits of shape (b, labels), and the loss if there are labels.

        Args:
            input_ids: Token ids, of shape (b, t).
            attention_mask: 1 for a token, 0 for padding, of shape (b, t); None if there is no padding.
            inputs_embeds: Word embeddings of shape (b, t, d), in place of `input_ids`.
            labels: Class numbers or scores, of shape (b,); None computes no loss.
            output_hidden_states: Return the encoder's states after the embeddings and after each layer.

        Raises:
            ValueError: If both or neither of `input_ids` and `inputs_embeds` are given.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give either input_ids or inputs_embeds")
        embeds: Any = inputs_embeds if input_ids is None else self.backbone.embed_tokens(input_ids)
        mask = embeds.new_ones(embeds.shape[:2]) if attention_mask is None else attention_mask
        prompt, states = self.backbone(embeds, mask)
        logits = self.classifier(prompt)
        loss = None
        if labels is not None:
            loss = self.loss_function(labels=labels, pooled_logits=logits, config=self.config)
        return SequenceClassifierOutput(
            loss=loss, logits=logits, hidden_states=states if output_hidden_states else None
        )


EncT5Config.register_for_auto_class("AutoConfig")
EncT5ForSequenceClassification.register_for_auto_class("AutoModelForSequenceClassification")
