import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import stats

from lmdistill.analysis.seed_and_example_variance import Estimate, estimate, share

tables = arrays(
    float,
    array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=6),
    elements=st.integers(-20, 20).map(lambda value: value / 4),
)
"""Seeds by examples."""


def found(values: np.ndarray) -> Estimate:
    """The estimate, which must be there."""
    result = estimate(values)
    assert result is not None
    return result


@given(tables)
def test_a_p_value_is_a_probability_and_the_interval_holds_the_mean(values: np.ndarray) -> None:
    result = found(values)
    assert 0 <= result.p_value <= 1
    assert result.low <= result.value <= result.high
    assert result.value == pytest.approx(values.mean(), abs=1e-12)
    assert 1 <= result.freedom <= values.shape[1] - 1


@given(tables)
def test_the_interval_holds_zero_exactly_where_the_p_value_is_above_five_percent(values: np.ndarray) -> None:
    result = found(values)
    if abs(result.p_value - 0.05) > 1e-9 and result.error > 0:
        assert (result.low <= 0 <= result.high) == (result.p_value >= 0.05)


@given(tables)
def test_it_does_not_care_who_is_the_baseline(values: np.ndarray) -> None:
    one, other = found(values), found(-values)
    assert one.p_value == pytest.approx(other.p_value, rel=1e-9)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), rel=1e-9, abs=1e-12)


@given(tables, st.randoms())
def test_it_does_not_care_for_the_order_of_examples_or_seeds(values: np.ndarray, random: object) -> None:
    draw = np.random.default_rng(0)
    again = found(draw.permutation(draw.permutation(values, axis=0), axis=1))
    result = found(values)
    assert (again.error, again.p_value) == pytest.approx((result.error, result.p_value), rel=1e-6, abs=1e-9)


@given(tables)
def test_counting_seeds_never_makes_it_surer_than_examples_alone(values: np.ndarray) -> None:
    alone = found(values.mean(axis=0, keepdims=True))
    result = found(values)
    assert result.error >= alone.error - 1e-12
    assert result.high - result.low >= alone.high - alone.low - 1e-9


@given(arrays(float, st.integers(3, 30), elements=st.floats(-5, 5)))
def test_one_seed_is_the_t_test_of_scipy(values: np.ndarray) -> None:
    if values.std() < 1e-3:
        return
    expected = stats.ttest_rel(values, np.zeros_like(values))
    result = found(values[None])
    assert result.p_value == pytest.approx(expected.pvalue, rel=1e-9, abs=1e-15)
    ends = expected.confidence_interval(0.95)
    assert (result.low, result.high) == pytest.approx((ends.low, ends.high), rel=1e-9, abs=1e-12)


def test_one_seed_agrees_with_the_bootstrap_of_scipy() -> None:
    values = np.random.default_rng(2).normal(0.1, 1.0, size=400)
    drawn = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=0)
    ends = drawn.confidence_interval
    result = found(values[None])
    assert (result.low, result.high) == pytest.approx((ends.low, ends.high), abs=0.01)


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=6))
def test_where_examples_do_not_scatter_it_is_the_t_test_over_seeds(shifts: list[float]) -> None:
    if np.std(shifts) < 1e-3:
        return
    expected = stats.ttest_1samp(shifts, 0.0)
    values = np.repeat(np.array(shifts)[:, None], 50, axis=1)
    assert found(values).p_value == pytest.approx(expected.pvalue, rel=1e-6)


def test_variance_by_hand() -> None:
    # [[2, 4], [4, 10]]: seeds 3 and 7, examples 3 and 7, mean 5. Rests 1 -1 -1 1: MS_e = 4 / (1 * 1) = 4.
    # V_a = V_b = 8 / 2 = 4, V_e = 4 / 4 = 1: V = 4 + (4 - 1) = 7. df = 49 / (16 / 1 + 16 / 1), at least 1:
    # 49 / 32 = 1.53, at most n - 1 = 1
    result = found(np.array([[2.0, 4.0], [4.0, 10.0]]))
    assert (result.value, result.error**2, result.freedom) == pytest.approx((5.0, 7.0, 1.0))
    # a third example that is the mean of each seed: V_a = 4, V_b = 8 / 2 / 3 = 4/3, MS_e = 4 / 2, V_e = 2 / 6
    # V = 4/3 + 4 - 1/3 = 5, df = 25 / (16 / 1 + (16 / 9) / 2) = 25 / (152 / 9) = 225 / 152
    result = found(np.array([[2.0, 4.0, 3.0], [4.0, 10.0, 7.0]]))
    assert (result.value, result.error**2, result.freedom) == pytest.approx((5.0, 5.0, 225 / 152))


def test_more_examples_and_more_seeds_make_it_narrower() -> None:
    draw = np.random.default_rng(0)

    def width(seeds: int, size: int) -> float:
        """Mean width over draws."""
        tables = 0.1 * draw.normal(size=(200, seeds, 1)) + draw.normal(size=(200, seeds, size))
        return float(np.mean([2 * (one.high - one.value) for one in map(found, tables)]))

    assert width(5, 40) > 1.5 * width(5, 400)
    assert width(3, 400) > 1.5 * width(8, 400)


def test_cells_that_scatter_are_not_taken_for_certain_where_their_means_agree() -> None:
    # examples and seeds have one mean each, 0.5, and each cell lies 0.5 away: MS_e = 1 / 1, V_e = 1 / 4
    result = found(np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert (result.error**2, result.freedom) == pytest.approx((0.25, 1.0))
    assert result.p_value > 0.1


def test_equal_runs_and_single_examples_say_nothing() -> None:
    assert found(np.zeros((3, 10))).p_value == 1.0
    assert found(np.ones((3, 10))).p_value == 0.0
    assert estimate(np.ones((3, 1))) is None


def test_a_share_holds_what_is_not_refuted() -> None:
    draw = np.random.default_rng(0)
    whole = 1.0 + 0.5 * draw.normal(size=(3, 200))
    part = 0.4 * whole + 0.3 * draw.normal(size=(3, 200)) + 0.02 * draw.normal(size=(3, 1))
    result = share(part, whole)
    assert result is not None
    assert result.low < result.value < result.high
    assert result.value == pytest.approx(part.mean() / whole.mean())
    reach = stats.t.ppf(0.975, found(part - result.value * whole).freedom)
    for end in (result.low, result.high):
        rest = found(part - end * whole)
        assert abs(rest.value) == pytest.approx(reach * rest.error, rel=1e-6)


@given(st.integers(0, 10_000))
def test_no_share_beyond_the_ends_is_left_out_and_none_between_them_is_refuted(number: int) -> None:
    draw = np.random.default_rng(number)
    whole = (0.3 + draw.normal(size=(2, 1)) * 0.1 + draw.normal(size=(2, 40)) > 0).astype(float)
    part = whole * (draw.random((2, 40)) < 0.5) - 0.2 * draw.random((2, 1))
    result = share(part, whole)
    if result is None:
        return
    reach = stats.t.ppf(0.975, found(part - result.value * whole).freedom)
    for share_ in np.linspace(-3, 3, 61):
        rest = found(part - share_ * whole)
        refuted = abs(rest.value) - reach * rest.error
        assert refuted * ((share_ < result.low or share_ > result.high) - 0.5) > -1e-9


def test_a_share_of_one_seed_is_fiellers_closed_form() -> None:
    draw = np.random.default_rng(3)
    whole, part = 1.0 + draw.normal(size=80), 0.5 + draw.normal(size=80)
    cov, reach = np.cov(part, whole) / 80, stats.t.ppf(0.975, 79) ** 2
    # (a - g b)^2 = t^2 (v_a - 2 g c + g^2 v_b)
    a, b = part.mean(), whole.mean()
    roots = np.roots([b**2 - reach * cov[1, 1], -2 * (a * b - reach * cov[0, 1]), a**2 - reach * cov[0, 0]])
    result = share(part[None], whole[None])
    assert result is not None
    assert (result.low, result.high) == pytest.approx(sorted(roots), rel=1e-6)


def test_a_share_of_what_may_be_nothing_has_no_interval() -> None:
    draw = np.random.default_rng(0)
    assert share(draw.normal(size=(3, 50)), 0.01 + draw.normal(size=(3, 50))) is None
    assert share(np.ones((1, 20)), -np.ones((1, 20))) is None


def test_a_share_that_does_not_scatter_is_a_point() -> None:
    whole = np.tile([0.0, 1.0, 1.0, 1.0], 10)[None]
    result = share(whole, whole)
    assert result is not None
    assert (result.low, result.value, result.high) == pytest.approx((1.0, 1.0, 1.0), abs=1e-9)
