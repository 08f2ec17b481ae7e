"""Classifiers that begin with the weights of a T5."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from transformers import T5Model

from lmdistill.core.errors import ModelError
from lmdistill.models.loading.from_pretrained import read_pretrained, require_complete
from lmdistill.models.modeling_enc_t5 import EncT5Config, EncT5ForSequenceClassification

COPIED_FIELDS = (
    *("vocab_size", "d_model", "d_kv", "d_ff", "num_layers", "num_heads", "feed_forward_proj"),
    *("relative_attention_num_buckets", "relative_attention_max_distance", "layer_norm_epsilon"),
    *("dropout_rate", "initializer_factor", "pad_token_id", "eos_token_id"),
    *("id2label", "label2id", "problem_type"),
)
"""What a T5's configuration says of the classifier."""


def read_enc_t5(place: str, config: Any, *, trust_remote_code: bool, allow_pickle: bool) -> tuple[Any, Any]:
    """A classifier of the encoder and the first decoder layer of the T5 at `place`.

    Prompt and head are drawn from torch's generator. What a decoder layer knows of distances is left out: the
    prompt is one position.

    Args:
        place: Folder or hub id.
        config: Its configuration, with the labels of the new head.
        trust_remote_code: Run code that comes with the model.
        allow_pickle: Load weights that were saved as pickles, which can run code.

    Returns:
        Model and tokenizer.

    Raises:
        ModelError: If they cannot be read, or there is no decoder.
    """
    config.num_decoder_layers = 1  # the others are not read
    config.is_encoder_decoder = True  # an encoder alone says that it is none
    t5, tokenizer, lacking = read_pretrained(
        T5Model, place, config, trust_remote_code=trust_remote_code, allow_pickle=allow_pickle
    )
    if any(name.startswith("decoder.block.") for name in lacking):
        raise ModelError(
            f"{place} has no weights of a T5's first decoder layer, which its classifier needs. Use the "
            "whole model that the encoder was taken from."
        )
    require_complete(place, lacking)
    return from_t5(t5), tokenizer


def from_t5(t5: T5Model) -> EncT5ForSequenceClassification:
    """A classifier of the encoder and the first decoder layer of a T5, whose weights it takes over.

    Args:
        t5: With labels in its configuration; not to be used any more, as weights are not copied.

    Returns:
        A model whose prompt and head are drawn from torch's generator.
    """
    whole: Any = t5.config
    config: Any = EncT5Config(**{name: getattr(whole, name) for name in COPIED_FIELDS})
    with torch.device("meta"):  # nothing is drawn that is replaced
        model = EncT5ForSequenceClassification(config)
    found = model.backbone.load_state_dict(dict(_weights(t5)), strict=False, assign=True)
    assert found.missing_keys == ["prompt.weight"], found
    assert not found.unexpected_keys, found
    new: tuple[Any, ...] = (model.backbone.prompt, model.classifier)
    for module in new:
        module.to_empty(device=t5.device)
        model._init_weights(module)
    return model


def _weights(t5: Any) -> Iterator[tuple[str, Tensor]]:
    """Weights under the names that they have in the classifier's backbone."""
    yield "embed_tokens.weight", t5.shared.weight
    table = t5.encoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight
    for number, block in enumerate(t5.encoder.block):
        attention, feed_forward = block.layer
        yield from _attention(f"encoder.{number}", attention.SelfAttention, attention.layer_norm)
        yield (
            f"encoder.{number}.attention.positions.weight",
            table.t().clone(memory_format=torch.contiguous_format),
        )
        yield from _feed_forward(f"encoder.{number}", feed_forward)
    own, cross, feed_forward = t5.decoder.block[0].layer
    yield from _attention("decoder.0", own.SelfAttention, own.layer_norm)
    yield from _attention("decoder.1", cross.EncDecAttention, cross.layer_norm)
    yield from _feed_forward("decoder.1", feed_forward)
    for side in ("encoder", "decoder"):
        yield f"{side}_norm.weight", t5.get_submodule(side).final_layer_norm.weight


def _attention(layer: str, attention: nn.Module, norm: Any) -> Iterator[tuple[str, Tensor]]:
    """Weights of heads, and of the norm before them."""
    yield f"{layer}.attention_norm.weight", norm.weight
    for name in ("q", "k", "v", "o"):
        projection: Any = attention.get_submodule(name)
        yield f"{layer}.attention.{name}.weight", projection.weight


def _feed_forward(layer: str, part: Any) -> Iterator[tuple[str, Tensor]]:
    """Weights of neurons, and of the norm before them."""
    yield f"{layer}.feed_forward_norm.weight", part.layer_norm.weight
    for name, weight in part.DenseReluDense.named_parameters():
        yield f"{layer}.feed_forward.{name}", weight
