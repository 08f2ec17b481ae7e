"""Losses of several labels a text: Bernoulli references in float64, Hugging Face's loss, and laws."""

import numpy as np
import pytest
import torch
from torch.nn import BCEWithLogitsLoss
from torch.testing import assert_close

from lmdistill.objectives.divergence import DISTILLATION_LOSSES, distillation_loss
from lmdistill.objectives.multi_label import label_distillation_loss, output_loss
from lmdistill.objectives.supervised import binary_cross_entropy, label_loss, mixed_label_loss

DISTANCES = ("forward_kl", "reverse_kl", "jensen_shannon", "mse", "mse_probabilities", "soft_cross_entropy")
"""Losses that methods offer."""


def logits(seed, size=6, labels=4):
    return torch.randn(size, labels, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 3


def bernoulli(name, student, teacher):
    """The loss between two Bernoulli distributions with these logits, from their definition."""
    p, q = 1 / (1 + np.exp(-teacher)), 1 / (1 + np.exp(-student))

    def kl(a, b):
        return a * np.log(a / b) + (1 - a) * np.log((1 - a) / (1 - b))

    m = (p + q) / 2
    return {
        "forward_kl": kl(p, q),
        "reverse_kl": kl(q, p),
        "jensen_shannon": (kl(p, m) + kl(q, m)) / 2,
        "mse": (student - teacher) ** 2,
        "mse_probabilities": (p - q) ** 2,
        "soft_cross_entropy": -(p * np.log(q) + (1 - p) * np.log(1 - q)),
        "total_variation": abs(p - q),
        "skew_forward_kl": kl(p, 0.1 * p + 0.9 * q),
        "skew_reverse_kl": kl(q, 0.9 * p + 0.1 * q),
    }[name]


@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("name", DISTILLATION_LOSSES)
def test_it_is_the_mean_over_labels_of_the_divergence_of_bernoulli_distributions(name, temperature):
    student, teacher = logits(0), logits(1)
    found = label_distillation_loss(name, student, teacher, temperature=temperature)
    scaled = (values.numpy() / temperature for values in (student, teacher))
    expected = temperature**2 * bernoulli(name, *scaled).mean(axis=1)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-10)


@pytest.mark.parametrize("name", sorted({*DISTILLATION_LOSSES} - {"soft_cross_entropy"}))
def test_it_is_0_for_a_student_that_equals_its_teacher(name):
    same = logits(2)
    assert_close(label_distillation_loss(name, same, same), torch.zeros(6, dtype=torch.float64))


@pytest.mark.parametrize("name", DISTANCES)
def test_the_order_of_labels_does_not_matter_and_each_label_counts_alone(name):
    student, teacher, order = logits(3), logits(4), [2, 0, 3, 1]
    whole = label_distillation_loss(name, student, teacher, temperature=2.0)
    assert_close(label_distillation_loss(name, student[:, order], teacher[:, order], temperature=2.0), whole)
    single = [
        label_distillation_loss(name, student[:, [at]], teacher[:, [at]], temperature=2.0) for at in range(4)
    ]
    assert_close(torch.stack(single).mean(0), whole)


@pytest.mark.parametrize("name", DISTILLATION_LOSSES)
def test_the_gradient_is_right_and_only_the_student_gets_one(name):
    student = logits(5).requires_grad_()
    teacher = logits(6)
    assert torch.autograd.gradcheck(
        lambda x: label_distillation_loss(name, x, teacher, temperature=1.5).sum(), (student,)
    )


def test_it_differs_from_a_softmax_over_the_labels():
    student, teacher = logits(7), logits(8)
    one = output_loss("forward_kl", student, teacher, temperature=1.0, multi_label=False)
    several = output_loss("forward_kl", student, teacher, temperature=1.0, multi_label=True)
    assert_close(one, distillation_loss("forward_kl", student, teacher))
    assert (one - several).abs().min() > 1e-3


def test_the_label_loss_is_that_of_hugging_face_and_by_hand():
    rows = (logits(9) > 0).long()
    values = logits(10)
    assert_close(label_loss(values, rows).mean(), BCEWithLogitsLoss()(values, rows.double()))
    by_hand = binary_cross_entropy(torch.tensor([[np.log(3.0), 0.0]]), torch.tensor([[1, 0]]))
    assert_close(by_hand, torch.tensor([(np.log(4 / 3) + np.log(2)) / 2]))


def test_mixup_of_label_rows_is_the_loss_of_mixed_rows_and_linear():
    first, second, values = (logits(11) > 0).long(), (logits(12) > 0).long(), logits(13)
    share = torch.rand(6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = mixed_label_loss(values, first, second, share)
    apart = share * label_loss(values, first) + (1 - share) * label_loss(values, second)
    assert_close(found, apart)
    assert_close(mixed_label_loss(values, first, second, torch.ones_like(share)), label_loss(values, first))


def test_half_precision_is_computed_in_float32():
    values, rows = logits(14).to(torch.bfloat16), (logits(15) > 0).long()
    assert label_loss(values, rows).dtype == torch.float32
    assert label_distillation_loss("forward_kl", values, values).dtype == torch.float32
