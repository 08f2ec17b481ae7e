import torch
from torch.nn import functional

from lmdistill.objectives.supervised import cross_entropy, label_loss, mixed_label_loss, squared_error


def test_cross_entropy_matches_torch_over_any_positions():
    logits, labels = torch.randn(2, 3, 5), torch.randint(5, (2, 3))
    expected = functional.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
    torch.testing.assert_close(cross_entropy(logits, labels), expected)


def test_squared_error_of_hand_numbers():
    torch.testing.assert_close(
        squared_error(torch.tensor([[1.0], [4.0]]), torch.tensor([3.0, 4.0])), torch.tensor([4.0, 0.0])
    )


def test_the_kind_of_the_labels_decides():
    torch.testing.assert_close(label_loss(torch.tensor([[2.0]]), torch.tensor([0.0])), torch.tensor([4.0]))
    torch.testing.assert_close(label_loss(torch.zeros(1, 2), torch.tensor([0])), torch.tensor([2.0]).log())


def test_mixed_labels_equal_the_cross_entropy_of_a_mixed_one_hot():
    logits = torch.randn(6, 4, dtype=torch.float64)
    first, second, share = torch.randint(4, (6,)), torch.randint(4, (6,)), torch.rand(6, dtype=torch.float64)
    target = share[:, None] * functional.one_hot(first, 4) + (1 - share)[:, None] * functional.one_hot(
        second, 4
    )
    expected = functional.cross_entropy(logits, target, reduction="none")
    torch.testing.assert_close(mixed_label_loss(logits, first, second, share), expected, rtol=1e-12, atol=0)


def test_mixed_scores_are_interpolated():
    # scores 5 and 1 at share 3/4 make 4; the output 2 is 2 away
    loss = mixed_label_loss(
        torch.tensor([[2.0]]), torch.tensor([5.0]), torch.tensor([1.0]), torch.tensor([0.75])
    )
    torch.testing.assert_close(loss, torch.tensor([4.0]))


def test_share_one_is_the_plain_loss():
    logits, first, second = torch.randn(6, 4), torch.randint(4, (6,)), torch.randint(4, (6,))
    torch.testing.assert_close(
        mixed_label_loss(logits, first, second, torch.ones(6)), cross_entropy(logits, first)
    )
