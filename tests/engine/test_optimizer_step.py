import math
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from lmdistill.core.errors import DivergedError
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.optimizer_step import StepLoss, make_learner, require_finite
from lmdistill.engine.training_settings import Optimizer
from lmdistill.methods import KD, FineTune
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


def test_a_teacher_answers_without_dropout_whatever_mode_it_comes_in():
    losses = []
    for mode in (True, False):
        teacher, student, training = tiny(layers=4, seed=1, dropout=0.5).train(mode), tiny(seed=2), course()
        learner = make_learner(
            KD(), student, teacher, training=training, accelerator=make_accelerator(training)
        )
        losses += [learner.gradients(window_of(accumulate)).parts["teacher"] for accumulate in (1, 3)]
        assert learner.network.training
        assert not any(module.training for module in teacher.modules())
    assert losses == pytest.approx([losses[0]] * 4, rel=1e-5)


def test_an_infinite_divergence_is_refused_with_what_makes_it_finite():
    """A teacher that gives probability to an output which the student masks."""
    student, teacher, training = tiny(seed=2), tiny(layers=4, seed=1), course()
    with torch.no_grad():
        student.model.classifier.bias[1] = -math.inf
    learner = make_learner(
        KD(alpha=1.0), student, teacher, training=training, accelerator=make_accelerator(training)
    )
    terms = learner.gradients(window_of(1))
    assert terms.parts["teacher"] == math.inf
    with pytest.raises(DivergedError, match=r"only one network masks .*: mask it in both, or use jensen_sha"):
        require_finite(terms, 1, window_of(1))
    other = make_learner(
        KD(alpha=1.0, divergence="jensen_shannon"), student, teacher, training=training,
        accelerator=make_accelerator(training),
    )  # fmt: skip
    terms = other.gradients([replace(batch, labels=batch.labels * 0) for batch in window_of(1)])
    require_finite(terms, 1, window_of(1))
