"""Models of transformers with a different number of attention heads and feed-forward neurons in each layer.

This file needs only torch and transformers. A copy of it is saved with every model of these classes, so that
`from_pretrained(folder, trust_remote_code=True)` loads the model without lmdistill.

A unit of attention is a head, or with grouped-query attention one key/value head and its query heads. A unit
of a feed-forward layer is a neuron.
"""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, no_type_check

import torch
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    ElectraConfig,
    ElectraForSequenceClassification,
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GemmaConfig,
    GemmaForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    RobertaConfig,
    RobertaForSequenceClassification,
)
from transformers.pytorch_utils import Conv1D


@dataclass(frozen=True, kw_only=True)
class Family:
    """Names of the modules of a layer in a family of models; paths are relative to the layer."""

    attention: str
    """Path of the attention module; its forward returns a pair."""

    inputs: tuple[str, ...]
    """Paths of the query, key and value projections, in this order; one path if they are one matrix."""

    interleaved: bool = False
    """Whether queries, keys and values of one head stand together in that matrix, not those of all heads."""

    output: str
    """Path of the output projection of attention."""

    follows: tuple[str, ...] = ()
    """Names in the attention module of what it applies after the heads: output projection, then dropout."""

    head_size: str
    """Attribute of the attention module with the size of a head."""

    num_heads: str = ""
    """Attribute of the attention module with the number of heads; empty if it has none."""

    width: str = ""
    """Attribute of the attention module with the size of all heads together; empty if it has none."""

    own_config: bool = False
    """Whether it asks its configuration how many heads it has, so that it needs one of its own."""

    positions: str = ""
    """Path of the relative position bias; empty if there is none. Some layers may not have it."""

    rising: tuple[str, ...]
    """Paths of the projections to the neurons: one, or two in gated layers, or both in one matrix, the gate
    first; a layer may lack some."""

    falling: str
    """Path of the projection from neurons to hidden states."""

    free_heads: bool = False
    """Whether the class of transformers allows any number of heads, because its configuration has the size
    of a head."""

    neurons: str = "intermediate_size"
    """Field of the configuration with the number of neurons."""


_BERT = Family(
    attention="attention.self",
    inputs=("attention.self.query", "attention.self.key", "attention.self.value"),
    output="attention.output.dense",
    head_size="attention_head_size",
    num_heads="num_attention_heads",
    width="all_head_size",
    rising=("intermediate.dense",),
    falling="output.dense",
)
_LLAMA = Family(
    attention="self_attn",
    inputs=("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    output="self_attn.o_proj",
    follows=("o_proj",),
    head_size="head_dim",
    rising=("mlp.gate_proj", "mlp.up_proj"),
    falling="mlp.down_proj",
    free_heads=True,
)

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "bert": _BERT,
        "distilbert": Family(
            attention="attention",
            inputs=("attention.q_lin", "attention.k_lin", "attention.v_lin"),
            output="attention.out_lin",
            follows=("out_lin",),
            head_size="attention_head_size",
            num_heads="n_heads",
            rising=("ffn.lin1",),
            falling="ffn.lin2",
            neurons="hidden_dim",
        ),
        "electra": _BERT,
        "enc-t5": Family(
            attention="attention",
            inputs=("attention.q", "attention.k", "attention.v"),
            output="attention.o",
            follows=("o",),
            head_size="head_size",
            positions="attention.positions",
            rising=("feed_forward.wi", "feed_forward.wi_0", "feed_forward.wi_1"),
            falling="feed_forward.wo",
            neurons="d_ff",
        ),
        "gemma": _LLAMA,
        "gemma2": _LLAMA,
        "gemma3_text": _LLAMA,
        "gpt2": Family(
            attention="attn",
            inputs=("attn.c_attn",),
            output="attn.c_proj",
            follows=("c_proj", "resid_dropout"),
            head_size="head_dim",
            num_heads="num_heads",
            width="split_size",
            rising=("mlp.c_fc",),
            falling="mlp.c_proj",
            neurons="n_inner",
        ),
        "gpt_neox": Family(
            attention="attention",
            inputs=("attention.query_key_value",),
            interleaved=True,
            output="attention.dense",
            follows=("dense",),
            head_size="head_size",
            rising=("mlp.dense_h_to_4h",),
            falling="mlp.dense_4h_to_h",
        ),
        "llama": _LLAMA,
        "mistral": _LLAMA,
        "opt": Family(
            attention="self_attn",
            inputs=("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            output="self_attn.out_proj",
            follows=("out_proj",),
            head_size="head_dim",
            num_heads="num_heads",
            rising=("fc1",),
            falling="fc2",
            neurons="ffn_dim",
        ),
        "phi3": Family(
            attention="self_attn",
            inputs=("self_attn.qkv_proj",),
            output="self_attn.o_proj",
            follows=("o_proj",),
            head_size="head_dim",
            own_config=True,
            rising=("mlp.gate_up_proj",),
            falling="mlp.down_proj",
            free_heads=True,
        ),
        "qwen2": _LLAMA,
        "qwen3": _LLAMA,
        "roberta": _BERT,
    }
)
"""Supported model types."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """Rows or columns of the (outputs, inputs) matrix of a projection that belong to each unit."""

    name: str
    """Path of the projection, relative to the layer."""

    axis: int
    """0 if rows belong to units, 1 if columns do."""

    blocks: tuple[int, ...]
    """Number of rows or columns per unit, >= 1: in each part of the matrix, if it holds all units several
    times one after another, as with queries, keys and values in one matrix."""

    @property
    def block(self) -> int:
        """Number of rows or columns per unit in the first part."""
        return self.blocks[0]


def head_shares(layer: nn.Module, family: Family) -> tuple[Share, ...]:
    """Shares of the units of attention, that of the output projection last; empty if all heads are pruned."""
    attention = part_of(layer, family.attention)
    if attention is None or isinstance(attention, Vanished):
        return ()
    size = int(getattr(attention, family.head_size))
    group = size * int(getattr(attention, "num_key_value_groups", 1))
    last = Share(name=family.output, axis=1, blocks=(group,))
    if family.interleaved:
        return (Share(name=family.inputs[0], axis=0, blocks=(3 * size,)), last)
    if len(family.inputs) == 1:
        return (Share(name=family.inputs[0], axis=0, blocks=(group, size, size)), last)
    queries, keys, values = family.inputs
    shares: tuple[Share, ...] = (
        Share(name=queries, axis=0, blocks=(group,)),
        Share(name=keys, axis=0, blocks=(size,)),
        Share(name=values, axis=0, blocks=(size,)),
    )
    if family.positions and part_of(layer, family.positions) is not None:
        shares = (*shares, Share(name=family.positions, axis=0, blocks=(group // size,)))
    return (*shares, last)


def neuron_shares(layer: nn.Module, family: Family) -> tuple[Share, ...]:
    """Shares of the neurons, that of the output projection last; empty if all neurons are pruned."""
    falling = part_of(layer, family.falling)
    if falling is None or isinstance(falling, Remainder):
        return ()
    last = Share(name=family.falling, axis=1, blocks=(1,))
    neurons = matrix_shape(falling)[1]
    rising = []
    for name in _rising(layer, family):
        parts = matrix_shape(layer.get_submodule(name))[0] // neurons  # 2 where the gate is in it
        rising.append(Share(name=name, axis=0, blocks=(1,) * parts))
    return (*rising, last)


def _rising(layer: nn.Module, family: Family) -> list[str]:
    """Paths of the projections to the neurons that a layer has."""
    return [name for name in family.rising if part_of(layer, name) is not None]


def part_of(layer: nn.Module, name: str) -> nn.Module | None:
    """The module at a path relative to the layer; None if there is none."""
    return dict(layer.named_modules()).get(name)


def flipped(module: nn.Module) -> bool:
    """Whether a projection stores its matrix as (inputs, outputs)."""
    return isinstance(module, Conv1D) or bool(getattr(module, "is_flipped", False))


def matrix_shape(module: nn.Module) -> tuple[int, int]:
    """Outputs and inputs of the matrix that a projection holds."""
    weight: Any = module.weight
    rows, columns = weight.shape
    return (columns, rows) if flipped(module) else (rows, columns)


def prefix(module: Any, share: Share, units: int) -> tuple[Tensor, Tensor | None]:
    """The part of the (outputs, inputs) matrix and of the bias that belongs to the first `units` units."""
    weight, bias = module.weight.t() if flipped(module) else module.weight, module.bias
    if share.axis == 1:
        return weight[:, : units * share.block], bias
    return _first_rows(weight, share, units), None if bias is None else _first_rows(bias, share, units)


def _first_rows(rows: Tensor, share: Share, units: int) -> Tensor:
    """The rows of the first units, in every part of a matrix or of its bias."""
    if len(share.blocks) == 1:
        return rows[: units * share.block]
    whole = rows.shape[0] // sum(share.blocks)
    parts = rows.split([whole * block for block in share.blocks])
    return torch.cat([part[: units * block] for part, block in zip(parts, share.blocks, strict=True)])


Cut = Callable[[nn.Module, Share, int], nn.Module]
"""A function of a projection, its share and a number of units; returns a projection with the first units."""


def dense(module: nn.Module, share: Share, units: int) -> nn.Module:
    """A smaller projection of the same type with a copy of the weights of the first `units` units."""
    weight, bias = prefix(module, share, units)
    outputs, inputs = weight.shape
    with torch.device("meta"):
        small: Any = (
            Conv1D(outputs, inputs) if flipped(module) else nn.Linear(inputs, outputs, bias=bias is not None)
        )
    matrix = weight.t() if flipped(module) else weight
    small.weight = nn.Parameter(matrix.detach().clone(memory_format=torch.contiguous_format))
    small.bias = None if bias is None else nn.Parameter(bias.detach().clone())
    projection: nn.Module = small
    return projection


class Nothing(nn.Module):
    """A projection to 0 neurons."""

    def forward(self, states: Tensor) -> Tensor:
        """An empty tensor of shape (..., 0)."""
        return states.new_empty((*states.shape[:-1], 0))


class Remainder(nn.Module):
    """An output projection without inputs, which returns its bias."""

    def __init__(self, projection: Any) -> None:
        super().__init__()
        self.width = int(projection.weight.shape[1 if flipped(projection) else 0])
        self.bias = projection.bias

    def forward(self, inputs: Tensor) -> Tensor:
        """The bias for every position; 0 if there is no bias."""
        bias = inputs.new_zeros(()) if self.bias is None else self.bias
        return bias.expand((*inputs.shape[:-1], self.width))


class Vanished(nn.Module):
    """Attention without heads. It writes zeros to the cache, from which the text length is read."""

    def __init__(self, attention: nn.Module, follows: Sequence[str]) -> None:
        super().__init__()
        self.layer_idx = getattr(attention, "layer_idx", None)
        self.follows = tuple(follows)
        for name in self.follows:
            self.add_module(name, attention.get_submodule(name))

    def forward(
        self,
        hidden_states: Tensor,
        *_: Any,
        past_key_values: Any = None,
        layer_past: Any = None,
        cache: Any = None,
        **__: Any,
    ) -> tuple[Tensor, Tensor | None]:
        """Output of `follows` without heads, and no attention weights; the cache has had several names."""
        caches = (cache, past_key_values, layer_past)
        key_values = next((one for one in caches if one is not None), None)
        if key_values is not None:
            zeros = hidden_states.new_zeros((hidden_states.shape[0], 1, hidden_states.shape[1], 1))
            key_values.update(zeros, zeros, self.layer_idx)
        states = hidden_states.new_empty((*hidden_states.shape[:-1], 0))
        for name in self.follows:
            states = self.get_submodule(name)(states)
        return states, None


def narrow(
    layers: Iterable[nn.Module], family: Family, heads: Sequence[int], neurons: Sequence[int], cut: Cut
) -> None:
    """Reduce layers in place to their first units; parts without units stay as they are.

    Args:
        layers: Layers of one model.
        family: Names of their modules.
        heads: Number of attention units to keep in each layer.
        neurons: Number of neurons to keep in each layer.
        cut: Makes the replacement of a projection.
    """
    for layer, kept_heads, kept_neurons in zip(layers, heads, neurons, strict=True):
        _narrow_attention(layer, family, kept_heads, cut)
        _narrow_feed_forward(layer, family, kept_neurons, cut)


def _narrow_attention(layer: nn.Module, family: Family, units: int, cut: Cut) -> None:
    """Keep the first units of attention, and set the number of heads in the module."""
    shares = head_shares(layer, family)
    if not shares:
        return
    attention = layer.get_submodule(family.attention)
    if units == 0:
        layer.set_submodule(family.output, Remainder(layer.get_submodule(family.output)))
        layer.set_submodule(family.attention, Vanished(attention, family.follows))
        return
    for share in shares:
        layer.set_submodule(share.name, cut(layer.get_submodule(share.name), share, units))
    width = units * shares[-1].block
    if family.num_heads:
        setattr(attention, family.num_heads, width // int(getattr(attention, family.head_size)))
    if family.width:
        setattr(attention, family.width, width)
    if family.own_config:
        own: Any = attention
        own.config, own.num_key_value_heads = copy.copy(own.config), units
        own.config.num_attention_heads = width // int(getattr(attention, family.head_size))


def _narrow_feed_forward(layer: nn.Module, family: Family, units: int, cut: Cut) -> None:
    """Keep the first neurons."""
    shares = neuron_shares(layer, family)
    if not shares:
        return
    if units > 0:
        for share in shares:
            layer.set_submodule(share.name, cut(layer.get_submodule(share.name), share, units))
        return
    for name in _rising(layer, family):
        layer.set_submodule(name, Nothing())
    layer.set_submodule(family.falling, Remainder(layer.get_submodule(family.falling)))


def widths(layer: nn.Module, family: Family) -> tuple[int, int]:
    """Number of attention units and number of neurons of a layer."""
    heads, neurons = head_shares(layer, family), neuron_shares(layer, family)
    return _units(layer, heads[-1]) if heads else 0, _units(layer, neurons[-1]) if neurons else 0


def _units(layer: nn.Module, share: Share) -> int:
    """Number of units at the input of an output projection."""
    projection: Any = layer.get_submodule(share.name)
    return int(projection.nx if isinstance(projection, Conv1D) else projection.in_features) // share.block


@no_type_check  # a configuration accepts any keyword, and a checked dataclass would not
@dataclass(kw_only=True)
class Kept:
    """Fields that narrow models add to the configuration of transformers."""

    kept_heads: list[int] | None = None
    """Number of attention units in each layer; None keeps all of them."""

    kept_neurons: list[int] | None = None
    """Number of neurons in each layer; None keeps all of them."""


class Narrowed(nn.Module):
    """A model of transformers that is narrowed in its constructor, before its weights are loaded."""

    def __init__(self, config: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(config, *args, **kwargs)
        if config.kept_heads is not None and config.kept_neurons is not None:
            modules: Any = self
            layers = next(part for part in modules.base_model.modules() if isinstance(part, nn.ModuleList))
            family = FAMILIES[config.model_type.removeprefix(PREFIX)]
            narrow(layers, family, config.kept_heads, config.kept_neurons, dense)


PREFIX = "narrow-"
"""Prefix of the model types of narrow models."""


class NarrowBertConfig(Kept, BertConfig):
    """Configuration of a narrow BERT model."""

    model_type = "narrow-bert"


class NarrowBertForSequenceClassification(Narrowed, BertForSequenceClassification):
    """A narrow BERT classifier."""

    config_class = NarrowBertConfig


class NarrowDistilBertConfig(Kept, DistilBertConfig):
    """Configuration of a narrow DistilBERT model."""

    model_type = "narrow-distilbert"


class NarrowDistilBertForSequenceClassification(Narrowed, DistilBertForSequenceClassification):
    """A narrow DistilBERT classifier."""

    config_class = NarrowDistilBertConfig


class NarrowElectraConfig(Kept, ElectraConfig):
    """Configuration of a narrow ELECTRA model."""

    model_type = "narrow-electra"


class NarrowElectraForSequenceClassification(Narrowed, ElectraForSequenceClassification):
    """A narrow ELECTRA classifier."""

    config_class = NarrowElectraConfig


class NarrowGemmaConfig(Kept, GemmaConfig):
    """Configuration of a narrow Gemma model."""

    model_type = "narrow-gemma"


class NarrowGemmaForCausalLM(Narrowed, GemmaForCausalLM):
    """A narrow Gemma language model."""

    config_class = NarrowGemmaConfig


class NarrowGemma2Config(Kept, Gemma2Config):
    """Configuration of a narrow Gemma 2 model."""

    model_type = "narrow-gemma2"


class NarrowGemma2ForCausalLM(Narrowed, Gemma2ForCausalLM):
    """A narrow Gemma 2 language model."""

    config_class = NarrowGemma2Config


class NarrowGemma3Config(Kept, Gemma3TextConfig):
    """Configuration of a narrow Gemma 3 model."""

    model_type = "narrow-gemma3_text"


class NarrowGemma3ForCausalLM(Narrowed, Gemma3ForCausalLM):
    """A narrow Gemma 3 language model."""

    config_class = NarrowGemma3Config


class NarrowGPT2Config(Kept, GPT2Config):
    """Configuration of a narrow GPT-2 model."""

    model_type = "narrow-gpt2"


class NarrowGPT2ForCausalLM(Narrowed, GPT2LMHeadModel):
    """A narrow GPT-2 language model."""

    config_class = NarrowGPT2Config


class NarrowGPTNeoXConfig(Kept, GPTNeoXConfig):
    """Configuration of a narrow GPT-NeoX model."""

    model_type = "narrow-gpt_neox"


class NarrowGPTNeoXForCausalLM(Narrowed, GPTNeoXForCausalLM):
    """A narrow GPT-NeoX language model."""

    config_class = NarrowGPTNeoXConfig


class NarrowLlamaConfig(Kept, LlamaConfig):
    """Configuration of a narrow Llama model."""

    model_type = "narrow-llama"


class NarrowLlamaForCausalLM(Narrowed, LlamaForCausalLM):
    """A narrow Llama language model."""

    config_class = NarrowLlamaConfig


class NarrowMistralConfig(Kept, MistralConfig):
    """Configuration of a narrow Mistral model."""

    model_type = "narrow-mistral"


class NarrowMistralForCausalLM(Narrowed, MistralForCausalLM):
    """A narrow Mistral language model."""

    config_class = NarrowMistralConfig


class NarrowOPTConfig(Kept, OPTConfig):
    """Configuration of a narrow OPT model."""

    model_type = "narrow-opt"


class NarrowOPTForCausalLM(Narrowed, OPTForCausalLM):
    """A narrow OPT language model."""

    config_class = NarrowOPTConfig


class NarrowPhi3Config(Kept, Phi3Config):
    """Configuration of a narrow Phi-3 model."""

    model_type = "narrow-phi3"


class NarrowPhi3ForCausalLM(Narrowed, Phi3ForCausalLM):
    """A narrow Phi-3 language model."""

    config_class = NarrowPhi3Config


class NarrowQwen2Config(Kept, Qwen2Config):
    """Configuration of a narrow Qwen2 model."""

    model_type = "narrow-qwen2"


class NarrowQwen2ForCausalLM(Narrowed, Qwen2ForCausalLM):
    """A narrow Qwen2 language model."""

    config_class = NarrowQwen2Config


class NarrowQwen3Config(Kept, Qwen3Config):
    """Configuration of a narrow Qwen3 model."""

    model_type = "narrow-qwen3"


class NarrowQwen3ForCausalLM(Narrowed, Qwen3ForCausalLM):
    """A narrow Qwen3 language model."""

    config_class = NarrowQwen3Config


class NarrowRobertaConfig(Kept, RobertaConfig):
    """Configuration of a narrow RoBERTa model."""

    model_type = "narrow-roberta"


class NarrowRobertaForSequenceClassification(Narrowed, RobertaForSequenceClassification):
    """A narrow RoBERTa classifier."""

    config_class = NarrowRobertaConfig


CLASSIFIERS: Mapping[str, tuple[Any, Any]] = MappingProxyType(
    {
        "bert": (NarrowBertConfig, NarrowBertForSequenceClassification),
        "distilbert": (NarrowDistilBertConfig, NarrowDistilBertForSequenceClassification),
        "electra": (NarrowElectraConfig, NarrowElectraForSequenceClassification),
        "roberta": (NarrowRobertaConfig, NarrowRobertaForSequenceClassification),
    }
)
"""Configuration and model class of narrow classifiers, by model type of transformers."""

WRITERS: Mapping[str, tuple[Any, Any]] = MappingProxyType(
    {
        "gemma": (NarrowGemmaConfig, NarrowGemmaForCausalLM),
        "gemma2": (NarrowGemma2Config, NarrowGemma2ForCausalLM),
        "gemma3_text": (NarrowGemma3Config, NarrowGemma3ForCausalLM),
        "gpt2": (NarrowGPT2Config, NarrowGPT2ForCausalLM),
        "gpt_neox": (NarrowGPTNeoXConfig, NarrowGPTNeoXForCausalLM),
        "llama": (NarrowLlamaConfig, NarrowLlamaForCausalLM),
        "mistral": (NarrowMistralConfig, NarrowMistralForCausalLM),
        "opt": (NarrowOPTConfig, NarrowOPTForCausalLM),
        "phi3": (NarrowPhi3Config, NarrowPhi3ForCausalLM),
        "qwen2": (NarrowQwen2Config, NarrowQwen2ForCausalLM),
        "qwen3": (NarrowQwen3Config, NarrowQwen3ForCausalLM),
    }
)
"""Configuration and model class of narrow language models, by model type of transformers."""

for _config, _model in CLASSIFIERS.values():
    _config.register_for_auto_class("AutoConfig")
    _model.register_for_auto_class("AutoModelForSequenceClassification")
for _config, _model in WRITERS.values():
    _config.register_for_auto_class("AutoConfig")
    _model.register_for_auto_class("AutoModelForCausalLM")
