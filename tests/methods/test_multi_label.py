"""Methods on tasks with several labels a text: numbers by hand, laws, and which pairs are refused."""

import dataclasses
import math

import pytest
import torch
from torch.testing import assert_close

from lmdistill.core.batch import KnownPositions, Outputs
from lmdistill.core.errors import MismatchError
from lmdistill.methods import CLASSIFIER_METHODS, KD, PKD, FineTune, MixKD
from lmdistill.methods.hidden_kd import HiddenKD
from lmdistill.models.pruning.importance import mean_label_loss
from tests.tiny import make_batch, tiny


def several(network):
    """The same network with a sigmoid for each label."""
    network.model.config.problem_type = "multi_label_classification"
    return network.with_model(network.model, source=network.source)


def rows_of(batch, seed=5, labels=3):
    """The batch with a row of labels for each example, and for each of a mixed pair."""
    g = torch.Generator().manual_seed(seed)
    rows = torch.randint(2, (len(batch.scored), labels), generator=g)
    mixed = batch.mixed
    if mixed is not None:
        others = torch.randint(2, (len(mixed.scored), labels), generator=g)
        ratio = len(mixed.scored) // len(rows)
        mixed = dataclasses.replace(mixed, labels=rows.repeat(ratio, 1), partner_labels=others)
    return dataclasses.replace(batch, labels=rows, mixed=mixed)


@pytest.fixture
def networks():
    return several(tiny(layers=2, seed=0)), several(tiny(layers=4, seed=1))


def sums(method, networks, batch):
    return {name: value.detach() for name, value in method.losses(*networks, batch).items()}


@pytest.mark.parametrize("name", CLASSIFIER_METHODS)
def test_every_method_learns_from_several_labels(name, networks):
    method, batch = CLASSIFIER_METHODS[name](), rows_of(make_batch())
    method.check(*networks)
    terms = method.losses(*networks, batch)
    assert all(torch.isfinite(value) for value in terms.values())
    sum(terms.values()).backward()
    assert networks[0].model.classifier.weight.grad.abs().min() > 0


def test_kd_of_two_labels_by_hand():
    student, teacher = torch.tensor([[0.0, math.log(3)]]), torch.tensor([[math.log(3), 0.0]])
    batch = dataclasses.replace(make_batch(size=1, classes=2), labels=torch.tensor([[1, 0]]))
    found = KD(alpha=0.25, temperature=1.0).compare(Outputs(logits=student), Outputs(logits=teacher), batch)
    label = (math.log(2) + math.log(4)) / 2  # -log 1/2 and -log (1 - 3/4)
    kl = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)  # of 3/4 from 1/2
    back = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)  # of 1/2 from 3/4
    assert found["label"].item() == pytest.approx(0.75 * label, rel=1e-6)
    assert found["teacher"].item() == pytest.approx(0.25 * (kl + back) / 2, rel=1e-6)


@pytest.mark.parametrize("divergence", ["forward_kl", "reverse_kl", "jensen_shannon", "mse"])
def test_the_teacher_term_of_a_student_that_is_its_teacher_is_0(networks, divergence):
    student = networks[0]
    terms = sums(KD(divergence=divergence), (student, student), rows_of(make_batch()))
    assert_close(terms["teacher"], torch.tensor(0.0), atol=1e-5, rtol=0)


def test_the_order_of_labels_does_not_change_a_loss(networks):
    batch, order = rows_of(make_batch()), [2, 0, 1]
    moved = dataclasses.replace(
        batch,
        labels=batch.labels[:, order],
        mixed=dataclasses.replace(
            batch.mixed,
            labels=batch.mixed.labels[:, order],
            partner_labels=batch.mixed.partner_labels[:, order],
        ),
    )
    for method in (FineTune(), KD(), MixKD(alpha_kd=0.5, distance="forward_kl"), HiddenKD(label=0.5)):
        before = sums(method, networks, batch)
        for network in networks:
            with torch.no_grad():
                head = network.model.classifier
                head.weight.copy_(head.weight[order].clone())
                head.bias.copy_(head.bias[order].clone())
        assert_close(sums(method, networks, moved), before)
        batch, moved = moved, _again(moved, order)


def _again(batch, order):
    return dataclasses.replace(
        batch,
        labels=batch.labels[:, order],
        mixed=dataclasses.replace(
            batch.mixed,
            labels=batch.mixed.labels[:, order],
            partner_labels=batch.mixed.partner_labels[:, order],
        ),
    )


def test_mixkd_mixes_rows_of_labels(networks):
    batch = rows_of(make_batch())
    mixed = batch.mixed
    terms = sums(MixKD(distance="mse_probabilities"), networks, batch)
    student, teacher = (net(mixed.inputs).logits.detach().double() for net in networks)
    share = mixed.share[:, None].double()
    target = share * mixed.labels + (1 - share) * mixed.partner_labels
    p = student.sigmoid()
    label = -(target * p.log() + (1 - target) * (1 - p).log()).mean(1).sum()
    distance = (p - teacher.sigmoid()).square().mean(1).sum()
    assert_close(terms["label_mixed"].double(), label, rtol=1e-5, atol=1e-5)
    assert_close(terms["teacher_mixed"].double(), distance, rtol=1e-5, atol=1e-5)


def test_rows_without_labels_enter_no_label_term(networks):
    batch = rows_of(make_batch())
    known = torch.arange(8) < 5
    part = dataclasses.replace(batch, mixed=None, labelled=KnownPositions(mask=known))
    wrong = dataclasses.replace(part, labels=batch.labels.where(known[:, None], 1 - batch.labels))
    assert_close(sums(KD(), networks, part), sums(KD(), networks, wrong))
    everything = sums(KD(), networks, dataclasses.replace(batch, mixed=None))
    assert sums(KD(), networks, part)["label"] < everything["label"]


def test_importance_of_heads_is_measured_with_the_binary_cross_entropy(networks):
    batch = rows_of(make_batch())
    logits = networks[0](batch.inputs).logits
    expected = torch.nn.BCEWithLogitsLoss()(logits, batch.labels.float())
    assert_close(mean_label_loss(networks[0], batch), expected)


@pytest.mark.parametrize(
    "method", [KD(), PKD(), MixKD(), HiddenKD()], ids=lambda method: type(method).__name__
)
def test_a_softmax_and_sigmoids_do_not_teach_each_other(method):
    one, other = tiny(layers=2, seed=0), several(tiny(layers=4, seed=1))
    said = r"the teacher's outputs are a sigmoid for each label \(multi-label\) and the student's a softmax"
    with pytest.raises(MismatchError, match=said):
        method.check(one, other)
    with pytest.raises(MismatchError, match=r"the teacher's outputs are a softmax over classes"):
        method.check(several(tiny(layers=2, seed=0)), tiny(layers=4, seed=1))
