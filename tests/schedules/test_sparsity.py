import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.errors import ConfigError
from lmdistill.schedules.sparsity import PUBLISHED_GRID, Ranking, candidate_grid

layers = st.lists(st.lists(st.floats(0, 1, allow_nan=False), min_size=1, max_size=30), min_size=1, max_size=6)
fractions = st.floats(0.01, 1)


@given(scores=layers, kept=fractions)
def test_a_global_ranking_keeps_the_best_units_of_all(scores, kept):
    counts = Ranking().counts(scores, kept)
    total = sum(map(len, scores))
    assert sum(counts) == total - math.floor((1 - kept) * total + 0.5 + 1e-9)
    ordered = [sorted(layer, reverse=True) for layer in scores]
    kept_scores = [s for layer, count in zip(ordered, counts, strict=True) for s in layer[:count]]
    lost = [s for layer, count in zip(ordered, counts, strict=True) for s in layer[count:]]
    assert not kept_scores or not lost or min(kept_scores) >= max(lost)


@given(
    scores=layers,
    small=fractions,
    large=fractions,
    multiple=st.integers(1, 9),
    scope=st.sampled_from(["global", "layer"]),
)
def test_a_larger_fraction_never_keeps_fewer_units_anywhere(scores, small, large, multiple, scope):
    small, large = sorted((small, large))
    ranking = Ranking(scope=scope, multiple=multiple)
    for few, many, layer in zip(
        ranking.counts(scores, small), ranking.counts(scores, large), scores, strict=True
    ):
        assert 0 <= few <= many <= len(layer)


@pytest.mark.parametrize("scope", ["global", "layer"])
@given(scores=layers)
def test_a_kept_fraction_of_one_keeps_all(scope, scores):
    assert Ranking(scope=scope).counts(scores, 1.0) == tuple(map(len, scores))


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_a_layer_that_loses_nothing_is_not_rounded(scope):
    assert Ranking(scope=scope, multiple=8).counts([[1.0] * 19, [1.0] * 32], 1.0) == (19, 32)


@given(scores=layers, kept=fractions, multiple=st.integers(2, 9))
def test_widths_are_multiples_or_the_whole_layer(scores, kept, multiple):
    for count, layer in zip(Ranking(multiple=multiple).counts(scores, kept), scores, strict=True):
        assert count % multiple == 0 or count == len(layer)


@pytest.mark.parametrize(
    ("kept", "heads", "neurons"),
    [
        (0.5, 72, 18432),
        (0.4, 58, 14746),
        (0.3, 43, 11059),
        (0.2, 29, 7373),
        (0.15, 22, 5530),
        (0.1, 14, 3686),
        (0.05, 7, 1843),
    ],
)
def test_bert_base_keeps_the_published_numbers_of_units(kept, heads, neurons):
    """The table of `methods.md` 3.2; equal scores, so that only the arithmetic counts."""
    assert sum(Ranking().counts([[0.5] * 12] * 12, kept)) == heads
    assert sum(Ranking().counts([[0.5] * 3072] * 12, kept)) == neurons


def test_ties_go_from_the_last_layer_on():
    assert Ranking().counts([[1.0, 1.0], [1.0, 1.0]], 0.5) == (2, 0)


def test_a_layer_may_vanish_in_a_global_ranking_and_never_where_each_keeps_its_share():
    scores = [[0.9, 0.8, 0.7], [0.1, 0.2, 0.3]]
    assert Ranking().counts(scores, 0.5) == (3, 0)
    assert Ranking(scope="layer").counts(scores, 0.1) == (1, 1)
    assert Ranking(scope="layer", multiple=8).counts([[0.1] * 20, [0.2] * 5], 0.1) == (8, 5)


def test_counts_do_not_depend_on_the_order_inside_a_layer():
    assert (
        Ranking().counts([[3.0, 1.0], [2.0, 0.0]], 0.5)
        == Ranking().counts([[1.0, 3.0], [0.0, 2.0]], 0.5)
        == (1, 1)
    )


def test_the_grid_is_cut_at_its_largest_candidate():
    assert candidate_grid(target=0.1) == (0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05)
    assert candidate_grid(1.0, target=0.05) == PUBLISHED_GRID
    assert sum(candidate_grid(target=0.1)) == pytest.approx(1.70)
    assert sum(PUBLISHED_GRID) == pytest.approx(5.70)


@pytest.mark.parametrize("kept", [0.0, -0.1, 1.5, math.nan])
def test_fractions_outside_their_range_are_refused(kept):
    with pytest.raises(ConfigError, match=r"must be in \(0, 1\], got"):
        candidate_grid(target=kept)
    with pytest.raises(ConfigError, match=r"a fraction of the grid must be in \(0, 1\]"):
        candidate_grid(target=0.1, fractions=(0.1, kept))
    with pytest.raises(ConfigError, match=r"keep must be in \(0, 1\]"):
        Ranking().counts([[1.0]], kept)


def test_a_grid_without_the_target_is_refused():
    with pytest.raises(
        ConfigError, match=r"the target keeps 0\.12 and the grid up to 0\.5 has 0\.5, 0\.3\. Add 0\.12"
    ):
        candidate_grid(target=0.12, fractions=(0.5, 0.3, 0.9))


def test_a_multiple_below_one_is_refused():
    with pytest.raises(ConfigError, match=r"multiple must be >= 1, got 0"):
        Ranking(multiple=0)
