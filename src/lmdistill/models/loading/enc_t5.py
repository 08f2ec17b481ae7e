"""Classifiers that are initialised with the weights of a T5."""

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
"""Fields of a T5's configuration that are copied to that of the classifier."""


def read_enc_t5(
    location: str, config: Any, *, trust_remote_code: bool, allow_pickle: bool
) -> tuple[Any, Any]:
    """Load a T5 as a classifier made of its encoder and its first decoder layer.

    Prompt and head are initialised from torch's random generator. The relative position bias of the decoder
    layer is not used, because the prompt has only one position.

    Args:
        location: Folder or hub id.
        config: Configuration of the T5, with the labels of the new head; modified in place.
        trust_remote_code: Run code that comes with the model.
        allow_pickle: Load weights that were saved as pickles, which can run code.

    Returns:
        Model and tokenizer.

    Raises:
        ModelError: If they cannot be loaded, or there is no decoder.
    """
    config.num_decoder_layers = 1  # the other layers are not loaded
    config.is_encoder_decoder = True  # false in the configuration of a T5 encoder
    t5, tokenizer, missing = read_pretrained(
        T5Model,
        location,
        config,
        trust_remote_code=trust_remote_code,
        allow_pickle=allow_pickle,
        unread=("decoder.block.",),
    )
    if any(name.startswith("decoder.block.") for name in missing):
        raise ModelError(
            f"{location} has no weights of a T5's first decoder layer, which its classifier needs. Use the "
            "whole model that the encoder was taken from."
        )
    require_complete(location, missing)
    return from_t5(t5), tokenizer


def from_t5(t5: T5Model) -> EncT5ForSequenceClassification:
    """Make a classifier of the encoder and the first decoder layer of a T5, with the weights of the T5.

    Args:
        t5: A T5 with labels in its configuration. The classifier shares its weights, so do not use it
            afterwards.

    Returns:
        A model whose prompt and head are initialised from torch's random generator.
    """
    t5_config: Any = t5.config
    config: Any = EncT5Config(**{name: getattr(t5_config, name) for name in COPIED_FIELDS})
    with torch.device("meta"):  # does not initialise weights, which are replaced below
        model = EncT5ForSequenceClassification(config)
    keys = model.backbone.load_state_dict(dict(_weights(t5)), strict=False, assign=True)
    assert keys.missing_keys == ["prompt.weight"], keys
    assert not keys.unexpected_keys, keys
    new_modules: tuple[Any, ...] = (model.backbone.prompt, model.classifier)
    for module in new_modules:
        module.to_empty(device=t5.device)
        model._init_weights(module)
    return model


def _weights(t5: Any) -> Iterator[tuple[str, Tensor]]:
    """Weights of the T5, by their names in the classifier's backbone."""
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
    """Weights of an attention module and of the layer norm before it."""
    yield f"{layer}.attention_norm.weight", norm.weight
    for name in ("q", "k", "v", "o"):
        projection: Any = attention.get_submodule(name)
        yield f"{layer}.attention.{name}.weight", projection.weight


def _feed_forward(layer: str, module: Any) -> Iterator[tuple[str, Tensor]]:
    """Weights of a feed-forward module and of the layer norm before it."""
    yield f"{layer}.feed_forward_norm.weight", module.layer_norm.weight
    for name, weight in module.DenseReluDense.named_parameters():
        yield f"{layer}.feed_forward.{name}", weight
