"""Sampling by class: equal frequencies of classes and of the rows of a class, and the laws of every sampler."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from lmdistill.core.batch import MixupSettings
from lmdistill.data.batching.batch_sampler import BatchSampler
from lmdistill.data.batching.class_sampling import draws_by_class
from tests.data.batching.test_batch_sampler import plan, same, steps

CLASSES = np.array([0, 2, 2, 2, 2, 0, -1, 2, 2, 3, 2, 2, 2, 2, -1, 2, 2, 2, 0, 2, -1])  # none of class 1
LABELLED = CLASSES >= 0


def by_class(**changes):
    return plan(len(CLASSES), **{"classes": CLASSES, "labelled": LABELLED, "epochs": 3, **changes})


@settings(deadline=None, max_examples=60)
@given(
    classes=st.lists(st.integers(-1, 3), min_size=1, max_size=30).filter(lambda rows: max(rows) >= 0),
    first=st.integers(0, 50), size=st.integers(0, 60), seed=st.integers(0, 3),
)  # fmt: skip
def test_any_part_of_the_sequence_is_that_of_the_whole_and_has_equal_counts_of_classes(
    classes, first, size, seed
):
    classes = np.array(classes)
    whole = draws_by_class(classes, seed=seed, first=0, end=first + size)
    part = draws_by_class(classes, seed=seed, first=first, end=first + size)
    assert np.array_equal(part, whole[first:])
    counts = [int((classes[part] == one).sum()) for one in np.unique(classes[classes >= 0])]
    assert sum(counts) == size
    assert max(counts) - min(counts) <= 1
    for one in np.unique(classes[classes >= 0]):
        rows = [int((whole == row).sum()) for row in np.flatnonzero(classes == one)]
        assert max(rows) - min(rows) <= 1


@pytest.mark.parametrize("mixing", [None, MixupSettings(ratio=2), MixupSettings(partner="batch")])
def test_an_epoch_has_as_many_rows_with_a_label_as_there_are_equally_often_by_class(mixing):
    chosen = by_class(mixing=mixing, epochs=1)
    seen = np.concatenate([step[0] for step in steps(chosen)])
    assert len(seen) == len(CLASSES)
    assert Counter(CLASSES[seen]) == {-1: 3, 0: 6, 2: 6, 3: 6}
    assert sorted(seen[~LABELLED[seen]]) == np.flatnonzero(~LABELLED).tolist()
    assert chosen.steps_per_epoch == plan(len(CLASSES)).steps_per_epoch


def test_over_many_epochs_a_row_is_drawn_by_one_over_the_rows_of_its_class():
    chosen = by_class(epochs=60)
    seen = np.concatenate([step[0] for step in steps(chosen)])
    counts = np.bincount(seen, minlength=len(CLASSES))
    for one in (0, 2, 3):
        rows = np.flatnonzero(np.equal(CLASSES, one))
        assert counts[rows] == pytest.approx(60 * 18 / (3 * len(rows)), abs=1)


def test_rows_with_a_label_a_batch_are_drawn_by_class_too():
    chosen = by_class(labelled_per_batch=4, batch_size=5, epochs=4)
    found = [step[0] for step in steps(chosen)]
    assert all(LABELLED[rows].sum() == 4 for rows in found)
    seen = np.concatenate(found)
    assert chosen.total_steps == 12
    assert Counter(CLASSES[seen]) == {-1: 12, 0: 16, 2: 16, 3: 16}


@settings(deadline=None, max_examples=30)
@given(
    accumulate=st.integers(1, 3), processes=st.integers(1, 3), start=st.integers(0, 8),
    mixing=st.sampled_from([None, MixupSettings(ratio=2), MixupSettings(partner="batch")]),
    labelled_per_batch=st.sampled_from([None, 3]),
)  # fmt: skip
def test_ranks_micro_batches_and_a_later_start_change_nothing(
    accumulate, processes, start, mixing, labelled_per_batch
):
    whole = by_class(mixing=mixing, labelled_per_batch=labelled_per_batch)
    start %= whole.total_steps + 1
    parts = replace(whole, accumulate=accumulate, processes=processes, start=start)
    assert _sorted(parts) == _sorted(whole)[start:]


def _sorted(chosen: BatchSampler):
    """Each step as a sorted list of row, partners and shares, since a row may occur twice."""
    return [
        sorted(
            (int(row), *partners.tolist(), *shares.tolist())
            for row, partners, shares in zip(*step, strict=True)
        )
        for step in steps(chosen)
    ]


def test_each_draw_of_a_row_has_uniform_partners_of_its_own():
    chosen = by_class(mixing=MixupSettings(), epochs=120)
    rows, partners = (np.concatenate([step[part] for step in steps(chosen)]) for part in (0, 1))
    assert not (rows == partners[:, 0]).any()
    rare = partners[rows == 9][:, 0]  # the only row of class 3, six times an epoch
    assert len(rare) == 720
    counts = np.delete(np.bincount(rare, minlength=len(CLASSES)), 9)
    assert chisquare(counts).pvalue > 1e-4


def test_rows_are_shuffled_as_ever_where_no_classes_are_given():
    assert same(steps(plan()), steps(plan(classes=None)))
    first, second = (steps(by_class(seed=seed)) for seed in (1, 2))
    assert not same(first, second)
