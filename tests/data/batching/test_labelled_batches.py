"""Batches that hold a fixed number of labelled rows."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.batch import MixupSettings
from lmdistill.core.errors import DataError
from lmdistill.data.batching.batch_sampler import BatchSampler


def sampler(labelled, quota, **changes):
    lengths = np.random.default_rng(0).integers(3, 40, 9 if labelled is None else len(labelled))
    settings = {"batch_size": 8, "epochs": 3, "seed": 1, "labelled": labelled, "labelled_per_batch": quota}
    return BatchSampler(**{"lengths": lengths, **settings, **changes})


def batches(plan):
    return [np.concatenate([micro.examples for micro in micros]) for micros in plan]


@given(
    gold=st.integers(1, 30),
    others=st.integers(1, 90),
    quota=st.integers(1, 7),
    grouped=st.booleans(),
    mixed=st.booleans(),
)
def test_every_batch_has_its_labelled_rows_and_every_other_row_comes_once_an_epoch(
    gold, others, quota, grouped, mixed
):
    labelled = np.random.default_rng(gold).permutation(np.arange(gold + others) < gold)
    mixing = MixupSettings() if mixed else None
    plan = sampler(labelled, quota, group_by_length=grouped, mixing=mixing)
    found = batches(plan)
    assert len(found) == plan.total_steps
    assert all(labelled[batch].sum() == quota for batch in found)
    assert all(len(batch) <= 8 for batch in found)
    per_epoch = plan.steps_per_epoch
    for epoch in range(3):
        seen = np.concatenate(found[epoch * per_epoch : (epoch + 1) * per_epoch])
        assert sorted(seen[~labelled[seen]]) == np.flatnonzero(~labelled).tolist()
    counts = Counter(row for batch in found for row in batch[labelled[batch]])
    assert set(counts) <= set(np.flatnonzero(labelled))
    assert max(counts.values()) - min([*counts.values(), *([0] if len(counts) < gold else [])]) <= 1


def test_processes_share_the_rows_and_a_run_goes_on_where_it_was():
    labelled = np.arange(60) < 20
    whole = batches(sampler(labelled, 3))
    halves = [batches(sampler(labelled, 3, processes=2, process=process, accumulate=2)) for process in (0, 1)]
    for batch, first, second in zip(whole, *halves, strict=True):
        assert sorted(batch) == sorted([*first, *second])
    assert [b.tolist() for b in batches(sampler(labelled, 3, start=11))] == [b.tolist() for b in whole[11:]]
    ranks = Counter(row < 20 for half in halves[0] for row in half)
    assert 0 < ranks[True] < sum(ranks.values())


def test_rows_of_about_one_length_come_together():
    labelled = np.arange(4000) < 1000
    lengths = np.random.default_rng(0).integers(3, 100, 4000)
    spread = [
        np.mean([np.ptp(lengths[batch]) for batch in batches(
            sampler(labelled, 2, lengths=lengths, epochs=1, group_by_length=grouped)
        )])
        for grouped in (True, False)
    ]  # fmt: skip
    assert spread[0] < spread[1] / 3


@pytest.mark.parametrize(
    ("labelled", "quota", "said"),
    [
        (np.ones(9, dtype=bool), 2, "needs rows with and without labels"),
        (np.zeros(9, dtype=bool), 2, "needs rows with and without labels"),
        (None, 2, "needs rows with and without labels"),
        (np.arange(9) < 3, 8, "must be at least 1 and below batch_size"),
        (np.arange(9) < 3, 0, "must be at least 1 and below batch_size"),
    ],
)
def test_a_number_that_cannot_be_is_refused(labelled, quota, said):
    with pytest.raises(DataError, match=said):
        sampler(labelled, quota, lengths=np.arange(9) + 3)
