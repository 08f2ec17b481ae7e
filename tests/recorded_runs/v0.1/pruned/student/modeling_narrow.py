"""Stock models with fewer attention heads and feed-forward neurons in some of their layers.

This file stands alone: it needs torch and transformers only, and a copy of it lies beside the weights of
every model of these classes, so that `from_pretrained(folder, trust_remote_code=True)` loads them anywhere.
"""

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
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
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
    """Where the heads and the neurons of a layer are; names are paths from the layer on."""

    attention: str
    """The module that attends; called with states, it returns a pair."""

    inputs: tuple[str, ...]
    """Projections to queries, keys and values, in this order; one name if they are one matrix."""

    output: str
    """The projection of what the heads found."""

    follows: tuple[str, ...] = ()
    """What the attention module applies to that: its own names for the projection and a dropout behind it."""

    head_size: str
    """The attention module's name for the width of a head."""

    num_heads: str = ""
    """Its name for the number of its heads, if it keeps one."""

    width: str = ""
    """Its name for the width of all heads together, if it keeps one."""

    positions: str = ""
    """The projection to what heads add for a distance, in families that have one; a layer may lack it."""

    rising: tuple[str, ...]
    """Projections to the neurons: one, or two where a gate multiplies them; a layer may lack some."""

    falling: str
    """The projection of the neurons back to states."""

    free_heads: bool = False
    """Whether the stock class takes any number of heads, because its configuration says how wide one is."""

    neurons: str = "intermediate_size"
    """The configuration's name for the number of neurons."""


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
        "llama": _LLAMA,
        "mistral": _LLAMA,
        "qwen2": _LLAMA,
        "qwen3": _LLAMA,
        "roberta": _BERT,
    }
)
"""Model type, and where its units are."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one projection gives to each unit: rows or columns of its (outputs, inputs) matrix."""

    name: str
    """The projection."""

    axis: int
    """0 if units are rows, 1 if they are columns."""

    block: int
    """How many of these belong to one unit."""

    parts: int = 1
    """How often all units stand side by side, as queries, keys and values do in one matrix."""


def head_shares(layer: nn.Module, family: Family) -> tuple[Share, ...]:
    """What belongs to a unit of attention; nothing if there is none left. The output projection comes last.

    A unit is a head, or one head of keys and values with all its heads of queries.
    """
    attention = part_of(layer, family.attention)
    if attention is None or isinstance(attention, Vanished):
        return ()
    size = int(getattr(attention, family.head_size))
    group = size * int(getattr(attention, "num_key_value_groups", 1))
    last = Share(name=family.output, axis=1, block=group)
    if len(family.inputs) == 1:
        return (Share(name=family.inputs[0], axis=0, block=size, parts=3), last)
    queries, keys, values = family.inputs
    found: tuple[Share, ...] = (
        Share(name=queries, axis=0, block=group),
        Share(name=keys, axis=0, block=size),
        Share(name=values, axis=0, block=size),
    )
    if family.positions and part_of(layer, family.positions) is not None:
        found = (*found, Share(name=family.positions, axis=0, block=group // size))
    return (*found, last)


def neuron_shares(layer: nn.Module, family: Family) -> tuple[Share, ...]:
    """What belongs to a neuron; nothing if there is none left. The output projection comes last."""
    falling = part_of(layer, family.falling)
    if falling is None or isinstance(falling, Remainder):
        return ()
    rising = (Share(name=name, axis=0, block=1) for name in _rising(layer, family))
    return (*rising, Share(name=family.falling, axis=1, block=1))


def _rising(layer: nn.Module, family: Family) -> list[str]:
    """The projections to the neurons that a layer has."""
    return [name for name in family.rising if part_of(layer, name) is not None]


def part_of(layer: nn.Module, name: str) -> nn.Module | None:
    """The module at a path from the layer on, if there is one."""
    return dict(layer.named_modules()).get(name)


def flipped(module: nn.Module) -> bool:
    """Whether a projection holds its matrix as (inputs, outputs)."""
    return isinstance(module, Conv1D) or bool(getattr(module, "is_flipped", False))


def prefix(module: Any, share: Share, units: int) -> tuple[Tensor, Tensor | None]:
    """What the first units have in the (outputs, inputs) matrix and in the bias of a projection."""
    weight, bias = module.weight.t() if flipped(module) else module.weight, module.bias
    size = units * share.block
    if share.axis == 1:
        return weight[:, :size], bias
    if share.parts == 1:
        return weight[:size], None if bias is None else bias[:size]
    rows = torch.cat([part[:size] for part in weight.chunk(share.parts)])
    return rows, None if bias is None else torch.cat([part[:size] for part in bias.chunk(share.parts)])


Cut = Callable[[nn.Module, Share, int], nn.Module]
"""What takes the place of a projection, so that it computes with its first units only."""


def dense(module: nn.Module, share: Share, units: int) -> nn.Module:
    """A projection of the same kind with small weights of its own."""
    weight, bias = prefix(module, share, units)
    outputs, inputs = weight.shape
    with torch.device("meta"):
        small: Any = (
            Conv1D(outputs, inputs) if flipped(module) else nn.Linear(inputs, outputs, bias=bias is not None)
        )
    matrix = weight.t() if flipped(module) else weight
    small.weight = nn.Parameter(matrix.detach().clone(memory_format=torch.contiguous_format))
    small.bias = None if bias is None else nn.Parameter(bias.detach().clone())
    made: nn.Module = small
    return made


class Nothing(nn.Module):
    """A projection to no neurons."""

    def forward(self, states: Tensor) -> Tensor:
        """As many states as came, of width 0."""
        return states.new_empty((*states.shape[:-1], 0))


class Remainder(nn.Module):
    """What is left of an output projection when all its inputs are 0: its bias."""

    def __init__(self, projection: Any) -> None:
        super().__init__()
        self.width = int(projection.weight.shape[1 if flipped(projection) else 0])
        self.bias = projection.bias

    def forward(self, inputs: Tensor) -> Tensor:
        """The bias, or 0, for every position."""
        rest = inputs.new_zeros(()) if self.bias is None else self.bias
        return rest.expand((*inputs.shape[:-1], self.width))


class Vanished(nn.Module):
    """Attention without heads. It leaves marks in the cache, which other layers ask how long the text is."""

    def __init__(self, attention: nn.Module, follows: Sequence[str]) -> None:
        super().__init__()
        self.layer_idx = getattr(attention, "layer_idx", None)
        self.follows = tuple(follows)
        for name in self.follows:
            self.add_module(name, attention.get_submodule(name))

    def forward(
        self, hidden_states: Tensor, *_: Any, past_key_values: Any = None, cache: Any = None, **__: Any
    ) -> tuple[Tensor, Tensor | None]:
        """What follows the heads, of nothing, and no weights of attention; transformers 5.24 says `cache`."""
        kept = past_key_values if cache is None else cache
        if kept is not None:
            marks = hidden_states.new_zeros((hidden_states.shape[0], 1, hidden_states.shape[1], 1))
            kept.update(marks, marks, self.layer_idx)
        states = hidden_states.new_empty((*hidden_states.shape[:-1], 0))
        for name in self.follows:
            states = self.get_submodule(name)(states)
        return states, None


def narrow(
    layers: Iterable[nn.Module], family: Family, heads: Sequence[int], neurons: Sequence[int], cut: Cut
) -> None:
    """Make layers compute with their first units only, in place; what has vanished stays so.

    Args:
        layers: Of one model.
        family: Where their units are.
        heads: Units of attention to keep, one number a layer.
        neurons: Neurons to keep, one number a layer.
        cut: What to put in the place of a projection.
    """
    for layer, kept_heads, kept_neurons in zip(layers, heads, neurons, strict=True):
        _narrow_attention(layer, family, kept_heads, cut)
        _narrow_feed_forward(layer, family, kept_neurons, cut)


def _narrow_attention(layer: nn.Module, family: Family, units: int, cut: Cut) -> None:
    """Keep the first units of attention, and tell the module how many they are."""
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
    """How many units of attention and how many neurons a layer computes with."""
    heads, neurons = head_shares(layer, family), neuron_shares(layer, family)
    return _units(layer, heads[-1]) if heads else 0, _units(layer, neurons[-1]) if neurons else 0


def _units(layer: nn.Module, share: Share) -> int:
    """How many units an output projection reads."""
    projection: Any = layer.get_submodule(share.name)
    return int(projection.nx if isinstance(projection, Conv1D) else projection.in_features) // share.block


@no_type_check  # configurations take any keyword, and a checked dataclass would not
@dataclass(kw_only=True)
class Kept:
    """What a configuration says beside the stock one."""

    kept_heads: list[int] | None = None
    """Units of attention in each layer; None keeps them all, and so for neurons."""

    kept_neurons: list[int] | None = None
    """Neurons in each layer."""


class Narrowed(nn.Module):
    """A stock model that is narrowed as soon as it is built; its weights are read afterwards."""

    def __init__(self, config: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(config, *args, **kwargs)
        if config.kept_heads is not None and config.kept_neurons is not None:
            modules: Any = self
            layers = next(part for part in modules.base_model.modules() if isinstance(part, nn.ModuleList))
            family = FAMILIES[config.model_type.removeprefix(PREFIX)]
            narrow(layers, family, config.kept_heads, config.kept_neurons, dense)


PREFIX = "narrow-"
"""How model types begin that are carried with the weights."""


class NarrowBertConfig(Kept, BertConfig):
    """Shape of a narrow BERT."""

    model_type = "narrow-bert"


class NarrowBertForSequenceClassification(Narrowed, BertForSequenceClassification):
    """A narrow BERT classifier."""

    config_class = NarrowBertConfig


class NarrowDistilBertConfig(Kept, DistilBertConfig):
    """Shape of a narrow DistilBERT."""

    model_type = "narrow-distilbert"


class NarrowDistilBertForSequenceClassification(Narrowed, DistilBertForSequenceClassification):
    """A narrow DistilBERT classifier."""

    config_class = NarrowDistilBertConfig


class NarrowElectraConfig(Kept, ElectraConfig):
    """Shape of a narrow ELECTRA."""

    model_type = "narrow-electra"


class NarrowElectraForSequenceClassification(Narrowed, ElectraForSequenceClassification):
    """A narrow ELECTRA classifier."""

    config_class = NarrowElectraConfig


class NarrowGPT2Config(Kept, GPT2Config):
    """Shape of a narrow GPT-2."""

    model_type = "narrow-gpt2"


class NarrowGPT2ForCausalLM(Narrowed, GPT2LMHeadModel):
    """A narrow GPT-2 language model."""

    config_class = NarrowGPT2Config


class NarrowLlamaConfig(Kept, LlamaConfig):
    """Shape of a narrow Llama."""

    model_type = "narrow-llama"


class NarrowLlamaForCausalLM(Narrowed, LlamaForCausalLM):
    """A narrow Llama language model."""

    config_class = NarrowLlamaConfig


class NarrowMistralConfig(Kept, MistralConfig):
    """Shape of a narrow Mistral."""

    model_type = "narrow-mistral"


class NarrowMistralForCausalLM(Narrowed, MistralForCausalLM):
    """A narrow Mistral language model."""

    config_class = NarrowMistralConfig


class NarrowQwen2Config(Kept, Qwen2Config):
    """Shape of a narrow Qwen2."""

    model_type = "narrow-qwen2"


class NarrowQwen2ForCausalLM(Narrowed, Qwen2ForCausalLM):
    """A narrow Qwen2 language model."""

    config_class = NarrowQwen2Config


class NarrowQwen3Config(Kept, Qwen3Config):
    """Shape of a narrow Qwen3."""

    model_type = "narrow-qwen3"


class NarrowQwen3ForCausalLM(Narrowed, Qwen3ForCausalLM):
    """A narrow Qwen3 language model."""

    config_class = NarrowQwen3Config


class NarrowRobertaConfig(Kept, RobertaConfig):
    """Shape of a narrow RoBERTa."""

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
"""Model type, and the classes of its narrow classifier."""

WRITERS: Mapping[str, tuple[Any, Any]] = MappingProxyType(
    {
        "gpt2": (NarrowGPT2Config, NarrowGPT2ForCausalLM),
        "llama": (NarrowLlamaConfig, NarrowLlamaForCausalLM),
        "mistral": (NarrowMistralConfig, NarrowMistralForCausalLM),
        "qwen2": (NarrowQwen2Config, NarrowQwen2ForCausalLM),
        "qwen3": (NarrowQwen3Config, NarrowQwen3ForCausalLM),
    }
)
"""Model type, and the classes of its narrow language model."""

for _config, _model in CLASSIFIERS.values():
    _config.register_for_auto_class("AutoConfig")
    _model.register_for_auto_class("AutoModelForSequenceClassification")
for _config, _model in WRITERS.values():
    _config.register_for_auto_class("AutoConfig")
    _model.register_for_auto_class("AutoModelForCausalLM")
