import numpy as np
import pytest
import torch

from lmdistill.core.batch import Outputs
from lmdistill.core.errors import ConfigError, MismatchError
from lmdistill.methods import KD, PKD
from tests.tiny import make_batch, tiny


def outputs(layers, seed):
    g = torch.Generator().manual_seed(seed)
    hidden = tuple(torch.randn(8, 6, 4, generator=g, dtype=torch.float64) for _ in range(layers + 1))
    return Outputs(logits=torch.randn(8, 3, generator=g, dtype=torch.float64), hidden=hidden)


@pytest.mark.parametrize(("layers", "pairs"), [("skip", [(1, 2), (2, 4)]), ("last", [(1, 4), (2, 5)])])
def test_the_state_term_equals_a_rewrite_from_the_paper_in_numpy(layers, pairs):
    ours, theirs = outputs(3, seed=1), outputs(6, seed=2)
    terms = PKD(beta=50.0, layers=layers).compare(ours, theirs, make_batch())
    expected = 0.0
    for j, k in pairs:
        a, b = ours.hidden[j][:, 0].numpy(), theirs.hidden[k][:, 0].numpy()
        a, b = a / np.linalg.norm(a, axis=1, keepdims=True), b / np.linalg.norm(b, axis=1, keepdims=True)
        expected += ((a - b) ** 2).mean(1).sum() / len(pairs)
    assert terms["state"].item() == pytest.approx(50 * expected, rel=1e-12)


def test_its_other_terms_are_those_of_kd(student, teacher, batch):
    ours, theirs = student(batch.inputs, hidden=True), teacher(batch.inputs, hidden=True)
    kd = KD(alpha=0.7, temperature=5.0)
    mine, others = PKD(kd=kd).compare(ours, theirs, batch), kd.compare(ours, theirs, batch)
    assert {name: mine[name].item() for name in others} == {
        name: value.item() for name, value in others.items()
    }


def test_a_truncated_teacher_pays_nothing_for_the_layers_it_has(teacher, batch):
    term = PKD(layers=((0, 0), (1, 1), (4, 4))).losses(teacher, teacher, batch)["state"]
    torch.testing.assert_close(term, torch.zeros(()))


def test_widths_must_agree(teacher):
    with pytest.raises(
        MismatchError, match="hidden size is 16 and the student's 8; pkd compares their hidden states"
    ):
        PKD().check(tiny(width=8), teacher)


def test_a_deeper_student_is_refused(student, teacher):
    with pytest.raises(MismatchError, match="the teacher has 2 layers and the student 4"):
        PKD().check(teacher, student)


def test_a_student_of_one_layer_has_nothing_below_its_last(teacher):
    with pytest.raises(MismatchError, match="a student of 1 layer has none"):
        PKD().check(tiny(layers=1), teacher)


def test_pairs_must_exist(student, teacher):
    with pytest.raises(
        MismatchError, match=r"student layer 1 with teacher layer 5; .* 0 to 2 and the teacher 0 to 4"
    ):
        PKD(layers=((1, 5),)).check(student, teacher)


def test_beta_has_a_range():
    with pytest.raises(ConfigError, match="beta must be >= 0, got -1"):
        PKD(beta=-1.0)
