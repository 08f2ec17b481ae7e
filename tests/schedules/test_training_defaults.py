"""Defaults of training by the size of a network."""

import itertools

import pytest

from lmdistill.schedules.training_defaults import default_epochs, default_rate

SIZES = [1e4, 1e6, 1.1e6, 1e7, 3e7, 1e8, 4e8, 1e9, 7e9, float("inf")]


@pytest.mark.parametrize("fresh", [True, False])
def test_a_larger_network_never_has_a_larger_rate_or_more_epochs(fresh):
    for small, large in itertools.pairwise(SIZES):
        assert default_rate(small, fresh=fresh) >= default_rate(large, fresh=fresh)
        assert default_epochs(small, fresh=fresh) >= default_epochs(large, fresh=fresh)


@pytest.mark.parametrize("size", SIZES)
def test_random_weights_never_have_a_smaller_rate_or_fewer_epochs_than_trained_ones(size):
    assert default_rate(size, fresh=True) >= default_rate(size, fresh=False)
    assert default_epochs(size, fresh=True) >= default_epochs(size, fresh=False)


def test_the_rates_that_were_measured_best_on_stories_are_the_defaults():
    assert default_rate(2.3e5, fresh=False) == 3e-3  # two layers of stories260k, after SFT
    assert default_rate(4.7e6, fresh=True) == 1e-3  # the teacher of 4.9 million parameters
    assert default_rate(6.5e9, fresh=False) == 2e-5  # the released script of ATKD
