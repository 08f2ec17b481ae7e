import math
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.objectives.decoupled import decouple, log_uncertainty, non_target, two_way
from lmdistill.objectives.divergence import DIVERGENCES, divergence_named, forward_kl, reverse_kl
from tests.objectives.reference_losses import decoupled_by_loops


@st.composite
def cases(draw, low=2, high=7):
    rows, cols = draw(st.integers(1, 4)), draw(st.integers(low, high))
    flat = draw(st.lists(st.floats(-8, 8), min_size=2 * rows * cols, max_size=2 * rows * cols))
    labels = draw(st.lists(st.integers(0, cols - 1), min_size=rows, max_size=rows))
    student, teacher = torch.tensor(flat, dtype=torch.float64).view(2, rows, cols)
    return student, teacher, torch.tensor(labels)


def confident(log_odds, size=5):
    """Logits whose target, entry 1, has these log-odds against all others."""
    logits = torch.linspace(0, 1, size, dtype=torch.float64)[None]
    others = non_target(logits, torch.tensor([1])).logsumexp(-1)
    logits[:, 1] = others + log_odds
    return logits


@given(case=cases())
def test_forward_kl_is_target_plus_uncertainty_times_diversity(case):
    student, teacher, labels = case
    parts = decouple(forward_kl, student, teacher, labels)
    whole = parts.target + parts.uncertainty * parts.diversity
    torch.testing.assert_close(whole, forward_kl(student, teacher), rtol=0, atol=1e-10)


@given(case=cases())
def test_reverse_kl_comes_apart_with_the_students_uncertainty(case):
    student, teacher, labels = case
    parts = decouple(reverse_kl, student, teacher, labels)
    share = log_uncertainty(two_way(student, labels)).exp()
    whole = parts.target + share * parts.diversity
    torch.testing.assert_close(whole, reverse_kl(student, teacher), rtol=0, atol=1e-10)


@pytest.mark.parametrize("log_p", [math.log1p(-1e-12), math.log(1e-30)])
def test_the_identity_holds_for_the_surest_teacher(log_p):
    log_odds = log_p - math.log(-math.expm1(log_p))
    teacher, student = confident(log_odds), torch.randn(1, 5, dtype=torch.float64)
    parts = decouple(forward_kl, student, teacher, torch.tensor([1]))
    whole = parts.target + parts.uncertainty * parts.diversity
    torch.testing.assert_close(whole, forward_kl(student, teacher), rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", DIVERGENCES)
@given(case=cases(), shift=st.floats(-5, 5))
def test_every_part_is_a_divergence_and_blind_to_a_shift(name, case, shift):
    student, teacher, labels = case
    parts = decouple(DIVERGENCES[name], student, teacher, labels)
    moved = decouple(DIVERGENCES[name], student + shift, teacher - shift, labels)
    same = decouple(DIVERGENCES[name], teacher, teacher, labels)
    for part in ("target", "diversity"):
        assert (getattr(parts, part) >= -1e-12).all()
        torch.testing.assert_close(getattr(moved, part), getattr(parts, part), rtol=0, atol=1e-9)
        torch.testing.assert_close(getattr(same, part), torch.zeros_like(same.target), rtol=0, atol=1e-12)
    torch.testing.assert_close(moved.log_uncertainty, parts.log_uncertainty, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", DIVERGENCES)
@given(case=cases(low=2, high=2))
def test_a_vocabulary_of_two_has_no_diversity_and_all_in_its_target(name, case):
    student, teacher, labels = case
    parts = decouple(DIVERGENCES[name], student, teacher, labels)
    torch.testing.assert_close(parts.diversity, torch.zeros_like(parts.diversity), rtol=0, atol=1e-12)
    torch.testing.assert_close(parts.target, DIVERGENCES[name](student, teacher), rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_diversity_does_not_see_the_target_and_target_not_how_the_others_share(name):
    student, teacher = torch.randn(2, 3, 6, dtype=torch.float64)
    student[:, 1], student[:, 2], teacher[:, 1], teacher[:, 2] = 1.0, -1.0, 2.0, -2.0
    labels = torch.tensor([0, 3, 5])
    before = decouple(DIVERGENCES[name], student, teacher, labels)
    louder = student.scatter(-1, labels[:, None], 9.0)
    assert torch.equal(decouple(DIVERGENCES[name], louder, teacher, labels).diversity, before.diversity)
    swapped = student.clone()
    swapped[:, [1, 2]] = student[:, [2, 1]]
    after = decouple(DIVERGENCES[name], swapped, teacher, labels)
    torch.testing.assert_close(after.target, before.target, rtol=0, atol=1e-12)
    assert not torch.allclose(after.diversity, before.diversity)


@pytest.mark.parametrize("name", DIVERGENCES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("log_odds", [math.log(1e12), -math.log(1e30), 400.0, -400.0])
def test_extreme_targets_give_finite_values_and_gradients(name, dtype, log_odds):
    sure = confident(log_odds).to(dtype)
    for student, teacher in (
        (sure, torch.zeros_like(sure)),
        (torch.zeros_like(sure), sure),
        (sure, confident(-log_odds).to(dtype)),
    ):
        leaf = student.clone().requires_grad_()
        parts = decouple(DIVERGENCES[name], leaf, teacher, torch.tensor([1]))
        (parts.target + parts.diversity).sum().backward()
        assert torch.isfinite(parts.target).all()
        assert torch.isfinite(parts.diversity).all()
        assert torch.isfinite(parts.log_uncertainty).all()
        assert torch.isfinite(leaf.grad).all()


def test_uncertainty_has_no_ties_where_probabilities_have():
    logits = torch.tensor([[40.0, 0.0, 0.0], [41.0, 0.0, 0.0]])
    labels = torch.zeros(2, dtype=torch.long)
    found = decouple(forward_kl, logits, logits, labels).log_uncertainty
    assert (1 - logits.softmax(-1)[:, 0] == 0).all()
    torch.testing.assert_close(found, torch.tensor([math.log(2) - 40, math.log(2) - 41]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_uncertainty_is_exact_near_one_and_near_zero(dtype):
    for log_odds in (27.6, -69.1, 0.0):
        expected = -math.log1p(math.exp(log_odds))
        found = log_uncertainty(two_way(confident(log_odds).to(dtype), torch.tensor([1])))
        torch.testing.assert_close(found, torch.tensor([expected], dtype=dtype))


@pytest.mark.parametrize("name", DIVERGENCES)
def test_gradients_are_right(name):
    divergence, labels = divergence_named(name, beta=0.3, skew=0.2), torch.tensor([0, 2, 1])
    student, teacher = torch.randn(2, 3, 4, dtype=torch.float64)

    def both(leaf):
        parts = decouple(divergence, leaf, teacher, labels)
        return parts.target, parts.diversity

    assert torch.autograd.gradcheck(both, student.requires_grad_())


@pytest.mark.parametrize("reverse", [False, True])
def test_it_matches_loops_over_the_formulas(reverse):
    student, teacher = torch.randn(2, 6, 9, dtype=torch.float64)
    labels = torch.randint(9, (6,))
    parts = decouple(reverse_kl if reverse else forward_kl, student, teacher, labels)
    expected = decoupled_by_loops(student, teacher, labels, reverse=reverse)
    for ours, theirs in zip((parts.target, parts.diversity, parts.uncertainty), expected, strict=True):
        torch.testing.assert_close(ours, torch.tensor(theirs, dtype=torch.float64), rtol=1e-9, atol=1e-12)


def test_half_precision_is_lifted_and_position_axes_are_free():
    student, teacher = torch.randn(2, 2, 3, 5).bfloat16()
    labels = torch.randint(5, (2, 3))
    parts = decouple(partial(DIVERGENCES["jensen_shannon"], beta=0.2), student, teacher, labels)
    assert parts.target.shape == parts.diversity.shape == parts.log_uncertainty.shape == (2, 3)
    assert parts.target.dtype == torch.float32
