import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.objectives.hidden_states import last_map, skip_map, state_distance, token_distance, uniform_map


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


def test_token_distance_of_hand_numbers_leaves_padding_out():
    # tokens: (1, 2) against (0, 0) is (1 + 4) / 2 = 2.5; (3, 0) against (0, 0) is 4.5; the padding differs by 100
    student = torch.tensor([[[1.0, 2.0], [3.0, 0.0], [100.0, 100.0]]])
    teacher = torch.zeros(1, 3, 2)
    found = token_distance(student, teacher, torch.tensor([[1, 1, 0]]))
    torch.testing.assert_close(found, torch.tensor([3.5]))
    torch.testing.assert_close(
        token_distance(student, teacher, torch.tensor([[0, 1, 0]])), torch.tensor([4.5])
    )


@given(seed=st.integers(0, 999), real=st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_token_distance_is_that_of_each_text_alone_and_its_padding_gets_no_gradient(seed, real):
    g = torch.Generator().manual_seed(seed)
    student, teacher = torch.randn(2, len(real), 5, 3, generator=g, dtype=torch.float64)
    mask = (torch.arange(5)[None] < torch.tensor(real)[:, None]).long()
    leaf = student.clone().requires_grad_()
    found = token_distance(leaf, teacher, mask)
    for row, length in enumerate(real):
        expected = (student[row, :length] - teacher[row, :length]).square().mean()
        torch.testing.assert_close(found[row].detach(), expected)
    (gradient,) = torch.autograd.grad(found.sum(), leaf)
    assert torch.equal((gradient != 0).any(-1), mask == 1)


@given(states=st.integers(2, 13), student=st.integers(1, 12), teacher=st.integers(1, 12))
def test_uniform_maps_go_from_the_embeddings_to_the_last_layers(states, student, teacher):
    pairs = uniform_map(states, student, teacher)
    assert pairs[0] == (0, 0)
    assert pairs[-1] == (student, teacher)
    assert pairs == tuple(sorted(set(pairs)))
    assert len(pairs) == min(states, student + 1, teacher + 1)
