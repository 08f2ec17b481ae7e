import torch
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.objectives.reduction import log_probs, masked_sum


@given(keep=st.lists(st.booleans(), min_size=1, max_size=8))
def test_a_mask_is_a_slice(keep):
    values, scored = torch.arange(1.0, len(keep) + 1), torch.tensor(keep)
    torch.testing.assert_close(masked_sum(values, scored), values[scored].sum())


def test_what_is_not_scored_gets_no_gradient_not_even_nan():
    values = torch.tensor([2.0, 0.0], requires_grad=True)
    masked_sum(values / values, torch.tensor([True, False])).backward()
    assert values.grad is not None
    assert values.grad[0] == 0


def test_log_probs_keep_float64_and_lift_bfloat16():
    assert log_probs(torch.zeros(2, dtype=torch.float64)).dtype == torch.float64
    assert log_probs(torch.zeros(2, dtype=torch.bfloat16)).dtype == torch.float32
