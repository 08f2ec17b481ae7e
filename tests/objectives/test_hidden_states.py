import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.objectives.hidden_states import last_map, skip_map, state_distance


def test_state_distance_of_hand_numbers():
    # (3, 4) has length 5: (0.6, 0.8) against (1, 0): (0.16 + 0.64) / 2 = 0.4
    student, teacher = torch.tensor([[3.0, 4.0]]), torch.tensor([[2.0, 0.0]])
    torch.testing.assert_close(state_distance(student, teacher), torch.tensor([0.4]))
    torch.testing.assert_close(
        state_distance(student, teacher, normalised=False), torch.tensor([(1 + 16) / 2])
    )


def test_normalised_distance_is_blind_to_length_and_bounded():
    student, teacher = torch.randn(2, 5, 8, dtype=torch.float64)
    torch.testing.assert_close(state_distance(3 * student, teacher), state_distance(student, teacher))
    assert (state_distance(student, teacher) <= 4 / 8).all()


@pytest.mark.parametrize("chosen", [skip_map, last_map])
@given(student=st.integers(1, 12), extra=st.integers(0, 12))
def test_maps_pair_every_layer_below_the_last_with_a_layer_at_least_as_high(chosen, student, extra):
    pairs = chosen(student, student + extra)
    assert [ours for ours, _ in pairs] == list(range(1, student))
    theirs = [layer for _, layer in pairs]
    assert theirs == sorted(set(theirs))
    assert all(ours <= layer < student + extra for ours, layer in pairs)
