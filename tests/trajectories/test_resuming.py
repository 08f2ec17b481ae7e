"""A run that was interrupted and continued is the run that was not, in every bit."""

import pytest
import torch

from lmdistill.engine.training_settings import Optimizer
from lmdistill.methods import CLASSIFIER_METHODS, KD, MixKD
from tests.engine.corpus import Run, course, same
from tests.tiny import tiny

INTERRUPTED_AT, LAST_CHECKPOINT = 5, 3


def with_dropout(seed=2):
    return tiny(seed=seed, dropout=0.1)


def score(net):
    """Depends on the weights, and uses up random numbers as an evaluation may."""
    torch.rand(3)
    return {"weight": float(net.model.classifier.weight.detach().sum())}


def checkpoint(folder):
    """What the last checkpoint says of the optimizer."""
    state = torch.load(folder / "step-8" / "optimizer.bin", weights_only=True)
    moments = [
        state["state"][number][name]
        for number in state["state"]
        for name in ("exp_avg", "exp_avg_sq", "step")
    ]
    return moments, [group["lr"] for group in state["param_groups"]]


@pytest.mark.parametrize(
    ("method", "sampling"),
    [
        *((make(), "shuffled") for make in CLASSIFIER_METHODS.values()),
        (MixKD(partner="batch"), "shuffled"),
        (MixKD(), "by_class"),
    ],
    ids=repr,
)
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(method, sampling, tmp_path):
    training = course(checkpoint_every=LAST_CHECKPOINT, eval_every=2, accumulate=2, sampling=sampling)
    whole = Run(method, tmp_path / "whole", training, student=with_dropout(), evaluate=score)
    first = Run(
        method, tmp_path / "cut", training, student=with_dropout(), evaluate=score, stop_at=INTERRUPTED_AT
    )
    assert first.fitted is None
    second = Run(method, tmp_path / "cut", training, student=with_dropout(seed=9), evaluate=score)
    assert second.began == second.fitted.resumed == LAST_CHECKPOINT
    assert whole.fitted.resumed == 0
    assert whole.fitted.steps == second.fitted.steps == 8
    assert first.curve[:LAST_CHECKPOINT] + second.curve == whole.curve
    assert [s for s in first.scores if s[0] <= LAST_CHECKPOINT] + second.scores == whole.scores
    assert second.steps[0].parts == whole.steps[LAST_CHECKPOINT].parts
    assert [step.rate for step in second.steps] == [step.rate for step in whole.steps[LAST_CHECKPOINT:]]
    assert same(second.weights, whole.weights)
    (ours, our_rates), (theirs, their_rates) = checkpoint(tmp_path / "cut"), checkpoint(tmp_path / "whole")
    assert our_rates == their_rates
    assert all(one.equal(two) for one, two in zip(ours, theirs, strict=True))


def test_dropout_is_at_work(tmp_path):
    wet, dry = Run(KD(), tmp_path / "wet", student=with_dropout()), Run(KD(), tmp_path / "dry")
    assert abs(wet.curve[0] / dry.curve[0] - 1) > 1e-3


def test_dropout_differs_from_step_to_step(tmp_path):
    training = course(optimizer=Optimizer(learning_rate=1e-12), batch_size=30, epochs=2)
    run = Run(KD(), tmp_path, training, student=with_dropout())
    assert abs(run.curve[1] / run.curve[0] - 1) > 1e-3


@pytest.mark.parametrize("stop_at", [1, 4, 7])
def test_the_best_weights_survive_an_interruption_anywhere(stop_at, tmp_path):
    training = course(checkpoint_every=3, eval_every=1, keep="best")
    whole = Run(KD(), tmp_path / "whole", training, student=with_dropout(), evaluate=score)
    Run(KD(), tmp_path / "cut", training, student=with_dropout(), evaluate=score, stop_at=stop_at)
    again = Run(KD(), tmp_path / "cut", training, student=with_dropout(), evaluate=score)
    assert (again.fitted.best_step, again.fitted.best_score) == (
        whole.fitted.best_step,
        whole.fitted.best_score,
    )
    assert same(again.weights, whole.weights)


def test_a_finished_run_is_not_trained_again(tmp_path):
    done = Run(KD(), tmp_path, student=with_dropout())
    again = Run(KD(), tmp_path, student=with_dropout(seed=9))
    assert again.steps == []
    assert again.fitted.steps == again.fitted.resumed == 8
    assert same(again.weights, done.weights)


def test_looking_at_the_dev_set_changes_nothing(tmp_path):
    blind = Run(KD(), tmp_path / "blind", student=with_dropout())
    seeing = Run(KD(), tmp_path / "seeing", course(eval_every=1), student=with_dropout(), evaluate=score)
    assert len(seeing.scores) == 8
    assert seeing.curve == blind.curve
    assert same(seeing.weights, blind.weights)
