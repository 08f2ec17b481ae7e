"""A tiny random loud network of every family that can be narrowed, with several units of each kind."""

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

from lmdistill.models.classifier import Network
from lmdistill.models.modeling_narrow import FAMILIES
from lmdistill.models.pruning.families import Widths
from lmdistill.models.pruning.importance import Importance
from tests.models import families
from tests.tiny import make_batch, tiny_tokenizer
from tests.tiny_causal import language_batch, tiny_language

NAMES = tuple(FAMILIES)
LAYERS = 3
FREE = ("gemma", "gemma2", "gemma3_text", "llama", "mistral", "phi3", "qwen2", "qwen3")
"""Families whose stock class takes any number of heads; here two heads of queries share keys and values."""
HEADS = {name: 2 if name in FREE else 4 for name in NAMES}
"""Units of attention in each layer."""
NEURONS = 32
GROUPED = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 4}
MORE = {
    "distilbert": {"n_heads": 4},
    "enc-t5": {"num_heads": 4},
    "gpt2": {"n_head": 4},
    "gpt_neox": {"num_attention_heads": 4},
    "opt": {"num_attention_heads": 4},
}
ENCODERS = tuple(name for name in NAMES if name in families.FAMILIES)


def widths(name, heads, neurons, decoder=((), ())):
    """Of the layers and, in families that have one, of a decoder: its self-attention and its cross-attention."""
    more = decoder if name == "enc-t5" else ((), ())
    return Widths(heads=(*heads, *more[0]), neurons=(*neurons, *more[1]))


FULL = {
    name: widths(name, (HEADS[name],) * LAYERS, (NEURONS,) * LAYERS, ((4, 4), (0, NEURONS))) for name in NAMES
}
RAGGED = {
    name: widths(name, (1, HEADS[name] - 1, HEADS[name]), (5, NEURONS, 8), ((3, 2), (0, 7))) for name in NAMES
}
VANISHED = {name: widths(name, (0, 1, HEADS[name]), (8, 0, 5), ((0, 1), (0, 0))) for name in NAMES}
BELOW = {name: widths(name, (0, 1, HEADS[name] - 1), (5, 9, 0), ((0, 2), (0, 6))) for name in NAMES}
"""At most RAGGED."""
SHAPES = {"ragged": RAGGED, "vanished": VANISHED}


def wide(name, seed=0, **more):
    """A network of the family called `name`, whose biases and norms are loud too."""
    torch.manual_seed(seed)
    if name in ENCODERS:
        changes = families.FAMILIES[name] | MORE.get(name, {"num_attention_heads": 4}) | more
        names = {"id2label": {0: "a", 1: "b", 2: "c"}, "label2id": {"a": 0, "b": 1, "c": 2}}
        config = AutoConfig.for_model(name, num_hidden_layers=LAYERS, **names, **changes)
        model = AutoModelForSequenceClassification.from_config(config).eval()
        network = Network(model, tiny_tokenizer(), source=name)
    else:
        network = tiny_language(name, layers=LAYERS, **(MORE.get(name, GROUPED) | more))
        if name == "qwen2":
            del network.model.config.head_dim  # as in those that are published
    for parameter in network.parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, mean=0.5, std=0.3)
    return network


def batch_for(network, **changes):
    """A batch that it reads."""
    if isinstance(network, Network):
        return make_batch(**changes)
    return language_batch(**changes)


def outputs(network, batch):
    """Logits at every token that is not padding."""
    if isinstance(network, Network):
        return network(batch.inputs).logits
    return network.head.logits(network.states(batch.inputs)[batch.inputs.mask == 1])


def random_importance(name, seed=5):
    """Numbers in no order."""
    g = torch.Generator().manual_seed(seed)
    counts = (FULL[name].heads, FULL[name].neurons)
    heads, neurons = (
        tuple(torch.rand(count, generator=g, dtype=torch.float64) for count in layers) for layers in counts
    )
    return Importance(heads=heads, neurons=neurons)
