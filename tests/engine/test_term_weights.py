"""Terms that only some positions enter are means over these, however the step is divided."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lmdistill.core.batch import KnownPositions, StoredAnswers
from lmdistill.data.tasks.collator import Collator, TokenizedRows
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.optimizer_step import Learner
from lmdistill.engine.term_weights import known_counts, with_term_weights
from lmdistill.methods import KD, FineTune, MixKD
from lmdistill.objectives.divergence import distillation_loss
from lmdistill.objectives.reduction import answered_sum, labelled_sum, masked_sum
from tests.engine.corpus import course, feed, rows
from tests.tiny import make_batch, tiny

LABELLED = torch.tensor([True, False, False, True, False, True, False, False])
ANSWERED = torch.tensor([True, True, False, True, True, True, False, True])


def partly(batch, labelled=LABELLED, answered=None, logits=None):
    stored = None
    if logits is not None:
        stored = StoredAnswers(logits=logits, answered=answered and KnownPositions(mask=answered[0]))
    return replace(batch, labelled=KnownPositions(mask=labelled), stored=stored)


def weighted(*batches):
    counts = [torch.tensor(one) for one in known_counts(batches)]
    return [with_term_weights(batch, counts) for batch in batches]


def test_nothing_changes_where_every_row_has_a_label():
    batch = make_batch()
    assert known_counts([batch]) == []
    assert with_term_weights(batch, []) is batch
    values = torch.rand(8)
    assert labelled_sum(values, batch) == masked_sum(values, batch.scored) == answered_sum(values, batch)


def test_terms_are_means_over_their_own_rows():
    student, teacher, batch = tiny(seed=1).double(), tiny(seed=2).double(), make_batch()
    with torch.no_grad():
        ours, theirs = student(batch.inputs).logits, teacher(batch.inputs).logits
    (given,) = weighted(partly(batch, answered=(ANSWERED,), logits=theirs))
    found = KD(alpha=0.3).losses(student, teacher, given)
    labels = torch.nn.functional.cross_entropy(ours[LABELLED], batch.labels[LABELLED])
    soft = distillation_loss("forward_kl", ours[ANSWERED], theirs[ANSWERED], temperature=2.0).mean()
    torch.testing.assert_close(found["label"] / 8, 0.7 * labels)
    torch.testing.assert_close(found["teacher"] / 8, 0.3 * soft)


def test_labels_of_rows_without_one_do_not_matter():
    student, batch = tiny(seed=1), make_batch()
    other = replace(batch, labels=torch.where(LABELLED, batch.labels, (batch.labels + 1) % 3))
    losses = [
        FineTune().losses(student, None, one)["label"] for one in weighted(partly(batch), partly(other))
    ]
    assert losses[0] == losses[1]


def test_a_mixed_label_needs_both_labels():
    student, batch = tiny(seed=1), make_batch()
    mixed = replace(batch.mixed, labelled=KnownPositions(mask=LABELLED))
    (given,) = weighted(replace(partly(batch), mixed=mixed))
    found = MixKD(alpha_tmkd=0.0).losses(student, None, given)["label_mixed"]
    only = replace(
        batch.mixed,
        scored=LABELLED,
    )
    whole = MixKD(alpha_tmkd=0.0).losses(student, None, replace(batch, mixed=only))["label_mixed"]
    torch.testing.assert_close(found / 8, whole / int(LABELLED.sum()))


def test_the_division_into_micro_batches_does_not_matter():
    data = rows(24)
    labelled = np.arange(24) % 3 == 0
    collator = Collator(student=TokenizedRows(rows=data, padding=0), labelled=labelled)
    student, teacher = tiny(seed=1).double(), tiny(seed=2).double()
    found = []
    for accumulate in (1, 3):
        training = course(accumulate=accumulate, batch_size=24, epochs=1)
        plan = feed(KD(), training, data).sampler
        learner = Learner(
            method=KD(), network=student, forward=student, teacher=teacher, optimizer=None,
            training=training, accelerator=make_accelerator(training),
        )  # fmt: skip
        (window,) = [[collator[one] for one in micro] for micro in plan]
        weighed, count = learner._weighed(window)
        parts = [KD().losses(student, teacher, one) for one in weighed]
        found.append({name: sum(part[name] for part in parts) / count for name in parts[0]})
    assert len(window) == 3
    for name, value in found[0].items():
        torch.testing.assert_close(value, found[1][name])


@pytest.mark.parametrize("labels", [LABELLED, torch.zeros(8, dtype=torch.bool)])
def test_a_step_without_labels_has_a_label_term_of_zero(labels):
    (given,) = weighted(partly(make_batch(), labelled=labels))
    loss = FineTune().losses(tiny(seed=1), None, given)["label"]
    assert torch.isfinite(loss)
    assert (loss == 0) == (not labels.any())
