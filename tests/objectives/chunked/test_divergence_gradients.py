import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.errors import ConfigError, UnknownNameError
from lmdistill.objectives.chunked.divergence_gradients import value_and_grad_of
from lmdistill.objectives.decoupled import non_target
from lmdistill.objectives.divergence import DIVERGENCES, divergence_named

SETTINGS = {"beta": 0.3, "skew": 0.2}


def both(name, student, teacher):
    """Value and gradient, closed and by autograd."""
    ours = student.log_softmax(-1)
    closed = value_and_grad_of(name, **SETTINGS)(ours, teacher.log_softmax(-1), ours.exp())
    leaf = student.clone().requires_grad_()
    value = divergence_named(name, **SETTINGS)(leaf, teacher)
    (gradient,) = torch.autograd.grad(value.sum(), leaf)
    return closed, (value.detach(), gradient)


@pytest.mark.parametrize("name", DIVERGENCES)
@given(scale=st.floats(0.01, 8), seed=st.integers(0, 10**6), size=st.integers(2, 9))
def test_closed_forms_are_what_autograd_says(name, scale, seed, size):
    student, teacher = torch.randn(
        2, 3, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )
    closed, expected = both(name, scale * student, scale * teacher)
    for ours, theirs in zip(closed, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_gradients_sum_to_nothing_and_leave_the_arguments_alone(name):
    ours, theirs = torch.randn(2, 4, 7, dtype=torch.float64).log_softmax(-1)
    probs = ours.exp()
    before = [tensor.clone() for tensor in (ours, theirs, probs)]
    _, gradient = value_and_grad_of(name)(ours, theirs, probs)
    torch.testing.assert_close(gradient.sum(-1), torch.zeros(4, dtype=torch.float64), rtol=0, atol=1e-14)
    assert all(torch.equal(*pair) for pair in zip((ours, theirs, probs), before, strict=True))
    assert all(gradient.data_ptr() != tensor.data_ptr() for tensor in (ours, theirs, probs))


@pytest.mark.parametrize("name", DIVERGENCES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_entry_at_the_floor_gets_nothing_and_harms_nothing(name, dtype):
    student, teacher = torch.randn(2, 4, 7, dtype=dtype)
    labels = torch.tensor([0, 6, 3, 3])
    closed, expected = both(name, non_target(student, labels), non_target(teacher, labels))
    assert (closed[1].gather(-1, labels[:, None]) == 0).all()
    for ours, theirs in zip(closed, expected, strict=True):
        assert torch.isfinite(ours).all()
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_extreme_logits_give_finite_gradients(name):
    closed, _ = both(
        name, torch.tensor([[400.0, -400.0], [0.0, 0.0]]), torch.tensor([[-400.0, 400.0], [1e4, 0.0]])
    )
    assert all(torch.isfinite(found).all() for found in closed)


def test_a_divergence_of_ones_own_goes_through_autograd():
    def squared(student, teacher):
        return (student.softmax(-1) - teacher.softmax(-1)).square().sum(-1)

    student, teacher = torch.randn(2, 3, 5, dtype=torch.float64)
    ours = student.log_softmax(-1)
    with torch.no_grad():
        value, gradient = value_and_grad_of(squared)(ours, teacher.log_softmax(-1), ours.exp())
    leaf = student.clone().requires_grad_()
    expected = squared(leaf, teacher)
    torch.testing.assert_close(value, expected.detach())
    torch.testing.assert_close(gradient, torch.autograd.grad(expected.sum(), leaf)[0])
    assert not value.requires_grad
    assert not gradient.requires_grad


def test_settings_and_names_are_checked():
    with pytest.raises(UnknownNameError, match="no divergence is called 'mse'"):
        value_and_grad_of("mse")
    with pytest.raises(ConfigError, match=r"beta must be in \(0, 1\), got 1.0"):
        value_and_grad_of("jensen_shannon", beta=1.0)
    with pytest.raises(ConfigError, match=r"skew must be in \(0, 1\), got 0.0"):
        value_and_grad_of("skew_reverse_kl", skew=0.0)
