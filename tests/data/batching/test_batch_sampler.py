from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from lmdistill.core.batch import MixupSettings
from lmdistill.core.errors import DataError
from lmdistill.data.batching.batch_sampler import BatchSampler, evaluation_batches


def plan(rows=37, **changes):
    lengths = np.random.default_rng(0).integers(3, 40, rows)
    return BatchSampler(**{"lengths": lengths, "batch_size": 8, "epochs": 2, "seed": 5, **changes})


def steps(chosen):
    """Each step as one flat tuple of arrays, whoever computes what."""
    lists = list(chosen)
    grouped = [lists[i : i + chosen.processes] for i in range(0, len(lists), chosen.processes)]
    joined = []
    for step in grouped:
        draws = [draw for process in step for draw in process]
        rows = np.concatenate([draw.examples for draw in draws])
        order = np.argsort(rows)
        partners = np.concatenate([draw.partners for draw in draws])
        shares = np.concatenate([draw.shares for draw in draws])
        joined.append((rows[order], partners[order], shares[order]))
    return joined


def same(first, second):
    return len(first) == len(second) and all(
        np.array_equal(a, b)
        for one, two in zip(first, second, strict=True)
        for a, b in zip(one, two, strict=True)
    )


@settings(deadline=None, max_examples=40)
@given(rows=st.integers(1, 80), batch=st.integers(1, 16), grouped=st.booleans())
def test_an_epoch_shows_every_example_once_in_batches_of_nearly_equal_size(rows, batch, grouped):
    chosen = plan(rows, batch_size=batch, epochs=1, group_by_length=grouped)
    sizes = [len(step[0]) for step in steps(chosen)]
    assert sorted(np.concatenate([step[0] for step in steps(chosen)])) == list(range(rows))
    assert max(sizes) <= batch
    assert max(sizes) - min(sizes) <= 1
    assert len(sizes) == chosen.steps_per_epoch == len(chosen)


@settings(deadline=None, max_examples=40)
@given(accumulate=st.integers(1, 5), processes=st.integers(1, 4), partner=st.sampled_from(["batch", "train"]))
def test_splitting_over_micro_batches_and_processes_changes_nothing(accumulate, processes, partner):
    whole = plan(mixing=MixupSettings(ratio=2, partner=partner))
    parts = replace(whole, accumulate=accumulate, processes=processes)
    assert same(steps(whole), steps(parts))
    lists = list(parts)
    assert len(lists) == len(parts)
    for step in range(0, len(lists), processes):
        assert len({len(window) for window in lists[step : step + processes]}) == 1
        assert all(len(draw.examples) for window in lists[step : step + processes] for draw in window)


@given(start=st.integers(0, 10))
def test_a_plan_that_starts_later_is_the_rest_of_one_that_does_not(start):
    whole = plan(mixing=MixupSettings())
    assert same(steps(replace(whole, start=start)), steps(whole)[start:])


def test_epochs_and_seeds_differ():
    chosen = plan(32, epochs=2)
    first, second = steps(chosen)[:4], steps(chosen)[4:]
    assert not same(first, second)
    assert not same(steps(plan(seed=5)), steps(plan(seed=6)))
    assert same(steps(plan(seed=5)), steps(plan(seed=5)))


def test_partners_in_the_batch_are_permutations_of_it_without_self_pairs():
    for rows, partners, _ in steps(plan(mixing=MixupSettings(ratio=3, partner="batch"))):
        for column in partners.T:
            assert sorted(column) == sorted(rows)
            assert not (column == rows).any()


def delivered_pairs(rows=11, *, processes=3, epochs=1500, grouped=True):
    """Of each pair that a rank was given: row, partner, rank, and whether it came in the epoch's last step."""
    lengths = np.random.default_rng(0).integers(3, 40, rows)
    chosen = BatchSampler(
        lengths=lengths, batch_size=4, epochs=epochs, seed=5, processes=processes, group_by_length=grouped,
        mixing=MixupSettings(),
    )  # fmt: skip
    pairs = []
    for number, micro_batches in enumerate(chosen):
        step, rank = divmod(number, processes)
        last = step % chosen.steps_per_epoch == chosen.steps_per_epoch - 1
        for part in micro_batches:
            pairs += [
                (row, partner, rank, last)
                for row, partner in zip(part.examples, part.partners[:, 0], strict=True)
            ]
    return np.array(pairs)


@pytest.mark.parametrize("grouped", [True, False])
def test_delivered_partners_are_uniform_over_the_other_rows_for_every_row_rank_and_last_batch(grouped):
    pairs = delivered_pairs(grouped=grouped)
    assert not (pairs[:, 0] == pairs[:, 1]).any()
    for row in range(11):
        counts = np.bincount(pairs[pairs[:, 0] == row][:, 1], minlength=11)
        assert counts.sum() == 1500
        assert chisquare(np.delete(counts, row)).pvalue > 1e-4
    # By rank and by last batch: no training row is preferred as a partner.
    for chosen in [pairs[:, 3] == 1, *(pairs[:, 2] == rank for rank in range(3))]:
        counts = np.bincount(pairs[chosen][:, 1], minlength=11)
        assert chisquare(counts).pvalue > 1e-4


def test_length_groups_do_not_make_partners_alike():
    """Where partners are drawn in a batch of one length, they have that length; drawn first, they do not."""
    lengths = np.random.default_rng(0).integers(3, 60, 1000)

    def difference(partner):
        chosen = BatchSampler(
            lengths=lengths, batch_size=8, epochs=1, seed=5, mixing=MixupSettings(partner=partner)
        )
        return np.mean([np.abs(lengths[r] - lengths[p[:, 0]]).mean() for r, p, _ in steps(chosen)])

    random = np.abs(lengths[:, None] - lengths[None]).mean()
    assert difference("train") == pytest.approx(random, rel=0.1)
    assert difference("batch") < 0.2 * random


@pytest.mark.parametrize("ratio", [1, 2, 3])
def test_pairs_are_grouped_by_their_longest_row(ratio):
    """Padding of pairs in grouped batches, against the lengths of the pairs and against random batches."""
    lengths = np.random.default_rng(0).integers(3, 60, 1000)

    def padded(*, grouped):
        chosen = BatchSampler(
            lengths=lengths, batch_size=8, epochs=1, seed=5, group_by_length=grouped,
            mixing=MixupSettings(ratio=ratio),
        )  # fmt: skip
        longest = [np.maximum(lengths[r], lengths[p].max(axis=1)) for r, p, _ in steps(chosen)]
        return sum(pairs.max() * len(pairs) for pairs in longest), sum(pairs.sum() for pairs in longest)

    (used, needed), (random, _) = padded(grouped=True), padded(grouped=False)
    assert used < 1.05 * needed
    assert used < 0.95 * random


def test_mixup_without_another_row_is_refused():
    with pytest.raises(DataError, match=r"mixup needs 2 training rows, and there is 1"):
        plan(1, mixing=MixupSettings())
    with pytest.raises(DataError, match=r"batch_size is 1, .* partner: batch needs 2\. Raise batch_size"):
        plan(5, batch_size=1, mixing=MixupSettings(partner="batch"))
    assert len(plan(5, batch_size=1, mixing=MixupSettings())) == 10


def test_one_share_a_batch_is_one_share_a_batch():
    for _, _, shares in steps(plan(mixing=MixupSettings(share="batch", ratio=2))):
        assert all(len(set(column)) == 1 for column in shares.T)
    assert len(set(steps(plan(mixing=MixupSettings()))[0][2].ravel())) > 1


def test_folded_shares_are_at_least_a_half_and_others_are_symmetric():
    folded = np.concatenate([s[2].ravel() for s in steps(plan(2000, mixing=MixupSettings(fold=True)))])
    free = np.concatenate([s[2].ravel() for s in steps(plan(2000, mixing=MixupSettings()))])
    assert folded.min() >= 0.5
    # 4000 draws of Beta(0.4, 0.4): mean 1/2, variance 1 / (4 (2 * 0.4 + 1)) = 0.1389
    assert free.mean() == pytest.approx(0.5, abs=0.03)
    assert free.var() == pytest.approx(1 / (4 * 1.8), abs=0.01)


def test_grouping_by_length_saves_most_of_the_padding():
    def padded(chosen):
        return sum(chosen.lengths[step[0]].max() * len(step[0]) for step in steps(chosen))

    grouped, mixed = plan(1000, epochs=1), plan(1000, epochs=1, group_by_length=False)
    real = grouped.lengths.sum()
    assert padded(grouped) < 1.1 * real < 1.5 * real < padded(mixed)


def test_evaluation_shows_every_row_once_longest_first():
    lengths = np.array([3, 9, 5, 9, 1])
    rows = np.concatenate([draws[0].examples for draws in evaluation_batches(lengths, batch_size=2)])
    assert rows.tolist() == [1, 3, 2, 0, 4]


def test_an_empty_training_set_is_refused():
    with pytest.raises(DataError, match=r"the training set is empty\. Check the source"):
        plan(0)


def test_a_process_gets_its_own_lists():
    processes = 3
    whole = plan(mixing=MixupSettings(), processes=processes, accumulate=2, start=2)
    everyone = list(whole)
    for process in range(processes):
        own = replace(whole, process=process)
        mine = list(own)
        assert len(mine) == len(own) == whole.total_steps - 2
        for window, expected in zip(mine, everyone[process::processes], strict=True):
            assert [draw.examples.tolist() for draw in window] == [
                draw.examples.tolist() for draw in expected
            ]


@pytest.mark.parametrize(
    ("rows", "batch", "processes", "few"), [(37, 2, 3, 1), (3, 2, 2, 1), (5, 4, 3, 2), (1, 8, 2, 1)]
)
def test_a_step_with_fewer_examples_than_processes_is_refused(rows, batch, processes, few):
    with pytest.raises(
        DataError,
        match=rf"batch_size is {batch} and there are {processes} processes; with {rows} training rows a step "
        rf"has only {few} of them\.",
    ):
        plan(rows, batch_size=batch, processes=processes)
