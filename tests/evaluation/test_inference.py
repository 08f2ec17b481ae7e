import numpy as np
import pytest
import torch
from torch import nn

from lmdistill.core.batch import Batch, Inputs, Outputs
from lmdistill.core.errors import DataError
from lmdistill.evaluation.inference import logits_of, sort_by_example


class Toy(nn.Module):
    """Mean of loud embeddings, dropout, a linear head."""

    num_layers, num_classes, width, labels = 1, 3, 8, ("a", "b", "c")

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(50, 8)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(8, 3)

    def forward(self, inputs, *, hidden=False):
        assert hidden is False
        mask = inputs.mask[..., None].to(self.table.weight.dtype)
        mean = (self.table(inputs.ids) * mask).sum(1) / mask.sum(1)
        return Outputs(logits=self.head(self.dropout(mean)))


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Toy()


def _inputs(texts):
    longest = max(map(len, texts))
    ids = torch.tensor([text + [0] * (longest - len(text)) for text in texts])
    mask = torch.tensor([[1] * len(text) + [0] * (longest - len(text)) for text in texts])
    return Inputs(ids=ids, mask=mask)


TEXTS = [list(range(1, 2 + (7 * row) % 11)) for row in range(13)]


def _batches(order, size, *, numbered=True, **more):
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        yield Batch(
            inputs=_inputs([TEXTS[row] for row in rows]),
            labels=torch.zeros(len(rows), dtype=torch.long),
            scored=torch.ones(len(rows), dtype=torch.bool),
            examples=torch.tensor(rows) if numbered else None,
            count=len(rows),
            **more,
        )


def _expected(net, rows):
    net.eval()
    with torch.no_grad():
        return np.concatenate([net(_inputs([TEXTS[row]])).logits.numpy() for row in rows])


def test_batches_sorted_by_length_give_the_rows_of_the_data_set(net):
    by_length = sorted(range(13), key=lambda row: -len(TEXTS[row]))
    logits = logits_of(net, _batches(by_length, 4), device="cpu")
    np.testing.assert_allclose(logits, _expected(net, range(13)), atol=1e-6)
    assert np.abs(logits - _expected(net, by_length)).max() > 0.1  # the order matters


def test_numbers_of_a_subset_come_back_ascending(net):
    logits = logits_of(net, _batches([9, 2, 12, 5], 3), device="cpu")
    np.testing.assert_allclose(logits, _expected(net, [2, 5, 9, 12]), atol=1e-6)


def test_without_numbers_the_order_of_the_batches_is_kept(net):
    logits = logits_of(net, _batches([9, 2, 12, 5], 3, numbered=False), device="cpu")
    np.testing.assert_allclose(logits, _expected(net, [9, 2, 12, 5]), atol=1e-6)


def test_dropout_is_off_inside_and_every_module_is_restored_after(net):
    net.train()
    net.head.eval()  # frozen by its owner: train() on the whole would thaw it
    first = logits_of(net, _batches(list(range(13)), 4), device="cpu")
    assert (net.training, net.dropout.training, net.head.training) == (True, True, False)
    np.testing.assert_array_equal(first, logits_of(net, _batches(list(range(13)), 4), device="cpu"))


def test_modes_are_restored_after_an_error(net):
    seen = []

    def fail(module, inputs, output):
        seen.append((module.training, torch.is_grad_enabled()))
        raise ZeroDivisionError

    net.dropout.register_forward_hook(fail)
    with pytest.raises(ZeroDivisionError):
        logits_of(net, _batches([0], 1), device="cpu")
    assert seen == [(False, False)]
    assert net.dropout.training
    assert torch.is_grad_enabled()


def test_a_net_that_is_no_module_runs_too():
    class Plain:
        num_layers, num_classes, width, labels = 1, 1, 1, ()

        def __call__(self, inputs, *, hidden=False):
            return Outputs(logits=inputs.mask.sum(1, keepdim=True).double())

    logits = logits_of(Plain(), _batches(list(range(13)), 5), device="cpu")
    assert logits[:, 0].tolist() == [len(text) for text in TEXTS]
    assert logits.dtype == np.float32


def test_half_precision_comes_back_as_float32(net):
    logits = logits_of(net.bfloat16(), _batches([0, 1, 2], 2), device="cpu")
    assert logits.dtype == np.float32


def test_the_teacher_reads_its_own_view(net):
    views = {"teacher_inputs": _inputs([[3], [4]])}
    ours = logits_of(net, _batches([0, 1], 2, **views), device="cpu")
    theirs = logits_of(net, _batches([0, 1], 2, **views), device="cpu", as_teacher=True)
    np.testing.assert_allclose(ours, _expected(net, [0, 1]), atol=1e-6)
    with torch.no_grad():
        np.testing.assert_allclose(theirs, net(views["teacher_inputs"]).logits.numpy(), atol=1e-6)


def test_progress_is_told_of_every_batch(net):
    told = []
    logits_of(net, _batches(list(range(13)), 5), device="cpu", on_batch=told.append)
    assert told == [5, 5, 3]


def test_no_batches_are_refused(net):
    with pytest.raises(DataError, match="there are 0 batches"):
        logits_of(net, [], device="cpu")


def test_numbers_on_some_batches_only_are_refused(net):
    batches = [*_batches([0, 1], 1), *_batches([2], 1, numbered=False)]
    with pytest.raises(DataError, match="2 of 3 batches have example numbers"):
        logits_of(net, batches, device="cpu")


def test_a_repeated_example_is_refused():
    with pytest.raises(DataError, match="example 4 occurs twice among 3 rows"):
        sort_by_example(np.zeros((3, 2)), np.array([4, 1, 4]))
