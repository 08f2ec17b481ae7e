import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.analysis.generalization_bounds import Bound, Mixture, effective_samples, log_class_size
from lmdistill.core.errors import ConfigError

ALMOST_SURE = 1 - math.exp(-2)
"""A confidence whose log(1 / delta) is 2."""

numbers = st.floats(min_value=1e-3, max_value=1e3)
confidences = st.floats(min_value=0.01, max_value=0.999)
counts = st.integers(min_value=1, max_value=10**6)
known = st.one_of(
    st.builds(lambda size: {"log_size": size}, st.floats(min_value=0, max_value=1e3)),
    st.builds(lambda size: {"rademacher": size}, st.floats(min_value=0, max_value=0.3)),
)
bounds = st.builds(
    lambda size, loss, sure: Bound(loss_bound=loss, confidence=sure, **size), known, numbers, confidences
)
SMALL = 1e-9
"""Of floating point; a sample more or less changes these bounds by more."""


def test_a_finite_class_by_hand() -> None:
    # log |G| = 8, log(1 / delta) = 2, M = 3, n = 500: 3 sqrt(10 / 1000) = 0.3; with a shift of 0.05 it is 0.35
    bound = Bound(loss_bound=3.0, log_size=8.0, confidence=ALMOST_SURE)
    assert bound.gap(500) == pytest.approx(0.3, rel=1e-12)
    assert bound.gap(500, shift=0.05) == pytest.approx(0.35, rel=1e-12)


def test_a_rademacher_complexity_by_hand() -> None:
    # R = 0.1, log(1 / delta) = 2, M = 2, n = 400: 2 x 0.1 + 2 sqrt(2 / 800) = 0.2 + 0.1 = 0.3
    bound = Bound(loss_bound=2.0, rademacher=0.1, confidence=ALMOST_SURE)
    assert bound.gap(400) == pytest.approx(0.3, rel=1e-12)
    # at most 0.25 with a shift of 0.01: n >= 4 x 2 / (2 x 0.04^2) = 2500, of which 400 are there
    mixture = Mixture(bound=bound, original=400, shift=0.01, target=0.25)
    assert mixture.enough == 2100


def test_the_second_theorem_has_the_lipschitz_constant_of_the_loss_by_hand() -> None:
    # L = 3, R = 0.1, log(1 / delta) = 2, M = 2, n = 400: 2 x 3 x 0.1 + 2 sqrt(2 / 800) = 0.6 + 0.1 = 0.7
    bound = Bound(loss_bound=2.0, rademacher=0.1, lipschitz=3.0, confidence=ALMOST_SURE)
    assert bound.gap(400) == pytest.approx(0.7, rel=1e-12)
    assert bound.samples_for(0.7) == 400
    assert bound.samples_for(0.6) is None
    with pytest.raises(ConfigError, match=r"the Lipschitz constant is 3 and the class has a log size; it"):
        Bound(log_size=8.0, lipschitz=3.0)
    with pytest.raises(ConfigError, match=r"the Lipschitz constant must be > 0 .* got 0"):
        Bound(rademacher=0.1, lipschitz=0.0)


def test_the_papers_inequality_by_hand() -> None:
    # a = 500, M = 1, log(|G| / delta) = 10: eps_p = sqrt(10 / 1000) = 0.1. With Delta_eps = 0.02,
    # c = 2 x 0.08^2 = 0.0128, and b >= 10 / 0.0128 - 500 = 781.25 - 500 = 281.25
    bound = Bound(log_size=8.0, confidence=ALMOST_SURE)
    mixture = Mixture(bound=bound, original=500, mixed=750, shift=0.02)
    assert mixture.gap_without == pytest.approx(0.1, rel=1e-12)
    assert mixture.enough == 282
    # sqrt(10 / 2500) + 0.02 = 0.063246 + 0.02
    assert mixture.gap_with == pytest.approx(0.0832456, rel=1e-6)
    # in groups of two and three: 1250^2 / (250 x 4 + 250 x 9) = 480.77; sqrt(10 / 961.54) + 0.02
    assert mixture.gap_dependent == pytest.approx(0.1219804, rel=1e-6)


def test_without_a_shift_the_originals_are_enough_and_with_a_large_one_nothing_is() -> None:
    bound = Bound(log_size=8.0, confidence=ALMOST_SURE)
    for original in (1, 3, 7, 500, 6735, 10**12 + 1):
        assert Mixture(bound=bound, original=original).enough == 0
    for shift in (0.1, 0.2):
        assert Mixture(bound=bound, original=500, shift=shift, target=0.09).enough is None
    assert Mixture(bound=Bound(rademacher=0.05), original=500, target=0.1).enough is None


def test_a_target_that_the_originals_reach_alone_needs_no_mixed_samples_whatever_their_shift() -> None:
    bound = Bound(log_size=8.0, confidence=ALMOST_SURE)  # eps_p = 0.1 with 500 samples
    for target in (0.1, 0.12, 0.15, 0.3):
        for shift in (0.0, 0.05, 0.12, 0.2):
            assert Mixture(bound=bound, original=500, shift=shift, target=target).enough == 0
    complex_ = Bound(rademacher=0.1, confidence=ALMOST_SURE)  # 0.2 + sqrt(2 / 400) = 0.2707 with 200
    assert Mixture(bound=complex_, original=200, shift=0.3, target=0.28).enough == 0
    assert Mixture(bound=complex_, original=200, shift=0.3, target=0.27).enough is None


def test_the_smallest_target_is_a_whole_number_however_large() -> None:
    bound = Bound(log_size=1e6)
    assert bound.samples_for(1e-300) > 10**600  # no float is as large
    assert bound.gap(10**90) > 0


@given(bounds, counts, st.floats(min_value=0.001, max_value=0.9), st.floats(min_value=0.05, max_value=2))
def test_one_mixed_sample_fewer_is_not_enough(bound: Bound, original: int, part: float, share: float) -> None:
    """Whatever the goal, the bound at `enough` keeps it and the bound one sample before does not."""
    goal = bound.floor + (bound.gap(original) - bound.floor) * share
    shift = (goal - bound.floor) * part
    mixture = Mixture(bound=bound, original=original, shift=shift, target=goal)
    assert mixture.enough is not None
    samples = original + mixture.enough
    if mixture.enough == 0:  # without mixed samples there is no shift
        assert bound.gap(original) <= goal * (1 + SMALL)
    else:
        assert bound.gap(original) > goal * (1 - SMALL)
        assert bound.gap(samples, shift=shift) <= goal * (1 + SMALL)
        assert bound.gap(samples - 1, shift=shift) > goal * (1 - SMALL)
        if samples < 10**6:  # further apart than floating point
            assert bound.gap(samples - 1, shift=shift) > goal


@given(bounds, counts, counts, st.floats(min_value=0, max_value=1))
def test_more_samples_lower_the_bound_and_a_shift_is_added_to_it(
    bound: Bound, few: int, more: int, shift: float
) -> None:
    assert bound.gap(few + more) < bound.gap(few)
    assert bound.gap(few, shift=shift) == pytest.approx(bound.gap(few) + shift)
    assert bound.gap(few) > bound.floor


CHANGES: dict[str, dict[str, Any]] = {
    "loss bound": {"loss_bound": 2.0},
    "class": {"log_size": 20.0},
    "confidence": {"confidence": 0.99},
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_symbol_that_makes_it_harder_raises_the_bound_and_what_is_enough(name: str) -> None:
    easy = {"loss_bound": 1.0, "log_size": 10.0, "confidence": 0.9}
    first, second = (
        Mixture(bound=Bound(**changed), original=50, mixed=100, shift=0.01, target=0.1)
        for changed in (easy, easy | CHANGES[name])
    )
    assert first.gap_without < second.gap_without
    assert first.gap_with < second.gap_with
    assert first.gap_dependent < second.gap_dependent
    assert first.enough is not None
    assert second.enough is not None
    assert first.enough < second.enough


def test_complexity_shift_and_target_are_monotone_too() -> None:
    def enough(rademacher: float = 0.01, shift: float = 0.01, target: float = 0.1, original: int = 50) -> int:
        bound = Bound(rademacher=rademacher)
        found = Mixture(bound=bound, original=original, shift=shift, target=target).enough
        assert found is not None
        return found

    assert enough() < enough(rademacher=0.02)
    assert enough() < enough(shift=0.02)
    assert enough() < enough(target=0.09)
    assert enough() == enough(original=49) - 1
    assert Bound(rademacher=0.02).gap(50) == pytest.approx(Bound(rademacher=0.01).gap(50) + 0.02)


@given(counts, st.integers(min_value=0, max_value=10**6))
def test_dependent_samples_never_count_for_more_than_the_originals(original: int, mixed: int) -> None:
    found = effective_samples(original, mixed)
    assert 1 <= found <= original
    assert effective_samples(original, original * mixed) == original


def test_dependent_samples_count_as_the_groups_one_by_one() -> None:
    for original, mixed in ((1, 5), (4, 2), (7, 23)):
        sizes = [1] * original
        for number in range(mixed):
            sizes[number % original] += 1
        total = sum(sizes)
        assert effective_samples(original, mixed) == Fraction(total**2, sum(size**2 for size in sizes))


def test_a_class_as_large_as_e_to_a_million() -> None:
    # delta = 0.05: log(1 / delta) = 2.9957; sqrt(1000002.9957 / (2 x 500000)) = 1.0000015
    assert Bound(log_size=1e6).gap(500_000) == pytest.approx(1.0000015, rel=1e-7)
    assert log_class_size(22_000_000) == pytest.approx(22e6 * 32 * math.log(2))
    assert log_class_size(10, bits=1) == pytest.approx(math.log(2**10))


def test_the_bound_holds_for_coins() -> None:
    """|G| constants that guess independent coins: the exact chance of a gap above the bound is below delta."""
    size, samples, confidence = 4, 40, 0.8
    gap = Bound(log_size=math.log(size), confidence=confidence).gap(samples)
    most = math.floor((0.5 - gap) * samples - 1e-12)  # wrong guesses with which the gap is passed
    alone = sum(math.comb(samples, wrong) for wrong in range(most + 1)) / 2**samples
    assert 0 < 1 - (1 - alone) ** size < 1 - confidence


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"loss_bound": 0.0},
            r"the loss bound must be > 0 and below 1e\+100, got 0\. 1 bounds the 0/1 loss\.",
        ),
        ({"loss_bound": math.inf}, "the loss bound must be > 0 and below 1e.100, got inf"),
        ({"loss_bound": math.nan}, "the loss bound must be > 0 and below 1e.100, got nan"),
        ({"confidence": 1.0}, r"the confidence must be in \(0, 1\), got 1\. 0\.95 is usual\."),
        ({"confidence": 0.0}, r"the confidence must be in \(0, 1\), got 0"),
        ({"confidence": math.nan}, r"the confidence must be in \(0, 1\), got nan"),
        ({"log_size": -1.0}, "the log size of the class must be a number >= 0, got -1.0"),
        ({"log_size": math.inf}, r"the log size of the class must be below 1e\+100, got inf"),
        ({"log_size": None}, "neither a log size nor a Rademacher complexity; give one"),
        ({"rademacher": 0.1}, "a log size of 3 and a Rademacher complexity of 0.1; give only one of them"),
        ({"log_size": None, "rademacher": -0.1}, "the Rademacher complexity must be a number >= 0, got -0.1"),
    ],
)
def test_a_symbol_out_of_range_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Bound(**{"log_size": 3.0, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"original": 0}, "original samples must be a number >= 1, got 0"),
        ({"mixed": -1}, "mixed samples must be a number >= 0, got -1"),
        ({"mixed": 10**400}, "mixed samples must be below 1e"),
        ({"shift": -0.1}, "the shift must be a number >= 0, got -0.1"),
        ({"shift": math.nan}, "the shift must be a number >= 0, got nan"),
        ({"target": 0.0}, r"the target gap must be > 0 and below 1e\+100, got 0\. No bound reaches 0\."),
    ],
)
def test_samples_out_of_range_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Mixture(**{"bound": Bound(log_size=3.0), "original": 10, **changes})


def test_a_class_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="parameters must be a number >= 1, got 0"):
        log_class_size(0)
    with pytest.raises(ConfigError, match="bits must be a number >= 1, got 0"):
        log_class_size(5, bits=0)
    with pytest.raises(ConfigError, match="samples must be a number >= 1, got 0"):
        Bound(log_size=3.0).gap(0)
