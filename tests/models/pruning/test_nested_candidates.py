from functools import partial

import pytest
import torch

from lmdistill.core.errors import ModelError
from lmdistill.methods import KD, MixKD
from lmdistill.methods.nested import Nested
from lmdistill.models.pruning.families import Widths
from lmdistill.models.pruning.importance import magnitude_importance
from lmdistill.models.pruning.nested_candidates import NestedNetwork
from lmdistill.models.pruning.slicing import densify, sort_units
from tests.tiny import make_batch, tiny

FULL = Widths(heads=(2, 2), neurons=(32, 32))
SMALL = Widths(heads=(1, 2), neurons=(8, 16))
EMPTY = Widths(heads=(0, 1), neurons=(0, 8))


def nested(**changes):
    network = tiny(layers=2, seed=1, **changes)
    return NestedNetwork(
        sort_units(network, magnitude_importance(network)), {1.0: FULL, 0.5: SMALL, 0.1: EMPTY}
    )


def test_a_candidate_is_the_dense_network_of_its_widths():
    whole, batch = nested(), make_batch()
    for kept, widths in ((1.0, FULL), (0.5, SMALL), (0.1, EMPTY)):
        alone = densify(whole.whole, widths).eval()
        torch.testing.assert_close(whole(batch.inputs, kept=kept).logits, alone(batch.inputs).logits)
    torch.testing.assert_close(whole(batch.inputs).logits, whole.whole(batch.inputs).logits)


def test_its_weights_are_those_of_the_whole_each_once():
    whole = nested()
    assert [id(p) for p in whole.parameters()] == [id(p) for p in whole.whole.parameters()]
    assert set(whole.state_dict()) == {f"whole.{name}" for name in whole.whole.state_dict()}


def test_what_a_candidate_learns_the_whole_has_learned():
    whole, batch = nested(), make_batch()
    whole(batch.inputs, kept=0.5).logits.square().sum().backward()
    weight = whole.whole.model.bert.encoder.layer[0].intermediate.dense.weight
    assert weight.grad[:8].abs().sum() > 0
    assert weight.grad[8:].abs().sum() == 0


def test_dropout_is_switched_in_all_of_them():
    whole, batch = nested(dropout=0.5), make_batch()
    for mode in (True, False):
        whole.train(mode)
        for kept in (None, 0.5):
            first, second = (whole(batch.inputs, kept=kept).logits for _ in range(2))
            assert torch.equal(first, second) is not mode


def test_candidates_move_with_the_whole():
    whole, batch = nested().double(), make_batch()
    assert whole(batch.inputs, kept=0.5).logits.dtype == torch.float64
    assert {p.dtype for p in whole.candidate(0.5).parameters()} == {torch.float64}
    meta = nested().to("meta")
    assert {
        tensor.device.type for tensor in (*meta.candidate(0.1).parameters(), *meta.candidate(0.1).buffers())
    } == {"meta"}


def test_where_processes_wait_for_it_every_weight_has_a_gradient(monkeypatch):
    """Parts that a candidate has lost would otherwise leave the others waiting."""
    whole, batch = nested().train(), make_batch()
    whole(batch.inputs, kept=0.1).logits.sum().backward()
    assert any(p.grad is None for p in whole.parameters())
    whole.zero_grad()
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    whole(batch.inputs, kept=0.1).logits.sum().backward()
    assert all(p.grad is not None for p in whole.parameters())
    lost = whole.whole.model.bert.encoder.layer[0].attention.self.query.weight
    assert lost.grad.abs().sum() == 0


def test_weights_that_no_candidate_has_are_frozen():
    network = tiny(layers=2, seed=1)
    whole = NestedNetwork(sort_units(network, magnitude_importance(network)), {0.1: EMPTY})
    still = {name for name, weight in whole.whole.model.named_parameters() if not weight.requires_grad}
    assert still == {
        *(
            f"bert.encoder.layer.0.attention.self.{part}.{kind}"
            for part in ("query", "key", "value")
            for kind in ("weight", "bias")
        ),
        "bert.encoder.layer.0.attention.output.dense.weight",
        *(f"bert.encoder.layer.0.intermediate.dense.{kind}" for kind in ("weight", "bias")),
        "bert.encoder.layer.0.output.dense.weight",
    }
    assert all(weight.requires_grad for weight in nested().parameters())


def test_an_unknown_candidate_is_refused():
    with pytest.raises(ModelError, match=r"no candidate keeps 0\.3; there are 1, 0\.5, 0\.1"):
        nested()(make_batch().inputs, kept=0.3)


@pytest.mark.parametrize("method", [KD(), MixKD()])
def test_embeddings_that_learn_once_learn_what_they_would_have_learned_each_time(method):
    """The gradients of the engine's passes are those of one graph of all candidates."""
    teacher, batch = tiny(layers=2, seed=3), make_batch()
    joint = Nested(method=method, kept=(1.0, 0.5, 0.1))
    plain, shared = nested(), nested()
    sum(joint.losses(plain, teacher, batch).values()).backward()
    for work in joint.loss_closures(shared, teacher, batch):
        sum(work().values()).backward()
    for (name, one), other in zip(plain.named_parameters(), shared.parameters(), strict=True):
        torch.testing.assert_close(other.grad, one.grad, rtol=1e-4, atol=1e-6, msg=name)
    assert shared._words[0].gathered == {}


def test_the_table_of_words_gets_its_gradient_in_the_last_pass_alone():
    teacher, batch, whole = tiny(layers=2, seed=3), make_batch(), nested()
    found = []
    for work in Nested(method=KD(), kept=(1.0, 0.5, 0.1)).loss_closures(whole, teacher, batch):
        sum(work().values()).backward()
        found.append(whole.whole.model.get_input_embeddings().weight.grad)
    assert found[:2] == [None, None]
    assert found[2].abs().sum() > 0


def test_the_row_of_padding_learns_no_more_than_in_a_plain_look_up():
    teacher, batch = tiny(layers=2, seed=3), make_batch()
    grads = []
    for turns in (False, True):
        whole = nested()
        table = whole.whole.model.get_input_embeddings()
        table.padding_idx = int(batch.inputs.ids[0, 0])
        joint = Nested(method=KD(), kept=(1.0, 0.5))
        whole_graph = (partial(joint.losses, whole, teacher, batch),)
        work = joint.loss_closures(whole, teacher, batch) if turns else whole_graph
        for piece in work:
            sum(piece().values()).backward()
        assert table.weight.grad[table.padding_idx].abs().sum() == 0
        grads.append(table.weight.grad)
    torch.testing.assert_close(grads[0], grads[1])
