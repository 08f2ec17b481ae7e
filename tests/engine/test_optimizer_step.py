import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.optimizer_step import StepLoss, make_learner
from lmdistill.engine.training_settings import Optimizer
from lmdistill.methods import FineTune
from tests.engine.corpus import course, feed
from tests.tiny import tiny


def learner_of(student, **changes):
    training = course(**changes)
    return make_learner(FineTune(), student, None, training=training, accelerator=make_accelerator(training))


def window_of(accumulate):
    """The first step of the run, in so many micro-batches."""
    loader = feed(FineTune(), course(accumulate=accumulate)).loader(start=0, processes=1, process=0)
    return next(iter(loader))


@pytest.mark.parametrize("accumulate", [1, 3, 8])
def test_the_gradient_is_that_of_the_mean_loss(accumulate):
    student, (batch,) = tiny(seed=2), window_of(1)
    loss = cross_entropy(student(batch.inputs).logits, batch.labels)
    wanted = torch.autograd.grad(loss, list(student.parameters()))
    learner = learner_of(student, optimizer=Optimizer(clip=0.0))
    terms = learner.gradients(window_of(accumulate))
    for parameter, gradient in zip(student.parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-6)
    assert terms.loss == pytest.approx(float(loss.detach()), rel=1e-5)
    assert terms.norm == pytest.approx(math.hypot(*(float(value.norm()) for value in wanted)), rel=1e-4)
    assert terms.count == len(batch.labels)


def test_a_long_gradient_is_cut_to_the_limit_and_a_short_one_left():
    for clip, length in ((0.25, 0.25), (1e6, None)):
        student = tiny(seed=2)
        terms = learner_of(student, optimizer=Optimizer(clip=clip)).gradients(window_of(2))
        found = math.hypot(*(float(p.grad.norm()) for p in student.parameters()))
        assert found == pytest.approx(length or terms.norm, rel=1e-4)
        assert terms.norm > 0.25


def test_an_update_moves_by_the_rate_and_forgets_the_gradient():
    student = tiny(seed=2)
    before = student.model.classifier.weight.detach().clone()
    learner = learner_of(student, optimizer=Optimizer(weight_decay=0.0))
    learner.gradients(window_of(1))
    learner.update(1e-3)
    moved = (student.model.classifier.weight.detach() - before).abs()
    torch.testing.assert_close(moved, torch.full_like(moved, 1e-3), rtol=1e-2, atol=0)  # Adam's first step
    assert all(p.grad is None or p.grad.count_nonzero() == 0 for p in student.parameters())


def test_a_wrapped_student_still_says_what_it_is():
    """Methods may ask the student for its depth or its labels in the middle of a step."""
    student, training = tiny(seed=2), course()
    accelerator = make_accelerator(training)
    accelerator.prepare = lambda network, optimizer: (torch.nn.ModuleList([network]), optimizer)
    learner = make_learner(FineTune(), student, None, training=training, accelerator=accelerator)
    for name in ("num_layers", "num_classes", "width", "labels"):
        assert getattr(learner.forward, name) == getattr(student, name)


def test_terms_know_which_of_them_is_no_number():
    terms = StepLoss(parts={"a": math.inf, "b": 1.0, "c": math.nan}, count=2, norm=math.nan)
    assert terms.not_finite == ["a", "c", "gradient norm"]
    assert StepLoss(parts={"a": 1.0, "b": 2.0}, count=2, norm=3.0).not_finite == []
    assert StepLoss(parts={"a": 0.1, "b": 0.2, "c": 0.3}, count=2, norm=3.0).loss == 0.6
