"""A fitted temperature: laws, then a grid and torch's optimiser."""

import numpy as np
import pytest
import torch

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.evaluation.temperature import HIGHEST, LOWEST, fit_temperature

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(300, 3)) * 2
LABELS = np.array([RNG.choice(3, p=np.exp(row) / np.exp(row).sum()) for row in LOGITS])
"""Labels drawn from the probabilities, so the best temperature is about 1."""


def loss(temperature, logits=LOGITS):
    return torch.nn.functional.cross_entropy(torch.tensor(logits) / temperature, torch.tensor(LABELS)).item()


def test_it_is_near_one_where_probabilities_are_right_and_scales_with_the_logits():
    fitted = fit_temperature(LABELS, LOGITS)
    assert fitted.value == pytest.approx(1, abs=0.15)
    for factor in (0.2, 3.0):
        scaled = fit_temperature(LABELS, factor * LOGITS)
        assert scaled.value == pytest.approx(factor * fitted.value, rel=1e-6)
        assert scaled.nll_after == pytest.approx(fitted.nll_after, abs=1e-9)


def test_no_other_temperature_is_better():
    fitted = fit_temperature(LABELS, 3 * LOGITS)
    assert fitted.nll_after == pytest.approx(loss(fitted.value, 3 * LOGITS), abs=1e-9)
    assert fitted.nll_before == pytest.approx(loss(1.0, 3 * LOGITS), abs=1e-9)
    assert fitted.nll_after < fitted.nll_before
    assert min(loss(value, 3 * LOGITS) for value in np.geomspace(LOWEST, HIGHEST, 400)) >= fitted.nll_after
    assert (fitted.rows, fitted.is_at_limit) == (300, False)


def test_it_is_what_torch_finds():
    raw = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([raw], max_iter=200, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        value = torch.nn.functional.cross_entropy(torch.tensor(3 * LOGITS) / raw.exp(), torch.tensor(LABELS))
        value.backward()
        return value

    optimizer.step(closure)
    assert fit_temperature(LABELS, 3 * LOGITS).value == pytest.approx(raw.exp().item(), rel=1e-5)


def test_constants_and_the_order_of_examples_do_not_matter():
    order, shift = RNG.permutation(300), RNG.normal(size=(300, 1)) * 50
    fitted = fit_temperature(LABELS, LOGITS)
    assert fit_temperature(LABELS[order], (LOGITS + shift)[order]).value == pytest.approx(
        fitted.value, rel=1e-9
    )


@pytest.mark.parametrize(("labels", "limit"), [(LOGITS.argmax(1), LOWEST), (LOGITS.argmin(1), HIGHEST)])
def test_rows_that_are_all_right_or_all_wrong_end_at_a_limit(labels, limit):
    fitted = fit_temperature(labels, LOGITS * 5)
    assert fitted.value == limit
    assert fitted.is_at_limit


def test_bad_input_is_refused():
    with pytest.raises(ConfigError, match=r"at least 2 classes, got 1 output"):
        fit_temperature(LABELS, LOGITS[:, :1])
    with pytest.raises(DataError):
        fit_temperature(np.full(300, -1), LOGITS)
