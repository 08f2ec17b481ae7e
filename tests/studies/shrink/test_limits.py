"""Limits: numbers with units, kept or missed, and what to write instead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.errors import ConfigError
from lmdistill.studies.shrink.limits import BOUNDS, BYTES, COUNTS, MILLISECONDS, Limits, exceeded, quantity

POSITIVE = st.floats(1e-3, 1e6)


@pytest.mark.parametrize(
    ("text", "units", "value"),
    [
        ("5ms", MILLISECONDS, 5.0),
        ("0.2 s", MILLISECONDS, 200.0),
        ("800us", MILLISECONDS, 0.8),
        ("20MB", BYTES, 20e6),
        ("16MiB", BYTES, 16 * 2**20),
        ("1.5e1kB", BYTES, 15e3),
        ("10M", COUNTS, 10e6),
        ("1200000", COUNTS, 1.2e6),
    ],
)
def test_a_number_with_a_unit_is_read(text, units, value):
    assert quantity("--limit", text, units) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    "text", ["5", "ms", "5 minutes", "-5ms", "nan ms", "five ms", "", "5ms 3ms", "1e999ms"]
)
def test_what_is_no_time_is_refused_with_an_example(text):
    with pytest.raises(ConfigError, match=r"--max-latency must be .*got"):
        quantity("--max-latency", text, MILLISECONDS)


def test_zero_is_no_limit():
    with pytest.raises(ConfigError, match="must be above 0"):
        quantity("--max-size", "0MB", BYTES)


@pytest.mark.parametrize(("name", "option"), [("quality", "--min-quality"), ("agreement", "--min-agreement")])
@pytest.mark.parametrize("value", [-0.1, 1.5, 98.0, float("nan")])
def test_a_share_outside_0_and_1_is_refused(name, option, value):
    with pytest.raises(ConfigError, match=f"{option} must be a fraction"):
        Limits(**{name: value})


def test_a_median_above_the_95th_percentile_contradicts_itself():
    with pytest.raises(ConfigError, match="--max-p95 is 4 ms and --max-latency is 5 ms"):
        Limits(latency_ms=5.0, p95_ms=4.0)


@given(value=POSITIVE, limit=POSITIVE)
def test_a_limit_is_missed_on_its_wrong_side_alone(value, limit):
    for name, (option, *_) in BOUNDS.items():
        scale = 1e-7 if option.startswith("--min") else 1.0
        found = exceeded(Limits(**{name: limit * scale}), {name: value * scale})
        is_missed = value < limit if option.startswith("--min") else value > limit
        assert bool(found) == is_missed


@given(value=POSITIVE, limit=POSITIVE)
def test_the_advice_would_be_kept(value, limit):
    """Writing the option of a missed limit makes the same measurement keep it, by little."""
    for name, units in (("latency_ms", MILLISECONDS), ("bytes", BYTES), ("parameters", COUNTS)):
        scale = {"latency_ms": 1.0, "bytes": 1e6, "parameters": 1e6}[name]
        for excess in exceeded(Limits(**{name: limit * scale}), {name: value * scale}):
            advised = quantity(excess.option.split()[0], excess.option.split()[1], units)
            assert value * scale <= advised * (1 + 1e-9)
            assert advised <= value * scale * 1.02


def test_advice_about_quality_is_below_the_score():
    (excess,) = exceeded(Limits(quality=0.9), {"quality": 0.8768})
    assert excess.option == "--min-quality 0.876"
    assert excess.text == "0.8768 (at least 0.9000)"


def test_what_is_not_known_is_not_judged():
    assert exceeded(Limits(quality=0.9, bytes=1.0), {"quality": None}) == ()
