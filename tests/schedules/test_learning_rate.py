import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.schedules.learning_rate import SHAPES, lr_multiplier


@pytest.mark.parametrize("shape", SHAPES)
@given(total=st.integers(1, 200), warmup=st.floats(0, 0.9))
def test_the_rate_rises_reaches_one_and_never_rises_again(shape, total, warmup):
    rates = [lr_multiplier(step, total=total, warmup=warmup, shape=shape) for step in range(total)]
    top = rates.index(max(rates))
    assert rates[top] == 1.0
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert min(rates) > 0


def test_linear_decay_of_hand_numbers():
    assert [lr_multiplier(s, total=10, warmup=0.2, shape="linear") for s in (0, 1, 2, 6, 9)] == pytest.approx(
        [0.5, 1, 1, 0.5, 0.125]
    )


def test_cosine_is_half_way_down_in_the_middle():
    assert lr_multiplier(5, total=10, warmup=0.0, shape="cosine") == pytest.approx(0.5)
