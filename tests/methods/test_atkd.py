"""ATKD over the micro-batches of a step, against the released code's arithmetic in Python floats."""

import pytest
import torch

from lmdistill.core.batch import Batch, Inputs
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.optimizer_step import make_learner
from lmdistill.engine.training_settings import Optimizer
from lmdistill.methods import ATKD
from tests.engine.corpus import course
from tests.objectives.reference_losses import released_atkd_by_loops
from tests.tiny_causal import VOCABULARY, tiny_language

LENGTHS = (4, 9, 30, 60)
"""Scored tokens of the micro-batches of one step."""


def passage(count, seed):
    """A micro-batch of one text with so many scored tokens behind a prompt of one token."""
    ids = torch.randint(4, VOCABULARY, (1, count + 2), generator=torch.Generator().manual_seed(seed))
    scored = torch.ones_like(ids, dtype=torch.bool)
    scored[:, 0] = scored[:, -1] = False
    labels = torch.where(scored, ids.roll(-1, dims=1), -100)
    return Batch(inputs=Inputs(ids=ids, mask=torch.ones_like(ids)), labels=labels, scored=scored, count=count)


def step(method, student, teacher, window):
    """The loss of a step in the engine; the gradient is left in the student."""
    training = course(optimizer=Optimizer(clip=0.0))
    learner = make_learner(
        method, student, teacher, training=training, accelerator=make_accelerator(training)
    )
    return learner.gradients(window).loss


@pytest.fixture
def student():
    return tiny_language(layers=1, seed=1)


@pytest.fixture
def teacher():
    return tiny_language(layers=2, seed=2)


@pytest.fixture
def window():
    return [passage(count, seed) for seed, count in enumerate(LENGTHS)]


def logits_of(network, batch):
    found = network.model(input_ids=batch.inputs.ids, attention_mask=batch.inputs.mask).logits
    return found[batch.scored].detach().double()


def means(student, teacher, window, reverse=False):
    """The released loss of each micro-batch."""
    return [
        released_atkd_by_loops(
            logits_of(student, one), logits_of(teacher, one), one.labels[one.scored], reverse=reverse
        )
        for one in window
    ]


@pytest.mark.parametrize("reverse", [False, True])
def test_released_is_the_mean_of_the_means_of_micro_batches(student, teacher, window, reverse):
    expected = means(student, teacher, window, reverse)
    divergence = "reverse_kl" if reverse else "forward_kl"
    found = step(ATKD(scope="released", divergence=divergence), student, teacher, window)
    assert found == pytest.approx(sum(expected) / len(expected), rel=1e-4)
    weighted = sum(n * one for n, one in zip(LENGTHS, expected, strict=True)) / sum(LENGTHS)
    assert abs(weighted / found - 1) > 0.01  # weights by tokens are another loss


def test_the_gradient_of_released_gives_every_micro_batch_the_same_weight(student, teacher, window):
    method, wanted = ATKD(scope="released"), None
    for batch in window:
        (loss,) = [sum(method.losses(student, teacher, batch).values()) / batch.count]
        found = torch.autograd.grad(loss, list(student.parameters()))
        wanted = found if wanted is None else [a + b for a, b in zip(wanted, found, strict=True)]
    step(method, student, teacher, window)
    for parameter, gradient in zip(student.parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter.grad, gradient / len(window), rtol=1e-4, atol=1e-6)


def test_an_empty_micro_batch_has_no_share(student, teacher, window):
    method = ATKD(scope="released")
    learner = make_learner(
        method, student, teacher, training=course(), accelerator=make_accelerator(course())
    )
    weighed, count = learner._weighed([*window, passage(0, 9)])
    shares = [float(one.equal_share) * one.count / float(count) for one in weighed]
    assert shares == pytest.approx([0.25, 0.25, 0.25, 0.25, 0.0])


def test_one_micro_batch_alone_needs_no_engine(student, teacher, window):
    batch = window[1]
    found = sum(ATKD(scope="released").losses(student, teacher, batch).values()).item() / batch.count
    assert found == pytest.approx(means(student, teacher, [batch])[0], rel=1e-4)
