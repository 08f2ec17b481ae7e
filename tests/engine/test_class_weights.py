"""The loss with class weights: torch's sum, a mixed one-hot label in float64, and any division of a step."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from lmdistill.data.batching.batch_sampler import MicroBatch
from lmdistill.data.tasks.collator import Collator, TokenizedRows
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.optimizer_step import Learner
from lmdistill.methods import KD, FineTune, MixKD
from lmdistill.objectives.supervised import mixed_label_loss
from tests.engine.corpus import course, feed, rows
from tests.tiny import make_batch, tiny

WEIGHTS = np.array([0.25, 1.0, 6.0])


def weighed(batch):
    chosen = torch.from_numpy(WEIGHTS)
    mixed = replace(
        batch.mixed, weights=chosen[batch.mixed.labels], partner_weights=chosen[batch.mixed.partner_labels]
    )
    return replace(batch, label_weights=chosen[batch.labels], mixed=mixed)


def test_the_label_term_is_torchs_weighted_sum_over_the_number_of_rows():
    student, batch = tiny(seed=1).double(), make_batch()
    logits = student(batch.inputs).logits
    expected = cross_entropy(logits, batch.labels, weight=torch.from_numpy(WEIGHTS), reduction="sum")
    torch.testing.assert_close(FineTune().losses(student, None, weighed(batch))["label"], expected)
    found = KD(alpha=0.3).losses(student, tiny(seed=2).double(), weighed(batch))
    plain = KD(alpha=0.3).losses(student, tiny(seed=2).double(), batch)
    torch.testing.assert_close(found["label"], 0.7 * expected)
    torch.testing.assert_close(found["teacher"], plain["teacher"], rtol=0, atol=0)


def test_a_mixed_label_is_weighted_as_a_mixed_one_hot_label():
    student, batch = tiny(seed=1).double(), make_batch(ratio=2)
    given = weighed(batch)
    mixed = given.mixed
    share = mixed.share.double()
    one_hot = torch.eye(3, dtype=torch.float64)
    target = share[:, None] * one_hot[mixed.labels] + (1 - share)[:, None] * one_hot[mixed.partner_labels]
    log_p = student(mixed.inputs).logits.log_softmax(-1)
    expected = -(torch.from_numpy(WEIGHTS) * target * log_p).sum(-1)
    found = mixed_label_loss(
        student(mixed.inputs).logits, mixed.labels, mixed.partner_labels, share,
        weights=mixed.weights, partner_weights=mixed.partner_weights,
    )  # fmt: skip
    torch.testing.assert_close(found, expected)
    term = MixKD(alpha_tmkd=0.0, ratio=2).losses(student, None, given)["label_mixed"]
    torch.testing.assert_close(term, expected.sum() / 2, rtol=1e-6, atol=0)


def test_the_collator_gives_each_row_and_each_partner_the_weight_of_its_class():
    data, method = rows(6), MixKD()
    collator = Collator(
        student=TokenizedRows(rows=data, padding=0), mixing=method.mixing, class_weights=WEIGHTS,
        labelled=np.array([True, True, False, True, True, True]),
    )  # fmt: skip
    drawn = MicroBatch(
        examples=np.array([4, 0]), partners=np.array([[1], [5]]), shares=np.array([[0.5], [0.3]])
    )
    batch = collator[drawn]
    assert batch.label_weights.tolist() == WEIGHTS[np.array(data["label"])[[4, 0]]].tolist()
    assert batch.mixed.weights.tolist() == batch.label_weights.tolist()
    assert batch.mixed.partner_weights.tolist() == WEIGHTS[np.array(data["label"])[[1, 5]]].tolist()
    assert Collator(student=TokenizedRows(rows=data, padding=0))[drawn].label_weights is None


@pytest.mark.parametrize("method", [KD(), MixKD(partner="batch")], ids=["kd", "mixkd"])
def test_the_division_into_micro_batches_does_not_matter(method):
    data = rows(24)
    collator = Collator(
        student=TokenizedRows(rows=data, padding=0), mixing=method.mixing, class_weights=WEIGHTS,
        labelled=np.arange(24) % 3 > 0,
    )  # fmt: skip
    student, teacher = tiny(seed=1).double(), tiny(seed=2).double()
    found = []
    for accumulate in (1, 3):
        training = course(accumulate=accumulate, batch_size=24, epochs=1)
        learner = Learner(
            method=method, network=student, forward=student, teacher=teacher, optimizer=None,
            training=training, accelerator=make_accelerator(training),
        )  # fmt: skip
        (window,) = [[collator[one] for one in micro] for micro in feed(method, training, data).sampler]
        weighed_window, count = learner._weighed(window)
        parts = [method.losses(student, teacher, one) for one in weighed_window]
        found.append({name: sum(part[name] for part in parts) / count for name in parts[0]})
    assert len(window) == 3
    for name, value in found[0].items():
        torch.testing.assert_close(value, found[1][name], rtol=1e-6, atol=0)
