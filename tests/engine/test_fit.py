from dataclasses import dataclass

import pytest
import torch
from torch.nn.functional import cross_entropy

from lmdistill.core.errors import DivergedError, MismatchError
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.training_settings import Optimizer
from lmdistill.methods import CLASSIFIER_METHODS, KD, FineTune
from lmdistill.schedules.learning_rate import lr_multiplier
from tests.engine.broken import Broken
from tests.engine.corpus import Run, course, feed, same
from tests.tiny import tiny


def windows(method, training):
    return list(feed(method, training).loader(start=0, processes=1, process=0))


def test_fitting_is_the_loop_one_would_write(tmp_path):
    """Mean cross-entropy, clipping, AdamW with decay on matrices only, a linear rate with warm-up."""
    chosen = Optimizer(learning_rate=3e-3, weight_decay=0.1, warmup=0.25, clip=0.5)
    training = course(optimizer=chosen)
    student = tiny(seed=2)
    decaying = [p for p in student.parameters() if p.ndim > 1]
    others = [p for p in student.parameters() if p.ndim == 1]
    adam = torch.optim.AdamW(
        [{"params": decaying, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    )
    curve = []
    for number, (batch,) in enumerate(windows(FineTune(), training)):
        for group in adam.param_groups:
            group["lr"] = 3e-3 * lr_multiplier(number, total=8, warmup=0.25, shape="linear")
        loss = cross_entropy(student(batch.inputs).logits, batch.labels)
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 0.5)
        adam.step()
        curve.append(float(loss.detach()))
    run = Run(FineTune(), tmp_path, training)
    assert run.curve == pytest.approx(curve, rel=1e-5)
    for name, value in student.state_dict().items():
        if not name.endswith("key.bias"):  # shifts all scores of a softmax: its gradient is rounding alone
            torch.testing.assert_close(run.weights[name], value, rtol=1e-4, atol=1e-6)


def test_without_a_limit_the_gradient_is_left_alone(tmp_path):
    free = Run(FineTune(), tmp_path / "free", course(optimizer=Optimizer(learning_rate=3e-3, clip=0.0)))
    wide = Run(FineTune(), tmp_path / "wide", course(optimizer=Optimizer(learning_rate=3e-3, clip=1e9)))
    tight = Run(FineTune(), tmp_path / "tight", course(optimizer=Optimizer(learning_rate=3e-3, clip=1e-8)))
    assert free.curve == wide.curve != tight.curve


@pytest.mark.parametrize("name", CLASSIFIER_METHODS)
def test_the_parts_of_every_step_add_up_to_its_loss(name, tmp_path):
    run = Run(CLASSIFIER_METHODS[name](), tmp_path, course(accumulate=2))
    assert [step.number for step in run.steps] == list(range(1, 9))
    for step in run.steps:
        assert step.loss == pytest.approx(sum(step.parts.values()), rel=1e-6)
        assert step.count in (7, 8)
        assert all(value > 0 for value in step.parts.values())
    assert run.steps[-1].rate < run.steps[0].rate


def test_the_teacher_is_not_changed_and_answers_without_dropout(tmp_path):
    teachers = [tiny(layers=4, seed=1), tiny(layers=4, seed=1, dropout=0.3).train()]
    before = {name: value.clone() for name, value in teachers[1].state_dict().items()}
    runs = [Run(KD(), tmp_path / str(n), teacher=teacher) for n, teacher in enumerate(teachers)]
    assert runs[0].curve == runs[1].curve
    assert same(before, teachers[1].state_dict())
    assert all(p.grad is None for p in teachers[1].parameters())


@dataclass
class Scripted:
    """An evaluation whose scores are known beforehand; remembers the weights that it saw."""

    values: list[float]

    def __post_init__(self):
        self.seen = []

    def __call__(self, net):
        self.seen.append({name: value.clone() for name, value in net.state_dict().items()})
        return {"first": self.values[len(self.seen) - 1], "second": 0.0}


RISES_AND_FALLS = [0.5, 0.7, 0.7, 0.6, 0.9, 1.0, 1.0, 1.0]


def test_a_run_stops_when_scores_stop_rising_and_ends_with_the_best_weights(tmp_path):
    evaluate = Scripted(RISES_AND_FALLS)
    run = Run(KD(), tmp_path, course(eval_every=1, keep="best", patience=2), evaluate=evaluate)
    assert run.fitted.steps == len(run.steps) == 4  # a tie is no improvement
    assert (run.fitted.best_step, run.fitted.best_score) == (2, 0.7)
    assert run.scores == [
        (step, {"first": value, "second": 0.0}) for step, value in enumerate(RISES_AND_FALLS[:4], start=1)
    ]
    assert same(run.weights, evaluate.seen[1])
    assert not same(run.weights, evaluate.seen[3])


def test_a_run_that_keeps_the_last_weights_ends_with_them(tmp_path):
    evaluate = Scripted(RISES_AND_FALLS)
    run = Run(KD(), tmp_path, course(eval_every=1, patience=2), evaluate=evaluate)
    assert (run.fitted.steps, run.fitted.best_step) == (4, 2)
    assert same(run.weights, evaluate.seen[3])
    assert not (tmp_path / "best").exists()


def test_patience_counts_across_an_interruption(tmp_path):
    training = course(eval_every=1, patience=2, keep="best", checkpoint_every=1)
    Run(KD(), tmp_path, training, evaluate=Scripted(RISES_AND_FALLS), stop_at=4)  # has seen three scores
    again = Run(KD(), tmp_path, training, evaluate=Scripted(RISES_AND_FALLS[3:]))
    assert (again.fitted.resumed, again.fitted.steps, again.fitted.best_step) == (3, 4, 2)


@pytest.mark.parametrize(
    ("every", "at"), [(0, [4, 8]), (1, list(range(1, 9))), (3, [3, 6, 8]), (8, [8]), (100, [8])]
)
def test_evaluation_comes_every_so_many_steps_and_at_the_end(every, at, tmp_path):
    run = Run(FineTune(), tmp_path, course(eval_every=every), evaluate=lambda net: {"score": 0.0})
    assert [step for step, _ in run.scores] == at


ROW = 17


@pytest.mark.parametrize(
    ("what", "named"), [("loss", "other and gradient norm"), ("gradient", "gradient norm")]
)
def test_what_is_no_number_stops_the_run_before_it_reaches_the_weights(what, named, tmp_path):
    method, training = Broken(row=ROW, what=what), course(accumulate=2, checkpoint_every=1)
    where = [
        [int(row) for batch in window for row in batch.examples] for window in windows(FineTune(), training)
    ]
    bad = next(number for number, rows in enumerate(where) if ROW in rows)
    run = Run.__new__(Run)
    rows = ", ".join(map(str, where[bad]))
    message = (
        rf"^step {bad + 1}: {named} is not a finite number, on training rows {rows}\. "
        r"The last checkpoint is kept; lower training\.optimizer\.learning_rate, or look at these rows\.$"
    )
    with pytest.raises(DivergedError, match=message):
        run.__init__(method, tmp_path, training)
    assert bad > 0
    assert same(run.weights, run.after[bad])
    assert (tmp_path / f"step-{bad}").is_dir()


def test_many_rows_are_not_all_named(tmp_path):
    with pytest.raises(DivergedError, match=r"on training rows (\d+, ){8}\.\.\.\. The last"):
        Run(Broken(row=ROW), tmp_path, course(batch_size=30))


def test_a_learning_rate_beyond_all_bounds_is_said(tmp_path):
    with pytest.raises(DivergedError, match="is not a finite number"):
        Run(FineTune(), tmp_path, course(optimizer=Optimizer(learning_rate=1e38)))


def test_a_pair_that_does_not_fit_is_refused_before_the_first_step(tmp_path):
    with pytest.raises(MismatchError, match="predicts 3 classes and the student 5"):
        Run(KD(), tmp_path / "new", student=tiny(classes=5))
    assert not (tmp_path / "new").exists()


def test_gradients_of_all_but_the_last_micro_batch_stay_at_home(tmp_path):
    accelerator, alone = make_accelerator(course()), []
    keep = accelerator.no_sync
    accelerator.no_sync = lambda network: alone.append(network) or keep(network)
    Run(FineTune(), tmp_path, course(accumulate=4), accelerator=accelerator)
    assert len(alone) == 3 * 8
