import pytest
import torch
from transformers.models.llama.modeling_llama import LlamaRMSNorm
from transformers.models.t5.modeling_t5 import T5LayerNorm

from lmdistill.core.batch import Batch
from lmdistill.models.pruning.families import Widths, unit_layers
from lmdistill.models.pruning.importance import (
    Importance,
    activation_importance,
    gradient_importance,
    magnitude_importance,
    mean_label_loss,
)
from lmdistill.models.pruning.slicing import densify, sort_units, view
from tests.models.narrow import FULL, LAYERS, NAMES, VANISHED, batch_for, wide
from tests.tiny import make_batch, tiny

READERS = {
    "bert": ("attention.output.dense", "output.dense"),
    "enc-t5": ("attention.o", "feed_forward.wo"),
    "llama": ("self_attn.o_proj", "mlp.down_proj"),
}
STEP = 1e-4


def loss_with(network, batch, layer, path, unit, units, size):
    """What the network loses if one unit counts `size` times."""

    def scale(module, given):
        mask = torch.ones(units, dtype=given[0].dtype)
        mask[unit] = size
        return given[0] * mask.repeat_interleave(given[0].shape[-1] // units)

    hook = unit_layers(network.model)[layer].get_submodule(path).register_forward_pre_hook(scale)
    with torch.no_grad():
        lost = mean_label_loss(network, batch)
    hook.remove()
    return lost


def precise(network):
    """In float64, with torch's norms where those of Llama and T5 compute in 32 bits."""
    for path, module in list(network.model.named_modules()):
        if isinstance(module, LlamaRMSNorm | T5LayerNorm):
            norm = torch.nn.RMSNorm(16, eps=module.variance_epsilon)
            norm.weight = module.weight
            network.model.set_submodule(path, norm)
    return network.double()


def assert_close(ours, theirs, rtol=1e-9):
    for mine, other in zip((*ours.heads, *ours.neurons), (*theirs.heads, *theirs.neurons), strict=True):
        torch.testing.assert_close(mine, other, rtol=rtol, atol=1e-15)


@pytest.mark.parametrize("name", READERS)
def test_importance_is_the_slope_of_the_loss(name):
    network = precise(wide(name))
    batches = [batch_for(network, size=4, seed=seed) for seed in (1, 2)]
    found = gradient_importance(network, batches)
    assert len(found.heads) == len(found.neurons) == len(FULL[name].heads)
    for layer, counts in enumerate(zip(FULL[name].heads, FULL[name].neurons, strict=True)):
        for path, scores, units in zip(
            READERS[name], (found.heads[layer], found.neurons[layer]), counts, strict=True
        ):
            assert scores.shape == (units,)
            assert scores.dtype == torch.float64
            for unit in range(0, units, 1 if units < 8 else 11):
                expected = sum(
                    abs(
                        loss_with(network, batch, layer, path, unit, units, 1 + STEP)
                        - loss_with(network, batch, layer, path, unit, units, 1 - STEP)
                    )
                    / (2 * STEP)
                    for batch in batches
                )
                torch.testing.assert_close(scores[unit], expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_batches_add_up(name):
    network = wide(name)
    first, second = (batch_for(network, seed=seed) for seed in (1, 2))
    one, two, both = (
        gradient_importance(network, batches) for batches in ([first], [second], [first, second])
    )
    assert_close(
        both,
        Importance(
            heads=tuple(a + b for a, b in zip(one.heads, two.heads, strict=True)),
            neurons=tuple(a + b for a, b in zip(one.neurons, two.neurons, strict=True)),
        ),
    )
    assert min(float(scores.max()) for scores in (*both.heads, *both.neurons) if len(scores)) > 0


def test_a_regression_is_measured_by_its_squared_error():
    network, batch = tiny(classes=1).double(), make_batch(regression=True)
    lost = mean_label_loss(network, batch)
    expected = (network(batch.inputs).logits[:, 0] - batch.labels).square().mean()
    torch.testing.assert_close(lost, expected)
    assert gradient_importance(network, [batch]).heads[0].sum() > 0


def test_only_scored_positions_count():
    network = wide("bert")
    batch = make_batch()
    some = Batch(
        inputs=batch.inputs, labels=batch.labels, scored=torch.arange(8) < 3, examples=batch.examples, count=3
    )
    logits = network(batch.inputs).logits
    expected = torch.nn.functional.cross_entropy(logits[:3], batch.labels[:3])
    torch.testing.assert_close(mean_label_loss(network, some), expected)


@pytest.mark.parametrize("name", READERS)
def test_a_loss_of_ones_own_takes_the_place_of_the_labels(name):
    network, batch = wide(name), batch_for(wide(name))
    twice = gradient_importance(network, [batch], loss=lambda net, given: 2 * mean_label_loss(net, given))
    once = gradient_importance(network, [batch])
    assert_close(
        twice, Importance(heads=tuple(2 * x for x in once.heads), neurons=tuple(2 * x for x in once.neurons)),
        rtol=1e-5,
    )  # fmt: skip


@pytest.mark.parametrize("score", [gradient_importance, activation_importance])
def test_the_network_is_left_as_it_was_found(score):
    network = wide("llama")
    network.train()
    network.model.model.layers[1].eval()
    network.model.model.norm.requires_grad_(False)
    modes = [module.training for module in network.modules()]
    wants = [parameter.requires_grad for parameter in network.parameters()]
    with torch.no_grad():
        score(network, [batch_for(network)])
    assert [module.training for module in network.modules()] == modes
    assert [parameter.requires_grad for parameter in network.parameters()] == wants
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not any(module._forward_pre_hooks for module in network.modules())


@pytest.mark.parametrize("score", [gradient_importance, activation_importance])
def test_dropout_is_off(score):
    network = tiny(dropout=0.5)
    batch = make_batch()
    expected = score(network, [batch])
    assert_close(score(network.train(), [batch]), expected)


def test_a_frozen_teacher_has_important_units_too():
    network, batch = wide("bert"), make_batch()
    expected = gradient_importance(network, [batch])
    network.requires_grad_(False)
    assert_close(gradient_importance(network, [batch]), expected)


def test_hooks_go_when_something_fails():
    network = wide("bert")

    def broken(net, batch):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        gradient_importance(network.train(), [make_batch()], loss=broken)
    assert network.training
    assert not any(module._forward_pre_hooks for module in network.modules())


def test_normalised_numbers_have_norm_one_in_each_layer():
    found = gradient_importance(wide("bert"), [make_batch()])
    unit = found.normalised()
    for ours, theirs in zip((*unit.heads, *unit.neurons), (*found.heads, *found.neurons), strict=True):
        torch.testing.assert_close(ours.norm().item(), 1.0)
        torch.testing.assert_close(ours * theirs.norm(), theirs)
    none = Importance(heads=(torch.zeros(3).double(),), neurons=(torch.zeros(0).double(),)).normalised()
    assert not none.heads[0].any()


def test_magnitudes_by_hand():
    network = wide("llama")
    found = magnitude_importance(network)
    layer = network.model.model.layers[1]
    attention, mlp = layer.self_attn, layer.mlp
    group = [  # the second head of keys, of width 4, and its two heads of queries
        attention.q_proj.weight[8:16], attention.k_proj.weight[4:8], attention.v_proj.weight[4:8],
        attention.o_proj.weight[:, 8:16],
    ]  # fmt: skip
    neuron = [mlp.gate_proj.weight[7], mlp.up_proj.weight[7], mlp.down_proj.weight[:, 7]]
    for ours, parts in ((found.heads[1][1], group), (found.neurons[1][7], neuron)):
        expected = torch.cat([part.flatten() for part in parts]).double().norm()
        torch.testing.assert_close(ours, expected)


def test_magnitudes_of_one_matrix_of_queries_keys_and_values():
    network = wide("gpt2")
    block = network.model.transformer.h[2]
    rows, bias = block.attn.c_attn.weight, block.attn.c_attn.bias
    head = [part for start in (4, 20, 36) for part in (rows[:, start : start + 4], bias[start : start + 4])]
    head.append(block.attn.c_proj.weight[4:8])
    neuron = [block.mlp.c_fc.weight[:, 3], block.mlp.c_fc.bias[3:4], block.mlp.c_proj.weight[3]]
    found = magnitude_importance(network)
    for ours, parts in ((found.heads[2][1], head), (found.neurons[2][3], neuron)):
        expected = torch.cat([part.flatten() for part in parts]).double().norm()
        torch.testing.assert_close(ours, expected)


def readings(name, network, batches):
    """(layer, kind of unit, projection, all that it reads in float64), where there are units."""
    paths = {
        "gpt2": ("attn.c_proj", "mlp.c_proj"),
        "distilbert": ("attention.out_lin", "ffn.lin2"),
        "gpt_neox": ("attention.dense", "mlp.dense_4h_to_h"),
        "opt": ("self_attn.out_proj", "fc2"),
    }
    usual = READERS["llama"] if hasattr(network.model, "model") else READERS["bert"]
    parts = [
        (number, kind, layer.get_submodule(path))
        for number, layer in enumerate(unit_layers(network.model))
        for kind, path in zip(("heads", "neurons"), paths.get(name, READERS.get(name, usual)), strict=True)
        if getattr(FULL[name], kind)[number]
    ]
    read = {}
    for _, _, module in parts:
        module.register_forward_pre_hook(
            lambda module, given: read.setdefault(module, []).append(given[0].flatten(0, -2).double())
        )
    with torch.no_grad():
        for batch in batches:
            (network.states if hasattr(network, "states") else network)(batch.inputs)
    return [(number, kind, module, torch.cat(read[module])) for number, kind, module in parts]


@pytest.mark.parametrize("name", NAMES)
def test_activations_are_weights_times_what_they_read(name):
    network = wide(name)
    batches = [batch_for(network, seed=seed) for seed in (1, 2)]
    found = activation_importance(network, batches)
    real = torch.cat([batch.inputs.mask.flatten() for batch in batches]) == 1
    for number, kind, module, inputs in readings(name, network, batches):
        scores = getattr(found, kind)[number]
        inputs = inputs[real] if number < LAYERS else inputs  # a decoder has its prompt and nothing else
        weight = module.weight.double() if name == "gpt2" else module.weight.double().t()
        products = weight.abs().sum(1) * inputs.norm(dim=0)
        torch.testing.assert_close(scores, products.view(len(scores), -1).sum(1))


@pytest.mark.parametrize("name", NAMES)
def test_scores_move_with_their_units(name):
    """A sorted network has sorted importance: of everything, whatever the score."""
    network = wide(name)
    batch = batch_for(network)
    scores = {
        "importance": lambda net: gradient_importance(net, [batch]),
        "magnitude": magnitude_importance,
        "activation": lambda net: activation_importance(net, [batch]),
    }
    for score in scores.values():
        found = score(network)
        other = score(sort_units(network, found))
        for ours, theirs in zip((*other.heads, *other.neurons), (*found.heads, *found.neurons), strict=True):
            torch.testing.assert_close(ours, theirs.sort(descending=True).values, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_narrow_networks_have_scores_for_what_is_left(name):
    network = wide(name)
    batch = batch_for(network)
    small, seen = densify(network, VANISHED[name]), view(network, VANISHED[name])
    for score in (
        lambda net: gradient_importance(net, [batch]),
        magnitude_importance,
        lambda net: activation_importance(net, [batch]),
    ):
        ours, theirs = score(small), score(seen)
        assert tuple(map(len, ours.heads)) == VANISHED[name].heads
        assert tuple(map(len, ours.neurons)) == VANISHED[name].neurons
        assert_close(ours, theirs, rtol=1e-3)
        sort_units(small, ours)
        sort_units(seen, theirs)


def test_the_whole_chain_works_on_plain_numbers():
    network, batch = wide("llama"), batch_for(wide("llama"))
    ordered = sort_units(network, gradient_importance(network, [batch]).normalised())
    views = [view(ordered, Widths(heads=(kept,) * LAYERS, neurons=(16 * kept,) * LAYERS)) for kept in (1, 2)]
    sum(mean_label_loss(each, batch) for each in views).backward()
    assert any(parameter.grad is not None for parameter in ordered.parameters())
