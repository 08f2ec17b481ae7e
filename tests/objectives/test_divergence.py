import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy, kl_div

from lmdistill.core.errors import ConfigError, UnknownNameError
from lmdistill.objectives.divergence import (
    DISTILLATION_LOSSES,
    DIVERGENCES,
    distillation_loss,
    divergence_named,
    forward_kl,
    jensen_shannon,
    logit_mse,
    reverse_kl,
    skew_forward_kl,
    skew_reverse_kl,
    soft_cross_entropy,
    total_variation,
)

SECOND_ORDER = [*(name for name in DIVERGENCES if name != "total_variation"), "soft_cross_entropy"]


@st.composite
def logit_pairs(draw):
    rows, cols = draw(st.integers(1, 4)), draw(st.integers(2, 6))
    flat = draw(st.lists(st.floats(-8, 8), min_size=2 * rows * cols, max_size=2 * rows * cols))
    return torch.tensor(flat, dtype=torch.float64).view(2, rows, cols)


def test_forward_kl_of_a_hand_computed_pair():
    # teacher (3/4, 1/4), student (1/2, 1/2): 3/4 log(3/2) + 1/4 log(1/2)
    teacher, student = torch.tensor([[math.log(3), 0.0]]), torch.zeros(1, 2)
    expected = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    torch.testing.assert_close(forward_kl(student, teacher), torch.tensor([expected]))


def test_forward_kl_matches_torch():
    student, teacher = torch.randn(2, 5, 7)
    expected = kl_div(student.log_softmax(-1), teacher.softmax(-1), reduction="none").sum(-1)
    torch.testing.assert_close(forward_kl(student, teacher), expected)


def test_soft_cross_entropy_matches_torch():
    student, teacher = torch.randn(2, 5, 7)
    expected = cross_entropy(student, teacher.softmax(-1), reduction="none")
    torch.testing.assert_close(soft_cross_entropy(student, teacher), expected)


def test_jensen_shannon_matches_a_rewrite_in_numpy():
    student, teacher = torch.randn(2, 5, 7, dtype=torch.float64)
    p, q = teacher.softmax(-1).numpy(), student.softmax(-1).numpy()
    for beta in (0.1, 0.5, 0.9):
        m = beta * p + (1 - beta) * q
        expected = beta * (p * np.log(p / m)).sum(-1) + (1 - beta) * (q * np.log(q / m)).sum(-1)
        ours = jensen_shannon(student, teacher, beta=beta)
        torch.testing.assert_close(ours, torch.from_numpy(expected), rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", DIVERGENCES)
@settings(deadline=None, max_examples=50)
@given(pair=logit_pairs(), shift=st.floats(-3, 3))
def test_every_divergence_is_a_divergence(name, pair, shift):
    divergence, (student, teacher) = DIVERGENCES[name], pair
    assert (divergence(student, teacher) >= -1e-12).all()
    torch.testing.assert_close(
        divergence(teacher, teacher), torch.zeros_like(teacher[:, 0]), atol=1e-12, rtol=0
    )
    torch.testing.assert_close(
        divergence(student + shift, teacher), divergence(student, teacher), atol=1e-10, rtol=0
    )
    if not torch.allclose(student.softmax(-1), teacher.softmax(-1), atol=1e-3):
        assert (divergence(student, teacher) > 0).any()


@given(pair=logit_pairs())
@settings(deadline=None, max_examples=50)
def test_jensen_shannon_is_symmetric_and_bounded(pair):
    a, b = pair
    torch.testing.assert_close(jensen_shannon(a, b), jensen_shannon(b, a), atol=1e-12, rtol=0)
    assert (jensen_shannon(a, b) <= math.log(2) + 1e-12).all()


@pytest.mark.parametrize("beta", [0.0, 1.0, -1.0])
def test_jensen_shannon_refuses_its_ends(beta):
    with pytest.raises(ConfigError, match=rf"beta must be in \(0, 1\), got {beta}"):
        jensen_shannon(torch.zeros(1, 2), torch.zeros(1, 2), beta=beta)


def test_reverse_kl_swaps_the_pair():
    a, b = torch.randn(2, 3, 4)
    torch.testing.assert_close(reverse_kl(a, b), forward_kl(b, a))


def test_soft_cross_entropy_has_the_gradients_of_forward_kl():
    student, teacher = torch.randn(2, 5, 7, dtype=torch.float64)
    grads = []
    for loss in (soft_cross_entropy, forward_kl):
        leaf = student.clone().requires_grad_()
        loss(leaf, teacher).sum().backward()
        grads.append(leaf.grad)
    torch.testing.assert_close(grads[0], grads[1], rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", DISTILLATION_LOSSES)
def test_gradients_are_right(name):
    teacher = torch.randn(3, 4, dtype=torch.float64)
    student = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s: distillation_loss(name, s, teacher, temperature=2.0), student)


@pytest.mark.parametrize("name", DISTILLATION_LOSSES)
def test_values_and_gradients_are_finite_for_extreme_logits(name):
    student = torch.tensor([[400.0, -400.0], [0.0, 0.0]], requires_grad=True)
    value = distillation_loss(name, student, torch.tensor([[-400.0, 400.0], [1e4, 0.0]]))
    value.sum().backward()
    assert torch.isfinite(value).all()
    assert torch.isfinite(student.grad).all()


@pytest.mark.parametrize("name", SECOND_ORDER)
def test_gradients_keep_their_size_as_the_temperature_grows(name):
    def gradient(temperature):
        logits = torch.tensor([[0.10, -0.20, 0.05]], dtype=torch.float64, requires_grad=True)
        teacher = torch.tensor([[-0.10, 0.30, 0.00]], dtype=torch.float64)
        distillation_loss(name, logits, teacher, temperature=temperature).sum().backward()
        return logits.grad

    torch.testing.assert_close(gradient(50.0), gradient(500.0), rtol=0.02, atol=0)


def test_temperature_has_no_effect_on_the_squared_error():
    student, teacher = torch.randn(2, 5, 3, dtype=torch.float64)
    plain = distillation_loss("mse", student, teacher, temperature=1.0)
    torch.testing.assert_close(distillation_loss("mse", student, teacher, temperature=7.0), plain)
    torch.testing.assert_close(plain, logit_mse(student, teacher))


@pytest.mark.parametrize("name", DISTILLATION_LOSSES)
def test_one_output_is_compared_by_squared_error(name):
    ours = distillation_loss(
        name, torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [2.0]]), temperature=4.0
    )
    torch.testing.assert_close(ours, torch.tensor([4.0, 0.0]))


@pytest.mark.parametrize("name", DISTILLATION_LOSSES)
def test_half_precision_logits_are_lifted(name):
    student, teacher = torch.randn(2, 5, 7).bfloat16()
    value = distillation_loss(name, student, teacher)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, distillation_loss(name, student.float(), teacher.float()))


def test_total_variation_of_a_hand_computed_pair():
    # teacher (3/4, 1/4), student (1/2, 1/2): half of 1/4 + 1/4
    teacher, student = torch.tensor([[math.log(3), 0.0]]), torch.zeros(1, 2)
    torch.testing.assert_close(total_variation(student, teacher), torch.tensor([0.25]))


def test_the_squared_error_of_probabilities_of_hand_computed_pairs():
    # (1/2, 1/2) against (3/4, 1/4): (1/16 + 1/16) / 2; (1/2, 1/4, 1/4) against (1/4, 1/4, 1/2): (1/16 + 1/16) / 3
    two = distillation_loss("mse_probabilities", torch.zeros(1, 2), torch.tensor([[math.log(3), 0.0]]))
    torch.testing.assert_close(two, torch.tensor([1 / 16]))
    student, teacher = torch.tensor([[2.0, 1.0, 1.0]]).log(), torch.tensor([[1.0, 1.0, 2.0]]).log()
    torch.testing.assert_close(
        distillation_loss("mse_probabilities", student, teacher), torch.tensor([1 / 24])
    )
    # at T = 2 logits (2 log 3, 0) are (3/4, 1/4), and the loss has the factor 4
    hot = distillation_loss(
        "mse_probabilities", torch.zeros(1, 2), torch.tensor([[2 * math.log(3), 0.0]]), temperature=2.0
    )
    torch.testing.assert_close(hot, torch.tensor([4 / 16]))


def test_the_squared_error_of_probabilities_has_a_shorter_gradient_than_that_of_logits():
    """With two classes a quarter of it at most, as the page of MixKD says."""
    ratios = []
    for gap in (1e-3, 1.0, 4.0):
        lengths = []
        for name in ("mse", "mse_probabilities"):
            leaf = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
            teacher = torch.tensor([[gap / 2, -gap / 2]], dtype=torch.float64)
            distillation_loss(name, leaf, teacher).sum().backward()
            lengths.append(float(leaf.grad.norm()))
        ratios.append(lengths[1] / lengths[0])
    assert ratios[0] == pytest.approx(0.25, rel=1e-4)
    assert all(ratio <= 0.25 for ratio in ratios)


@given(pair=logit_pairs())
@settings(deadline=None, max_examples=50)
def test_total_variation_is_symmetric_bounded_and_below_the_root_of_half_the_kl(pair):
    a, b = pair
    torch.testing.assert_close(total_variation(a, b), total_variation(b, a), atol=1e-12, rtol=0)
    assert (total_variation(a, b) <= 1 + 1e-12).all()
    assert (total_variation(a, b) <= (forward_kl(a, b) / 2).clamp(min=0).sqrt() + 1e-7).all()  # Pinsker


def test_the_gradient_of_total_variation_grows_with_the_temperature_under_its_square():
    teacher, grads = torch.tensor([[-0.1, 0.3, 0.0]], dtype=torch.float64), []
    for temperature in (100.0, 200.0):
        leaf = torch.tensor([[0.1, -0.2, 0.05]], dtype=torch.float64, requires_grad=True)
        distillation_loss("total_variation", leaf, teacher, temperature=temperature).sum().backward()
        grads.append(leaf.grad)
    torch.testing.assert_close(grads[1], 2 * grads[0], rtol=0.01, atol=0)


@pytest.mark.parametrize("skew", [0.1, 0.5, 0.9])
def test_skew_divergences_match_a_rewrite_in_numpy(skew):
    student, teacher = torch.randn(2, 5, 7, dtype=torch.float64)
    p, q = teacher.softmax(-1).numpy(), student.softmax(-1).numpy()
    forward = (p * np.log(p / (skew * p + (1 - skew) * q))).sum(-1)
    reverse = (q * np.log(q / ((1 - skew) * p + skew * q))).sum(-1)
    for ours, expected in (
        (skew_forward_kl(student, teacher, skew=skew), forward),
        (skew_reverse_kl(student, teacher, skew=skew), reverse),
    ):
        torch.testing.assert_close(ours, torch.from_numpy(expected), rtol=1e-10, atol=0)


@given(pair=logit_pairs(), skew=st.floats(0.05, 0.95))
@settings(deadline=None, max_examples=50)
def test_skew_divergences_are_bounded_and_below_the_plain_ones(pair, skew):
    student, teacher = pair
    for skewed, plain in ((skew_forward_kl, forward_kl), (skew_reverse_kl, reverse_kl)):
        value = skewed(student, teacher, skew=skew)
        assert (value <= -math.log(skew) + 1e-12).all()
        assert (value <= (1 - skew) * plain(student, teacher) + 1e-10).all()  # convexity


@pytest.mark.parametrize("skew", [0.0, 1.0, 2.0])
def test_skew_divergences_refuse_their_ends(skew):
    with pytest.raises(ConfigError, match=rf"skew must be in \(0, 1\), got {skew}"):
        skew_reverse_kl(torch.zeros(1, 2), torch.zeros(1, 2), skew=skew)
    with pytest.raises(ConfigError, match=rf"skew must be in \(0, 1\), got {skew}"):
        divergence_named("skew_forward_kl", skew=skew)


def test_a_named_divergence_has_its_setting_and_no_other():
    student, teacher = torch.randn(2, 5, 7)
    for name, plain in DIVERGENCES.items():
        ours = divergence_named(name, beta=0.2, skew=0.3)(student, teacher)
        settings = {
            "jensen_shannon": {"beta": 0.2},
            "skew_forward_kl": {"skew": 0.3},
            "skew_reverse_kl": {"skew": 0.3},
        }
        assert torch.equal(ours, plain(student, teacher, **settings.get(name, {})))


def test_an_unknown_divergence_is_named_with_its_nearest():
    with pytest.raises(
        UnknownNameError, match=r"no divergence is called 'forward_k'\. Did you mean 'forward_kl'"
    ):
        divergence_named("forward_k")
