import pytest
import torch

from lmdistill.core.errors import ModelError
from lmdistill.models.importance import magnitude
from lmdistill.models.narrow import densify, sort_units
from lmdistill.models.narrow_families import Widths
from lmdistill.models.nested import NestedNetwork
from tests.tiny import make_batch, tiny

FULL = Widths(heads=(2, 2), neurons=(32, 32))
SMALL = Widths(heads=(1, 2), neurons=(8, 16))
EMPTY = Widths(heads=(0, 1), neurons=(0, 8))


def nested(**changes):
    network = tiny(layers=2, seed=1, **changes)
    return NestedNetwork(sort_units(network, magnitude(network)), {1.0: FULL, 0.5: SMALL, 0.1: EMPTY})


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
    assert {p.dtype for p in whole.part(0.5).parameters()} == {torch.float64}
    meta = nested().to("meta")
    assert {tensor.device.type for tensor in (*meta.part(0.1).parameters(), *meta.part(0.1).buffers())} == {
        "meta"
    }


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


def test_an_unknown_candidate_is_refused():
    with pytest.raises(ModelError, match=r"no candidate keeps 0\.3; there are 1, 0\.5, 0\.1"):
        nested()(make_batch().inputs, kept=0.3)
