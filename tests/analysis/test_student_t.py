"""Student's t, compared with scipy.stats to the last bit: it calls the same functions with the same arguments."""

import math

import pytest
from scipy import stats

from lmdistill.analysis.student_t import quantile, upper_tail

FREEDOMS = [1.0, 2.0, 3.0, 7.5, 30.0, 871.0, 40429.0, 1e6]


@pytest.mark.parametrize("freedom", FREEDOMS)
@pytest.mark.parametrize("probability", [1e-6, 0.025, 0.5, 0.9, 0.975, 0.999999])
def test_quantiles_are_those_of_scipy(probability: float, freedom: float) -> None:
    assert quantile(probability, freedom) == stats.t.ppf(probability, freedom)


@pytest.mark.parametrize("freedom", FREEDOMS)
@pytest.mark.parametrize("value", [-3.0, 0.0, 1e-9, 0.7, 2.0, 40.0, math.inf])
def test_tails_are_those_of_scipy(value: float, freedom: float) -> None:
    assert upper_tail(value, freedom) == stats.t.sf(value, freedom)
