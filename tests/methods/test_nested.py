import dataclasses

import pytest
import torch
from torch import nn

from lmdistill.core.batch import LMHead
from lmdistill.core.errors import ConfigError, MismatchError
from lmdistill.core.protocols import Method, MultiBackwardMethod
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.optimizer_step import make_learner
from lmdistill.methods import ATKD, CLASSIFIER_METHODS, KD, MixKD, TokenKD
from lmdistill.methods.nested import Nested
from tests.engine.corpus import course
from tests.tiny import make_batch
from tests.tiny_causal import language_batch, tiny_language

KEPT = (0.5, 0.25, 1.0)


class Dimmed(nn.Module):
    """A network whose candidates are it with weaker outputs: enough to tell them apart."""

    def __init__(self, network):
        super().__init__()
        self.network, self.seen, self.backward_passes = network, [], []
        for name in ("num_layers", "num_classes", "width", "labels", "vocabulary"):
            if hasattr(network, name):
                setattr(self, name, getattr(network, name))

    def forward(self, inputs, *, kept=1.0, backward_pass=None, **asked):
        self.seen.append(kept)
        self.backward_passes.append(backward_pass)
        if "head_fn" in asked:
            head_fn = asked.pop("head_fn")
            return self.network(
                inputs,
                head_fn=lambda states, head: head_fn(states, LMHead(weight=head.weight * kept)),
                **asked,
            )
        found = self.network(inputs, **asked)
        return dataclasses.replace(found, logits=found.logits * kept)


class Fixed:
    """One candidate, as a network of its own."""

    def __init__(self, whole, kept):
        self.whole, self.kept = whole, kept

    def __getattr__(self, name):
        return getattr(self.whole, name)

    def __call__(self, *args, **asked):
        return self.whole(*args, kept=self.kept, **asked)


class Counted:
    """A teacher that counts how often it runs."""

    def __init__(self, teacher):
        self.teacher, self.runs = teacher, 0

    def __getattr__(self, name):
        return getattr(self.teacher, name)

    def __call__(self, *args, **asked):
        self.runs += 1
        return self.teacher(*args, **asked)


@pytest.mark.parametrize("cls", CLASSIFIER_METHODS.values(), ids=CLASSIFIER_METHODS)
def test_the_objective_is_the_mean_of_the_candidates(cls, student, teacher, batch):
    whole, method = Dimmed(student), cls()
    found = Nested(method=method, kept=KEPT).losses(whole, teacher, batch)
    for name, value in found.items():
        alone = [method.losses(Fixed(whole, kept), teacher, batch)[name] for kept in KEPT]
        torch.testing.assert_close(value, torch.stack(alone).mean())


@pytest.mark.parametrize("cls", CLASSIFIER_METHODS.values(), ids=CLASSIFIER_METHODS)
def test_the_teacher_runs_as_often_as_for_one_candidate(cls, student, teacher, batch):
    one, many = Counted(teacher), Counted(teacher)
    cls().losses(student, one, batch)
    Nested(method=cls(), kept=KEPT).losses(Dimmed(student), many, batch)
    assert many.runs == one.runs


def test_candidates_run_from_the_smallest_to_the_largest(student, teacher, batch):
    whole = Dimmed(student)
    Nested(method=KD(), kept=KEPT).losses(whole, teacher, batch)
    assert whole.seen == [0.25, 0.5, 1.0]


def test_passes_are_counted_and_so_are_the_questions_of_each(student, teacher, batch):
    whole = Dimmed(student)
    for work in Nested(method=KD(), kept=KEPT).loss_closures(whole, teacher, batch):
        work()
    assert [(run.call, run.index, run.is_last) for run in whole.backward_passes] == [
        (0, 0, False),
        (0, 1, False),
        (0, 2, True),
    ]


def test_the_engine_gives_each_candidate_a_backward_pass_and_the_gradient_of_the_mean(student, teacher):
    batch, method = make_batch(), Nested(method=MixKD(), kept=KEPT)
    whole = Dimmed(student)
    loss = sum(method.losses(whole, teacher, batch).values()) / batch.count
    wanted = torch.autograd.grad(loss, list(whole.parameters()))
    training = course()
    learner = make_learner(method, whole, teacher, training=training, accelerator=make_accelerator(training))
    backward, graphs = learner.accelerator.backward, []
    learner.accelerator.backward = lambda value: (graphs.append(value), backward(value))
    terms = learner.gradients([batch])
    assert len(graphs) == len(KEPT)
    assert terms.loss == pytest.approx(loss.item(), rel=1e-5)
    scale = min(1.0, training.optimizer.clip / terms.norm)
    for parameter, gradient in zip(whole.parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter.grad, scale * gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", [TokenKD(), ATKD(), ATKD(divergence="reverse_kl", scope="micro_batch")])
def test_language_models_ask_their_teacher_once_too(method):
    teacher, student, batch = (
        tiny_language(seed=1),
        Dimmed(tiny_language(layers=2, seed=2)),
        language_batch(size=8),
    )
    counted, nested = Counted(teacher), Nested(method=method, kept=KEPT)
    if nested.needs_prepass:
        batch = dataclasses.replace(batch, prepass=nested.prepass(teacher, batch))
    found = nested.losses(student, counted, batch)
    assert counted.runs == (0 if nested.needs_prepass else 1)
    for name, value in found.items():
        alone = [method.losses(Fixed(student, kept), teacher, batch)[name] for kept in KEPT]
        torch.testing.assert_close(value, torch.stack(alone).mean())


def test_a_sandwich_is_the_smallest_three_the_largest_and_some_between():
    kept = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
    nested = Nested(method=KD(), kept=kept, sampling="sandwich", middle=2)
    drawn = {nested.sample_candidates() for _ in range(60)}
    for one in drawn:
        assert (one[:3], one[-1], len(one)) == ((0.1, 0.2, 0.3), 1.0, 6)
        assert list(one) == sorted(set(one))
    assert {number for one in drawn for number in one} == set(kept)


def test_a_sandwich_of_few_candidates_is_all_of_them():
    assert Nested(method=KD(), kept=KEPT, sampling="sandwich").sample_candidates() == (0.25, 0.5, 1.0)


def test_it_asks_for_what_its_method_asks_for(student):
    nested = Nested(method=MixKD(), kept=KEPT)
    assert isinstance(nested, Method)
    assert isinstance(nested, MultiBackwardMethod)
    assert (nested.mixing, nested.uses_teacher) == (MixKD().mixing, True)
    with pytest.raises(MismatchError, match="needs a teacher"):
        nested.check(student, None)
    with pytest.raises(ConfigError, match="middle must be >= 0"):
        Nested(method=KD(), kept=KEPT, middle=-1)
