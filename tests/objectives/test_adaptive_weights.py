import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.errors import ConfigError
from lmdistill.objectives.adaptive_weights import adaptive_weights, hard_positions
from lmdistill.objectives.decoupled import decouple
from lmdistill.objectives.divergence import forward_kl, reverse_kl
from tests.objectives.reference_losses import atkd_by_loops, decoupled_by_loops

numbers = st.lists(st.sampled_from([-9.0, -4.0, -3.5, -1.0, -0.25, -0.125]), min_size=1, max_size=12)
shares = st.floats(0.05, 0.95)


@given(values=st.lists(st.integers(-99, 0), min_size=1, max_size=30, unique=True), share=shares)
def test_without_ties_the_share_rounded_up_is_hard(values, share):
    pool = torch.tensor(values, dtype=torch.float32)
    hard = hard_positions(pool, pool, share=share)
    assert hard.sum() == math.ceil(share * len(values) - 1e-9)
    if not hard.all():
        assert pool[hard].min() > pool[~hard].max()


@given(values=numbers, share=shares, seed=st.integers(0, 99))
def test_order_means_nothing_and_ties_go_hard(values, share, seed):
    pool = torch.tensor(values)
    order = torch.randperm(len(values), generator=torch.Generator().manual_seed(seed))
    hard = hard_positions(pool, pool, share=share)
    assert torch.equal(hard_positions(pool[order], pool, share=share), hard[order])
    assert torch.equal(hard_positions(pool, pool[order], share=share), hard)
    assert hard.sum() >= math.ceil(share * len(values) - 1e-9)
    if not hard.all():
        assert pool[hard].min() > pool[~hard].max()


def test_the_threshold_is_the_pools():
    pool = torch.tensor([-1.0, -2.0, -3.0, -4.0])
    assert hard_positions(pool[:2], pool).tolist() == [True, True]
    assert hard_positions(pool[:2], pool[:2]).tolist() == [True, False]
    assert hard_positions(pool[2:], pool).tolist() == [False, False]


def test_an_even_pool_has_one_half_hard_where_the_released_code_has_one_more():
    pool = torch.tensor([-4.0, -3.0, -2.0, -1.0])
    assert hard_positions(pool, pool).sum() == 2
    assert (pool >= pool.median()).sum() == 3


def test_a_product_a_little_above_a_whole_number_does_not_count_one_more():
    pool = -torch.arange(100.0)
    assert 0.55 * 100 > 55
    assert hard_positions(pool, pool, share=0.55).sum() == 55


def test_an_empty_pool_asks_nobody():
    none = torch.empty(0)
    assert hard_positions(none, none).shape == (0,)
    assert [len(weights) for weights in adaptive_weights(none, none)] == [0, 0]


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5])
def test_the_share_has_a_range(share):
    with pytest.raises(ConfigError, match=rf"share must be in \(0, 1\), got {share}"):
        hard_positions(torch.zeros(2), torch.zeros(2), share=share)


def test_the_easy_weight_has_a_range():
    with pytest.raises(ConfigError, match=r"easy_weight must be in \[0, 1\], got 1.5"):
        adaptive_weights(torch.zeros(2), torch.zeros(2), easy_weight=1.5)


@given(values=numbers, share=shares, easy_weight=st.floats(0, 1), cut=st.integers(0, 12))
def test_weighted_sums_over_the_pool_are_two_means(values, share, easy_weight, cut):
    pool = torch.tensor(values, dtype=torch.float64)
    target, diversity = torch.rand(2, len(values), dtype=torch.float64)
    hard = hard_positions(pool, pool, share=share)
    easy_mean = diversity[~hard].mean() if (~hard).any() else torch.tensor(0.0, dtype=torch.float64)
    expected = easy_weight * easy_mean + (1 - easy_weight) * (target + diversity)[hard].mean()
    total = torch.zeros((), dtype=torch.float64)
    for part in (slice(None, cut), slice(cut, None)):  # micro-batches of one step
        weights = adaptive_weights(pool[part], pool, share=share, easy_weight=easy_weight)
        total += (weights[0] * target[part] + weights[1] * diversity[part]).sum()
    torch.testing.assert_close(total / len(values), expected)


def test_where_all_tie_the_easy_term_is_nothing():
    target, diversity = adaptive_weights(torch.full((4,), -2.0), torch.full((4,), -2.0))
    torch.testing.assert_close(target, torch.full((4,), 0.8))
    torch.testing.assert_close(diversity, torch.full((4,), 0.8))


def atkd(student, teacher, labels, *, divergence=forward_kl, **settings):
    parts = decouple(divergence, student, teacher, labels)
    pool = parts.log_uncertainty
    target, diversity = adaptive_weights(pool, pool, **settings)
    return (target * parts.target + diversity * parts.diversity).sum() / len(pool)


def material():
    student, teacher = torch.randn(2, 11, 8, dtype=torch.float64)
    return student, teacher, torch.randint(8, (11,))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_atkd_matches_loops_over_the_paper_and_no_planted_bug_does(reverse, share):
    student, teacher, labels = material()
    settings = {"reverse": reverse, "share": share, "easy_weight": 0.2}
    right = atkd_by_loops(student, teacher, labels, **settings)
    ours = atkd(student, teacher, labels, divergence=reverse_kl if reverse else forward_kl, share=share)
    assert ours.item() == pytest.approx(right, rel=1e-10)
    for name, bug in BUGS.items():
        assert bug(student, teacher, labels, settings) != pytest.approx(right, rel=1e-3), name


def _swapped_split(student, teacher, labels, settings):
    """The split inverted: the most certain are hard."""
    targets, diversities, unsure = decoupled_by_loops(student, teacher, labels, reverse=settings["reverse"])
    order = sorted(range(len(unsure)), key=unsure.__getitem__)
    count = math.ceil(settings["share"] * len(unsure))
    hard, easy = order[:count], order[count:]
    return 0.2 * _mean(diversities, easy) + 0.8 * (_mean(targets, hard) + _mean(diversities, hard))


def _students_split(student, teacher, labels, settings):
    """The split by the student's uncertainty."""
    targets, diversities, _ = decoupled_by_loops(student, teacher, labels, reverse=settings["reverse"])
    unsure = decoupled_by_loops(teacher, student, labels)[2]
    order = sorted(range(len(unsure)), key=unsure.__getitem__, reverse=True)
    count = math.ceil(settings["share"] * len(unsure))
    hard, easy = order[:count], order[count:]
    return 0.2 * _mean(diversities, easy) + 0.8 * (_mean(targets, hard) + _mean(diversities, hard))


def _divided_by_all(student, teacher, labels, settings):
    """Both sums divided by the number of all positions."""
    targets, diversities, unsure = decoupled_by_loops(student, teacher, labels, reverse=settings["reverse"])
    order = sorted(range(len(unsure)), key=unsure.__getitem__, reverse=True)
    count = math.ceil(settings["share"] * len(unsure))
    hard, easy = order[:count], order[count:]
    sums = 0.2 * sum(diversities[i] for i in easy) + 0.8 * sum(targets[i] + diversities[i] for i in hard)
    return sums / len(unsure)


def _mean_of_means(student, teacher, labels, settings):
    """Two micro-batches on their own, then the mean."""
    halves = [
        atkd_by_loops(student[part], teacher[part], labels[part], **settings)
        for part in (slice(0, 3), slice(3, None))
    ]
    return sum(halves) / 2


def _cross_entropy(student, teacher, labels, settings):
    """The teacher's entropy left in: a cross-entropy called KL."""
    right = atkd_by_loops(student, teacher, labels, **settings)
    return right + _entropy(teacher)


def _entropy(logits):
    log_probs = logits.log_softmax(-1)
    return -(log_probs.exp() * log_probs).sum(-1).mean().item()


def _mean(values, at):
    return sum(values[i] for i in at) / len(at)


BUGS = {
    "direction swapped": lambda s, t, y, k: atkd_by_loops(s, t, y, **{**k, "reverse": not k["reverse"]}),
    "student and teacher swapped": lambda s, t, y, k: atkd_by_loops(t, s, y, **k),
    "lambda on the hard ones": lambda s, t, y, k: atkd_by_loops(s, t, y, **{**k, "easy_weight": 0.8}),
    "teacher's favourite for the target": lambda s, t, y, k: atkd_by_loops(s, t, t.argmax(-1), **k),
    "labels shifted": lambda s, t, y, k: atkd_by_loops(s, t, y.roll(1), **k),
    "split inverted": _swapped_split,
    "split by the student": _students_split,
    "divided by all": _divided_by_all,
    "mean of means": _mean_of_means,
    "cross-entropy called KL": _cross_entropy,
}
