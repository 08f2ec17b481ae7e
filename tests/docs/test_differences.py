"""Several differences are one, and those whose answers were not kept go by the scores of their seeds."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from docs.build.record_fields import Measure, headline
from docs.build.row_difference import Difference, difference, envelope
from lmdistill.records.record import RecordedRun
from tests.report.factory import make_record


def runs(name: str, scores: Sequence[float]) -> list[RecordedRun]:
    return [
        RecordedRun(path=Path(f"{name}-{seed}"), record=make_record(name, seed, score))
        for seed, score in enumerate(scores)
    ]


def between(ours: Sequence[float], theirs: Sequence[float]) -> Difference:
    mine = runs("KD", ours)
    found = difference(mine, runs("FT", theirs), headline(mine[0]), is_headline=True)
    assert found is not None
    return found


def test_seeds_that_are_equally_many_examples_apart_are_no_proof() -> None:
    # a score of few examples takes few values: of two seeds with 277, one pair in 20 lies equally far apart
    for gap in (0.02, 0.0):
        found = between([0.85 + gap, 0.87 + gap], [0.85, 0.87])
        assert (found.ends, found.p_value, found.seeds) == (None, None, 2)


def test_seeds_that_differ_are_tested_by_their_scatter() -> None:
    # gaps of 2, 3 and 4 points: t = 3 / (1 / sqrt 3) = 5.196 with 2 degrees of freedom, p = 0.0351
    found = between([0.87, 0.88, 0.89], [0.85, 0.85, 0.85])
    assert found.p_value is not None
    assert round(found.p_value, 4) == 0.0351


def test_equal_counts_leave_no_doubt() -> None:
    steps = Measure(read=lambda record: 100.0 if record.name == "KD" else 150.0, lower_is_better=True)
    found = difference(runs("KD", [0.8, 0.8]), runs("FT", [0.8, 0.8]), steps, is_headline=False)
    assert found is not None
    assert (found.value, found.ends, found.p_value) == (50.0, (50.0, 50.0), 0.0)


def test_several_differences_are_one_with_the_outermost_ends_and_the_p_of_the_farthest() -> None:
    near = Difference(value=-0.3, low=-0.7, high=0.1, p_value=0.001, seeds=3)
    far = Difference(value=0.2, low=0.1, high=0.3, p_value=0.02, seeds=2)
    found = envelope([near, far])
    assert (found.value, found.low, found.high, found.seeds) == (-0.3, -0.7, 0.3, 2)
    assert (found.farthest, found.p_value) == ((0.1, 0.3), pytest.approx(0.04))
    below = Difference(value=-0.2, low=-0.4, high=-0.2, p_value=0.6, seeds=2)
    found = envelope([far, below])
    assert (found.farthest, found.p_value) == ((-0.4, -0.2), 1.0)
    one = Difference(value=0.5, low=None, high=None, p_value=None, seeds=1)
    found = envelope([far, one])
    assert (found.value, found.ends, found.farthest, found.p_value) == (0.5, None, None, None)
