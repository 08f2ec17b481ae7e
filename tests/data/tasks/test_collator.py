from dataclasses import replace

import numpy as np
import pytest
import torch
from datasets import Dataset

from lmdistill.core.batch import MixupSettings
from lmdistill.data.batching.batch_sampler import BatchSampler, MicroBatch
from lmdistill.data.tasks.collator import Collator, TokenizedRows

PADDING, THEIR_PADDING = 77, 88


def rows(shift=0, labels=(2, 0, 1, 2, 0, 1), segments=True):
    """Row i has i + 2 tokens, all `10 i + shift`, so that every token says where it comes from."""
    lengths = [i + 2 for i in range(len(labels))]
    columns = {
        "input_ids": [[10 * i + shift] * n for i, n in enumerate(lengths)],
        "label": list(labels),
        "length": lengths,
    }
    if segments:
        columns["token_type_ids"] = [[0] + [1] * (n - 1) for n in lengths]
    return Dataset.from_dict(columns)


def view(padding=PADDING, **changes):
    return TokenizedRows(rows=rows(**changes), padding=padding)


def draw(examples, partners=None, shares=None):
    examples = np.asarray(examples)
    none = np.zeros((len(examples), 0))
    return MicroBatch(
        examples=examples,
        partners=none.astype(np.int64) if partners is None else np.asarray(partners),
        shares=none if shares is None else np.asarray(shares, dtype=float),
    )


def test_rows_are_padded_on_the_right_to_the_longest():
    batch = Collator(student=view())[draw([1, 3, 0])]
    filler = PADDING
    assert batch.inputs.ids.tolist() == [
        [10, 10, 10, filler, filler],
        [30, 30, 30, 30, 30],
        [0, 0, filler, filler, filler],
    ]
    assert batch.inputs.mask.tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]
    assert batch.inputs.segments.tolist() == [[0, 1, 1, 0, 0], [0, 1, 1, 1, 1], [0, 1, 0, 0, 0]]
    assert batch.inputs.partners is batch.mixed is batch.teacher_inputs is None
    assert batch.examples.tolist() == [1, 3, 0]
    assert batch.labels.tolist() == [0, 2, 2]
    assert batch.scored.all()
    assert batch.count == 3


def test_a_model_without_segments_gets_none():
    mixed = Collator(student=view(segments=False), mixing=MixupSettings())[
        draw([1, 2], [[2], [1]], [[0.5], [0.5]])
    ]
    assert (
        mixed.inputs.segments is mixed.mixed.inputs.segments is mixed.mixed.inputs.partners.segments is None
    )


@pytest.mark.parametrize(
    ("labels", "kind"), [((2, 0, 1, 2, 0, 1), torch.int64), ((0.5, 1.0, 5.0, 2.0, 0.0, 3.0), torch.float32)]
)
def test_classes_stay_whole_numbers_and_scores_are_float32(labels, kind):
    batch = Collator(student=view(labels=labels), mixing=MixupSettings())[
        draw([3, 2], [[2], [0]], [[0.25], [1.0]])
    ]
    assert batch.labels.dtype == batch.mixed.labels.dtype == batch.mixed.partner_labels.dtype == kind
    assert batch.labels.tolist() == [labels[3], labels[2]]
    assert batch.mixed.partner_labels.tolist() == [labels[2], labels[0]]


def mixed_batch(**changes):
    """Rows 1, 3, 0, each mixed twice."""
    collator = Collator(student=view(), mixing=replace(MixupSettings(ratio=2), **changes))
    return collator[draw([1, 3, 0], [[5, 0], [4, 2], [1, 3]], [[0.1, 0.4], [0.2, 0.5], [0.3, 0.6]])]


def test_mixed_rows_are_sample_one_of_all_originals_then_sample_two():
    batch = mixed_batch()
    mixed, blend = batch.mixed, batch.mixed.inputs.partners
    assert mixed.inputs.ids[:, 0].tolist() == [10, 30, 0, 10, 30, 0]
    assert blend.ids[:, 0].tolist() == [50, 40, 10, 0, 20, 30]
    assert mixed.share.tolist() == blend.share.tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert mixed.share.dtype == torch.float32
    assert mixed.labels.tolist() == [0, 2, 2, 0, 2, 2]
    assert mixed.partner_labels.tolist() == [1, 0, 0, 2, 1, 2]
    assert mixed.scored.tolist() == [True] * 6
    assert batch.count == 3  # the originals; methods weigh each mixed sample by 1 / ratio


def test_originals_and_partners_are_padded_to_one_length():
    batch = mixed_batch()
    mixed, blend = batch.mixed.inputs, batch.mixed.inputs.partners
    assert batch.inputs.ids.shape[1] == mixed.ids.shape[1] == blend.ids.shape[1] == 7  # the partner, row 5
    assert mixed.mask.sum(1).tolist() == [3, 5, 2, 3, 5, 2]
    assert blend.mask.sum(1).tolist() == [7, 6, 3, 2, 4, 5]
    assert (blend.ids[blend.mask == 0] == PADDING).all()
    assert mixed.segments.tolist() == batch.inputs.segments.repeat(2, 1).tolist()
    assert blend.segments.sum(1).tolist() == [6, 5, 2, 1, 3, 4]


def test_segments_can_be_kept():
    assert mixed_batch(segments="keep").mixed.inputs.partners.segments is None


def test_a_teacher_of_its_own_reads_the_same_pairs():
    teacher = view(padding=THEIR_PADDING, shift=5, segments=False)
    chosen = draw([1, 3, 0], [[5, 0], [4, 2], [1, 3]], [[0.1, 0.4], [0.2, 0.5], [0.3, 0.6]])
    batch = Collator(student=view(), teacher=teacher, mixing=MixupSettings(ratio=2))[chosen]
    ours, theirs = batch.mixed.inputs, batch.mixed.for_teacher
    assert theirs is batch.mixed.teacher_inputs
    assert batch.for_teacher is batch.teacher_inputs
    assert theirs.ids[:, 0].tolist() == (ours.ids[:, 0] + 5).tolist()
    assert theirs.partners.ids[:, 0].tolist() == (ours.partners.ids[:, 0] + 5).tolist()
    assert theirs.partners.share.tolist() == ours.partners.share.tolist()
    assert (theirs.ids[theirs.mask == 0] == THEIR_PADDING).all()
    assert theirs.segments is theirs.partners.segments is None
    assert batch.teacher_inputs.ids[:, 0].tolist() == [15, 35, 5]


def test_without_one_it_reads_what_the_student_reads():
    batch = mixed_batch()
    assert batch.for_teacher is batch.inputs
    assert batch.mixed.for_teacher is batch.mixed.inputs


def test_a_plan_becomes_batches_in_which_everything_belongs_together():
    data = rows(labels=tuple(i % 3 for i in range(23)))
    lengths, labels = np.asarray(data["length"]), np.asarray(data["label"])
    mixing = MixupSettings(ratio=2, partner="train")
    plan = BatchSampler(lengths=lengths, batch_size=5, epochs=2, seed=1, accumulate=2, mixing=mixing)
    collator = Collator(student=TokenizedRows(rows=data, padding=PADDING), mixing=mixing)
    seen = []
    for window in plan:
        for part in window:
            batch = collator[part]
            mixed, blend = batch.mixed, batch.mixed.inputs.partners
            where, partners = batch.inputs.ids[:, 0] // 10, blend.ids[:, 0] // 10
            assert where.tolist() == batch.examples.tolist() == part.examples.tolist()
            assert batch.inputs.mask.sum(1).tolist() == lengths[where].tolist()
            assert blend.mask.sum(1).tolist() == lengths[partners].tolist()
            assert batch.labels.tolist() == labels[where].tolist()
            assert mixed.labels.tolist() == labels[where].tolist() * 2
            assert mixed.partner_labels.tolist() == labels[partners].tolist()
            assert partners.tolist() == part.partners.T.ravel().tolist()
            assert mixed.share.tolist() == pytest.approx(part.shares.T.ravel().tolist())
            assert batch.count == int(batch.scored.sum()) == len(where)
            seen += where.tolist()
    assert sorted(seen) == sorted([*range(23), *range(23)])
