import numpy as np
import pytest
import torch
from torch.nn.functional import mse_loss, softmax

from lmdistill.core.batch import Outputs
from lmdistill.core.errors import ConfigError, MismatchError
from lmdistill.methods import HiddenKD
from lmdistill.objectives.hidden_states import token_distance, uniform_map
from tests.tiny import make_batch, tiny


def outputs(layers, seed):
    g = torch.Generator().manual_seed(seed)
    hidden = tuple(torch.randn(8, 6, 4, generator=g, dtype=torch.float64) for _ in range(layers + 1))
    return Outputs(logits=torch.randn(8, 3, generator=g, dtype=torch.float64), hidden=hidden)


def test_terms_equal_a_rewrite_of_the_published_loss_in_numpy():
    """Half of the squared error at states 0, 2, ..., 12, half of the soft cross-entropy less its minimum."""
    ours, theirs, batch = outputs(12, seed=1), outputs(12, seed=2), make_batch()
    terms = HiddenKD().compare(ours, theirs, batch)
    mask = batch.inputs.mask.numpy()
    state = 0.0
    for layer in range(0, 13, 2):
        a, b = ours.hidden[layer].numpy(), theirs.hidden[layer].numpy()
        for row in range(8):
            real = mask[row] == 1
            state += ((a[row, real] - b[row, real]) ** 2).mean() / 7
    p, q = (softmax(x.logits, -1).numpy() for x in (theirs, ours))
    soft = (-p * np.log(q)).sum() - (-p * np.log(p)).sum()
    assert terms["state"].item() == pytest.approx(0.5 * state, rel=1e-6)
    assert terms["teacher"].item() == pytest.approx(0.5 * soft, rel=1e-12)
    assert set(terms) == {"state", "teacher"}


def test_without_padding_the_state_term_is_the_mean_over_all_elements():
    """Where all texts are of one length, the released code and ours are the same number."""
    ours, theirs = outputs(2, seed=1), outputs(2, seed=2)
    found = token_distance(ours.hidden[1], theirs.hidden[1], torch.ones(8, 6, dtype=torch.int64)).mean()
    torch.testing.assert_close(found, mse_loss(ours.hidden[1], theirs.hidden[1]))


def test_what_stands_at_padding_does_not_matter():
    ours, theirs = outputs(2, seed=1), outputs(2, seed=2)
    mask = torch.tensor([[1, 1, 1, 0, 0, 0]] * 8)
    before = token_distance(ours.hidden[0], theirs.hidden[0], mask)
    ours.hidden[0][:, 3:] = torch.nan
    torch.testing.assert_close(token_distance(ours.hidden[0], theirs.hidden[0], mask), before)


@pytest.mark.parametrize("student", range(1, 8))
@pytest.mark.parametrize("teacher", range(1, 14))
@pytest.mark.parametrize("states", [2, 3, 7, 20])
def test_states_rise_from_the_embeddings_to_the_last_layer_without_a_repetition(student, teacher, states):
    pairs = uniform_map(states, student, teacher)
    assert (pairs[0], pairs[-1]) == ((0, 0), (student, teacher))
    assert len(pairs) == min(states, student + 1, teacher + 1)
    for side in zip(*pairs, strict=True):
        assert list(side) == sorted(set(side))


def test_weights_switch_terms_on_and_off(student, teacher, batch):
    assert set(HiddenKD(state=0.1, output=1.0, label=1.0).losses(student, teacher, batch)) == {
        "state",
        "teacher",
        "label",
    }
    assert set(HiddenKD(state=0.0).losses(student, teacher, batch)) == {"teacher"}
    half, whole = (HiddenKD(state=w).losses(student, teacher, batch)["state"] for w in (0.5, 1.0))
    torch.testing.assert_close(2 * half, whole)


def test_widths_must_agree(teacher):
    with pytest.raises(MismatchError, match="hidden size is 16 and the student's 8; hidden_kd"):
        HiddenKD().check(tiny(width=8), teacher)


@pytest.mark.parametrize(
    ("field", "value"),
    [("state", -1.0), ("output", -0.1), ("label", -2.0), ("temperature", 0.0), ("states", 1)],
)
def test_settings_outside_their_range_are_refused(field, value):
    with pytest.raises(ConfigError, match=f"{field} must be >"):
        HiddenKD(**{field: value})
