import copy

import pytest
import torch

from lmdistill.core.errors import ModelError
from lmdistill.models.lora import add_lora, merge_lora
from lmdistill.models.model_stats import count_parameters, flops
from lmdistill.models.modeling_narrow import CLASSIFIERS, WRITERS
from lmdistill.models.pruning.families import Widths, unit_layers, widths_of
from lmdistill.models.pruning.importance import Importance, mean_label_loss
from lmdistill.models.pruning.slicing import densify, is_view, materialise_view, sort_units, view
from lmdistill.models.students.random_init import random_init
from lmdistill.models.students.truncate import layers_of, truncate
from tests.models.families import family
from tests.models.narrow import (
    BELOW,
    FULL,
    HEADS,
    LAYERS,
    NAMES,
    NEURONS,
    RAGGED,
    SHAPES,
    VANISHED,
    batch_for,
    outputs,
    random_importance,
    wide,
)
from tests.tiny import make_batch, tiny

near = {"rtol": 1e-5, "atol": 1e-5}

PROJECTIONS = {
    "bert": ("attention.output.dense", "output.dense"),
    "distilbert": ("attention.out_lin", "ffn.lin2"),
    "electra": ("attention.output.dense", "output.dense"),
    "enc-t5": ("attention.o", "feed_forward.wo"),
    "gemma": ("self_attn.o_proj", "mlp.down_proj"),
    "gemma2": ("self_attn.o_proj", "mlp.down_proj"),
    "gemma3_text": ("self_attn.o_proj", "mlp.down_proj"),
    "gpt2": ("attn.c_proj", "mlp.c_proj"),
    "gpt_neox": ("attention.dense", "mlp.dense_4h_to_h"),
    "llama": ("self_attn.o_proj", "mlp.down_proj"),
    "mistral": ("self_attn.o_proj", "mlp.down_proj"),
    "opt": ("self_attn.out_proj", "fc2"),
    "phi3": ("self_attn.o_proj", "mlp.down_proj"),
    "qwen2": ("self_attn.o_proj", "mlp.down_proj"),
    "qwen3": ("self_attn.o_proj", "mlp.down_proj"),
    "roberta": ("attention.output.dense", "output.dense"),
}
"""What reads the heads and what reads the neurons, written a second time."""


def masked(name, network, widths):
    """A copy in which what the units beyond `widths` found is multiplied by 0."""
    other = copy.deepcopy(network)

    def hook(kept, units):
        def mask(module, given):
            found = given[0]
            ones = torch.ones(units, dtype=found.dtype)
            ones[kept:] = 0
            return found * ones.repeat_interleave(found.shape[-1] // units)

        return mask

    heads, neurons = PROJECTIONS[name]
    for number, layer in enumerate(unit_layers(other.model)):
        layer.get_submodule(heads).register_forward_pre_hook(hook(widths.heads[number], HEADS[name]))
        if FULL[name].neurons[number]:
            layer.get_submodule(neurons).register_forward_pre_hook(hook(widths.neurons[number], NEURONS))
    return other


def test_every_family_can_be_carried_and_is_tested():
    assert {*CLASSIFIERS, *WRITERS, "enc-t5"} == set(NAMES) == set(PROJECTIONS)


@pytest.mark.parametrize("name", NAMES)
def test_sorting_changes_no_output(name):
    network = wide(name)
    batch = batch_for(network)
    other = sort_units(network, random_importance(name))
    torch.testing.assert_close(outputs(other, batch), outputs(network, batch), **near)
    pairs = zip(other.named_parameters(), network.parameters(), strict=True)
    moved = {key.split(".")[-2] for (key, ours), theirs in pairs if not torch.equal(ours, theirs)}
    assert len(moved) >= (3 if name == "gpt2" else 4), moved
    assert all(parameter.requires_grad for parameter in other.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_the_most_important_units_come_first(name):
    """The view of a sorted network is the network without what matters least, wherever it stood."""
    network, scores = wide(name), random_importance(name)
    batch = batch_for(network)
    ours = view(sort_units(network, scores), RAGGED[name])
    other = copy.deepcopy(network)
    for number, layer in enumerate(unit_layers(other.model)):
        for path, values, kept in zip(
            PROJECTIONS[name],
            (scores.heads[number], scores.neurons[number]),
            (RAGGED[name].heads[number], RAGGED[name].neurons[number]),
            strict=True,
        ):
            if not len(values):
                continue  # self-attention in a decoder has no neurons behind it
            dropped = values < values.sort(descending=True).values[kept - 1]
            layer.get_submodule(path).register_forward_pre_hook(
                lambda module, given, dropped=dropped: (
                    given[0] * (~dropped).repeat_interleave(given[0].shape[-1] // len(dropped))
                )
            )
    torch.testing.assert_close(outputs(ours, batch), outputs(other, batch), **near)


def test_equally_important_units_keep_their_order():
    network = wide("bert")
    ones = Importance(
        heads=(torch.ones(4, dtype=torch.float64),) * LAYERS,
        neurons=(torch.ones(NEURONS, dtype=torch.float64),) * LAYERS,
    )
    other = sort_units(network, ones)
    for ours, theirs in zip(other.parameters(), network.parameters(), strict=True):
        assert torch.equal(ours, theirs)
        assert ours is not theirs


@pytest.mark.parametrize("name", NAMES)
def test_the_view_of_all_units_is_the_network(name):
    network = wide(name)
    batch = batch_for(network)
    whole = view(network, FULL[name])
    assert torch.equal(outputs(whole, batch), outputs(network, batch))
    assert widths_of(network) == widths_of(whole) == FULL[name]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_a_view_and_its_dense_copy_are_the_masked_network(name, shape):
    network, widths = wide(name), SHAPES[shape][name]
    batch = batch_for(network)
    before = outputs(network, batch)
    seen, small = view(network, widths), densify(network, widths)
    expected = outputs(masked(name, network, widths), batch)
    assert not torch.allclose(expected, before, rtol=0.1, atol=0.1)
    torch.testing.assert_close(outputs(seen, batch), expected, **near)
    torch.testing.assert_close(outputs(small, batch), outputs(seen, batch), **near)
    assert torch.equal(outputs(network, batch), before)
    assert widths_of(seen) == widths_of(small) == widths
    assert is_view(seen)
    assert not is_view(small)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_a_view_learns_on_the_weights_of_the_network(name, shape):
    network, widths = wide(name), SHAPES[shape][name]
    batch = batch_for(network)
    other = masked(name, network, widths)
    mean_label_loss(view(network, widths), batch).backward()
    mean_label_loss(other, batch).backward()
    reached = 0
    for (key, ours), theirs in zip(network.named_parameters(), other.parameters(), strict=True):
        if ours.grad is None:  # what a mask of zeros leaves is zero
            assert theirs.grad is None or not theirs.grad.any(), key
        else:
            torch.testing.assert_close(ours.grad, theirs.grad, **near, msg=key)
            reached += int(ours.grad.any())
    assert reached > 12


@pytest.mark.parametrize("name", NAMES)
def test_a_view_holds_the_parameters_and_buffers_of_the_network(name):
    network = wide(name)
    inside = {id(tensor) for tensor in (*network.parameters(), *network.buffers())}
    seen = view(network, VANISHED[name])
    assert {id(tensor) for tensor in (*seen.parameters(), *seen.buffers())} <= inside
    seen.train()
    assert not any(module.training for module in network.modules())


@pytest.mark.parametrize("name", NAMES)
def test_a_view_of_a_view_is_a_view_of_the_whole(name):
    network = wide(name)
    batch = batch_for(network)
    once = view(network, VANISHED[name])
    twice = view(view(network, RAGGED[name]), BELOW[name])
    assert torch.equal(outputs(twice, batch), outputs(view(network, BELOW[name]), batch))
    for again in (view(once, VANISHED[name]), materialise_view(once), densify(once, VANISHED[name])):
        torch.testing.assert_close(outputs(again, batch), outputs(once, batch), **near)


@pytest.mark.parametrize("name", NAMES)
def test_a_narrow_network_can_be_narrowed_again(name):
    network = wide(name)
    batch = batch_for(network)
    once = densify(network, RAGGED[name])
    expected = outputs(view(network, BELOW[name]), batch)
    for twice in (densify(once, BELOW[name]), view(once, BELOW[name])):
        torch.testing.assert_close(outputs(twice, batch), expected, **near)
        assert widths_of(twice) == BELOW[name]


@pytest.mark.parametrize("name", NAMES)
def test_layers_go_before_or_after_units(name):
    network = wide(name)
    batch = batch_for(network)
    some = Widths(heads=VANISHED[name].heads[1:], neurons=VANISHED[name].neurons[1:])
    before = densify(truncate(network, layers=(1, 2)), some)
    after = truncate(densify(network, VANISHED[name]), layers=(1, 2))
    seen = truncate(view(network, VANISHED[name]), layers=(1, 2))
    for other in (after, seen, materialise_view(seen)):
        torch.testing.assert_close(outputs(other, batch), outputs(before, batch), **near)
        assert widths_of(other) == some
    assert after.model.config.kept_heads == list(some.heads)
    assert after.model.config.kept_neurons == list(some.neurons)


@pytest.mark.parametrize("name", NAMES)
def test_a_dense_network_shares_nothing_and_is_smaller(name):
    network = wide(name)
    network.requires_grad_(False)
    batch = batch_for(network)
    before, small = outputs(network, batch), densify(network, VANISHED[name])
    assert all(parameter.requires_grad for parameter in small.parameters())
    with torch.no_grad():
        for parameter in small.parameters():
            parameter.add_(1.0)
    assert torch.equal(outputs(network, batch), before)
    for parameter in small.parameters():
        assert parameter.untyped_storage().nbytes() == parameter.numel() * parameter.element_size()
    ours, theirs = count_parameters(small), count_parameters(network)
    assert (ours.embeddings, ours.head) == (theirs.embeddings, theirs.head)
    assert ours.encoder < 0.7 * theirs.encoder
    assert flops(small, 8) == flops(view(network, VANISHED[name]), 8) < flops(network, 8)


def test_operations_are_those_of_the_matrices_that_are_left():
    widths = Widths(heads=(0, 1, 4), neurons=(8, 0, 5))
    d, t, head = 16, 10, 4
    attention = sum(4 * 2 * t * d * head * kept + 2 * 2 * t * t * head * kept for kept in widths.heads)
    feed_forward = sum(2 * 2 * t * d * kept for kept in widths.neurons)
    assert flops(densify(wide("bert"), widths), t) == attention + feed_forward + 2 * d * d + 2 * d * 3


@pytest.mark.parametrize("name", NAMES)
def test_random_weights_have_the_narrow_shape(name):
    network = wide(name)
    for narrow in (densify(network, VANISHED[name]), view(network, VANISHED[name])):
        fresh = random_init(narrow, seed=1)
        assert widths_of(fresh) == VANISHED[name]
        assert outputs(fresh, batch_for(network)).isfinite().all()


def test_dropout_falls_on_what_is_left_of_a_part():
    network = wide("gpt2")
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.5
    gone = Widths(heads=(0, 4, 4), neurons=(0, 32, 32))
    seen = view(network, gone).train()
    torch.manual_seed(0)
    attended, _ = layers_of(seen.model)[0].attn(torch.zeros(2, 5, 16))
    fed = layers_of(seen.model)[0].mlp(torch.zeros(2, 5, 16))
    for found in (attended, fed):
        assert 0.2 < (found == 0).float().mean() < 0.8
        assert not torch.equal(found[0] == 0, found[1] == 0)


def test_widths_say_whether_they_are_uniform():
    assert Widths(heads=(2, 2), neurons=(5, 5)).uniform
    assert not Widths(heads=(2, 1), neurons=(5, 5)).uniform
    assert not Widths(heads=(2, 2), neurons=(5, 4)).uniform


@pytest.mark.parametrize("act", [view, densify])
def test_widths_that_do_not_fit_are_refused(act):
    network = wide("bert")
    with pytest.raises(
        ModelError, match=r"layer 1 of bert has 4 heads and cannot keep 5\. Keep 0 to 4 there"
    ):
        act(network, Widths(heads=(4, 5, 4), neurons=(32, 32, 32)))
    with pytest.raises(ModelError, match=r"layer 2 of bert has 32 neurons and cannot keep -1\."):
        act(network, Widths(heads=(4, 4, 4), neurons=(32, 32, -1)))
    with pytest.raises(ModelError, match=r"the widths have neurons for 2 layers and bert has 3\. Give one"):
        act(network, Widths(heads=(4, 4, 4), neurons=(32, 32)))
    with pytest.raises(ModelError, match=r"no layer of bert would keep a head.* Keep at least 1 of 12\."):
        act(network, Widths(heads=(0, 0, 0), neurons=(32, 32, 32)))
    once = densify(network, VANISHED["bert"])
    with pytest.raises(
        ModelError, match=r"layer 0 of bert, 5 heads and 13 neurons has 0 heads and cannot keep 1"
    ):
        act(once, RAGGED["bert"])


def test_families_that_are_not_known_are_named():
    with pytest.raises(
        ModelError, match=r"neurons of modernbert models are not known; .*qwen3.* Add an entry"
    ):
        widths_of(family("modernbert"))


def test_adapters_are_refused():
    pytest.importorskip("peft")
    network = add_lora(wide("llama"))
    with pytest.raises(
        ModelError, match=r"tiny llama has LoRA adapters, .* Merge them first, with merge_lora\."
    ):
        view(network, RAGGED["llama"])
    assert widths_of(merge_lora(network)) == FULL["llama"]


def test_importance_of_another_shape_is_refused():
    with pytest.raises(
        ModelError, match=r"importance is of \[4, 4, 4\] heads and tiny2 has \[2, 2\]\. Compute"
    ):
        sort_units(tiny(), random_importance("bert"))


def test_a_view_keeps_the_precision_of_its_weights():
    network = wide("gpt2").to(torch.bfloat16)
    small = densify(network, VANISHED["gpt2"])
    assert {parameter.dtype for parameter in small.parameters()} == {torch.bfloat16}
    assert outputs(small, batch_for(network)).dtype == torch.bfloat16


def test_mixed_examples_pass_through_a_view():
    network, mixed = wide("bert"), make_batch().mixed
    ours = view(network, VANISHED["bert"])(mixed.inputs, hidden=True)
    theirs = masked("bert", network, VANISHED["bert"])(mixed.inputs, hidden=True)
    for mine, other in zip(ours.hidden, theirs.hidden, strict=True):
        torch.testing.assert_close(mine, other, **near)
