"""A small corpus of random texts, and runs of a few steps on it."""

from contextlib import suppress

import numpy as np
from datasets import Dataset

from lmdistill.data.batching.batch_sampler import BatchSampler
from lmdistill.data.batching.dataloader import BatchLoader
from lmdistill.data.tasks.collator import Collator, TokenizedRows
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.callbacks import Callbacks
from lmdistill.engine.fit import fit
from lmdistill.engine.training_settings import Optimizer, Training
from tests.tiny import VOCABULARY, tiny

ROWS = 30


def rows(count=ROWS, seed=0, classes=3):
    """Texts of 3 to 12 random tokens, pairs by their segments; a score each if `classes` is 1."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 13, count)
    labels = rng.integers(0, classes, count) if classes > 1 else rng.random(count) * 5
    return Dataset.from_dict(
        {
            "input_ids": [rng.integers(5, VOCABULARY, n).tolist() for n in lengths],
            "token_type_ids": [[0] * (n // 2) + [1] * (n - n // 2) for n in lengths],
            "label": labels.tolist(),
            "length": lengths.tolist(),
        }
    )


def course(**changes):
    """Two epochs of four steps of seven or eight rows."""
    settings = {"epochs": 2, "batch_size": 8, "optimizer": Optimizer(learning_rate=3e-3)}
    return Training(**{**settings, **changes})


def feed(method, training, data=None):
    """The batches of a run, as recipes make them."""
    data = rows() if data is None else data
    plan = BatchSampler(
        lengths=np.asarray(data["length"]), batch_size=training.batch_size, epochs=training.epochs,
        seed=training.seed, accumulate=training.accumulate, mixing=method.mixing,
        group_by_length=training.group_by_length,
        classes=np.asarray(data["label"]) if training.sampling == "by_class" else None,
    )  # fmt: skip
    return BatchLoader(
        sampler=plan, collator=Collator(student=TokenizedRows(rows=data, padding=0), mixing=method.mixing)
    )  # fmt: skip


class Interrupted(Exception):
    """What a test raises in the middle of a run, where a user would press Ctrl-C."""


class Run:
    """A run that was watched: its steps, its scores, its student, what it returned."""

    def __init__(self, method, folder, training=None, *, student=None, batches=None, evaluate=None, stop_at=0,
                 accelerator=None, teacher=None):  # fmt: skip
        self.steps, self.scores, self.after, self.began, self.fitted = [], [], [], None, None
        self.student = tiny(seed=2) if student is None else student
        self.stop_at = stop_at
        training = training or course()
        watch = Callbacks(
            evaluate=evaluate, on_start=self.start, on_step=self.see,
            on_scores=lambda step, scores: self.scores.append((step, scores)),
        )  # fmt: skip
        with suppress(Interrupted):
            self.fitted = fit(
                method, self.student, teacher or tiny(layers=4, seed=1), batches or feed(method, training),
                training=training, accelerator=accelerator or make_accelerator(training), folder=folder,
                watch=watch,
            )  # fmt: skip

    def start(self, step):
        self.began = step
        self.after.append(self.weights)

    def see(self, step):
        self.steps.append(step)
        self.after.append(self.weights)
        if step.number == self.stop_at:
            raise Interrupted

    @property
    def curve(self):
        return [step.loss for step in self.steps]

    @property
    def weights(self):
        return {name: value.detach().clone() for name, value in self.student.state_dict().items()}


def same(first, second):
    """Whether two sets of weights agree in every bit."""
    return first.keys() == second.keys() and all(first[name].equal(second[name]) for name in first)
