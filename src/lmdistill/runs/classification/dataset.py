"""A task in tokens: every split encoded for the student and, if its tokenizer differs, for the teacher."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Num

from lmdistill.core.batch import Batch
from lmdistill.core.errors import MismatchError
from lmdistill.core.progress import progress
from lmdistill.core.protocols import Method, Net
from lmdistill.data.batching.batch_sampler import evaluation_batches
from lmdistill.data.batching.dataloader import BatchLoader
from lmdistill.data.batching.tokenizer_checks import check_max_length, tokenizer_fingerprint
from lmdistill.data.tasks.class_weights import class_weights, require_sampling
from lmdistill.data.tasks.collator import Collator, TokenizedRows
from lmdistill.data.tasks.subsample import labels_of
from lmdistill.data.tasks.task import Task, has_label
from lmdistill.data.tasks.tokenization import encode
from lmdistill.engine.training_settings import Training
from lmdistill.evaluation.inference import logits_of
from lmdistill.models.classifier import Network
from lmdistill.runs.batch_plan import plan

EVALUATION_BATCH = 64
"""Examples of an evaluation batch."""


@dataclass(frozen=True, kw_only=True)
class EncodedSplit:
    """One split in tokens of both networks."""

    student: TokenizedRows
    """Tokens of the student's tokenizer."""

    teacher: TokenizedRows | None
    """Tokens of the teacher's tokenizer; None if it is the student's."""

    truncated: float
    """Share of the examples that were truncated for the student, in [0, 1]."""

    teacher_logits: Float[np.ndarray, "n v"] | None = None
    """Stored outputs of the teacher for each example, NaN where there is none; None if nothing is stored."""

    @property
    def lengths(self) -> Num[np.ndarray, " n"]:
        """Tokens of each example."""
        return np.asarray(self.student.rows.with_format("numpy")["length"][:], dtype=np.int64)

    @property
    def labels(self) -> Num[np.ndarray, "n *labels"]:
        """Class number, score, or 0 and 1 for each of several labels, of each example; -1 or NaN without."""
        return labels_of(self.student.rows)

    @cached_property
    def labelled(self) -> Bool[np.ndarray, " n"] | None:
        """Whether each example has a label; None if all have."""
        found = has_label(self.labels)
        return None if found.all() else found

    def with_labels(self) -> "EncodedSplit":
        """The examples that have a label."""
        return self if self.labelled is None else self.select(np.flatnonzero(self.labelled).tolist())

    def batches(self, size: int = EVALUATION_BATCH) -> Iterator[Batch]:
        """Batches of every example once, longest first."""
        collator = Collator(student=self.student, teacher=self.teacher)
        for (draw,) in evaluation_batches(self.lengths, batch_size=size):
            yield collator[draw]

    def head(self, size: int) -> "EncodedSplit":
        """The first `size` examples."""
        return self.select(range(min(size, len(self.student.rows))))

    def select(self, rows: Sequence[int]) -> "EncodedSplit":
        """The examples with these row numbers."""
        views = [
            None if view is None else TokenizedRows(rows=view.rows.select(rows), padding=view.padding)
            for view in (self.student, self.teacher)
        ]
        assert views[0] is not None
        stored = (
            None if self.teacher_logits is None else self.teacher_logits[np.asarray(rows, dtype=np.int64)]
        )
        return EncodedSplit(
            student=views[0], teacher=views[1], truncated=self.truncated, teacher_logits=stored
        )

    def logits(self, net: Net, device: str, *, as_teacher: bool = False) -> Float[np.ndarray, "n v"]:
        """The network's logits in the order of the rows; `as_teacher` reads the teacher's tokens."""
        with progress("evaluating", len(self.student.rows), unit="example", minor=True) as shown:
            return logits_of(net, self.batches(), device=device, as_teacher=as_teacher, on_batch=shown.add)


@dataclass(frozen=True, kw_only=True)
class EncodedTask:
    """Training and dev splits of a task in tokens."""

    task: Task
    """The task with its texts."""

    train: EncodedSplit
    """The training split."""

    dev: Mapping[str, EncodedSplit]
    """Dev splits by name; the first one gives the headline metric."""

    labelled_per_batch: int | None = None
    """Labelled examples in each batch if some have no label; None shuffles them with the others."""

    def class_weights(self, training: Training) -> dict[str, float]:
        """The weight of each class by its name; {} if all count the same."""
        spec = self.task.spec
        weights = class_weights(training.class_weights, self.train.labels, spec)
        return {} if weights is None else dict(zip(spec.labels, weights.tolist(), strict=True))

    def feed(self, method: Method, training: Training) -> BatchLoader:
        """The training batches of a run; a method without a teacher gets those with a label only."""
        train = self.train if method.uses_teacher else self.train.with_labels()
        labelled, stored = train.labelled, train.teacher_logits if method.uses_teacher else None
        require_sampling(training.sampling, self.task.spec, "training")
        weights = class_weights(training.class_weights, train.labels, self.task.spec)
        return BatchLoader(
            sampler=plan(
                train.lengths,
                method,
                training,
                labelled=labelled,
                labelled_per_batch=None if labelled is None else self.labelled_per_batch,
                classes=train.labels if self.task.spec.kind == "classification" else None,
            ),
            collator=Collator(
                student=train.student,
                teacher=train.teacher,
                mixing=method.mixing,
                labelled=labelled,
                class_weights=weights,
                teacher_logits=stored,
                some_unanswered=stored is not None and bool(np.isnan(stored[:, 0]).any()),
            ),
        )


def encode_task(task: Task, student: Network, teacher: Network | None, *, max_length: int) -> EncodedTask:
    """Encode the training and dev splits of `task` for both networks.

    Raises:
        MismatchError: If the student does not predict the task's classes.
        ConfigError: If one of them cannot read texts of this length.
    """
    require_fit(task, student, teacher, max_length=max_length)
    names = ("train", *task.spec.splits)
    read = {name: read_split(task, name, student, teacher, max_length=max_length) for name in names}
    return EncodedTask(task=task, train=read["train"], dev={name: read[name] for name in task.spec.splits})


def read_split(
    task: Task, name: str, student: Network, teacher: Network | None = None, *, max_length: int
) -> EncodedSplit:
    """One split of `task` in tokens of the student and, if its tokenizer differs, of the teacher."""
    other = teacher if teacher is not None and not same_tokenizer(student, teacher) else None
    ours, truncated = _view(task, name, student, max_length)
    theirs = None if other is None else _view(task, name, other, max_length)[0]
    return EncodedSplit(student=ours, teacher=theirs, truncated=truncated)


def require_fit(task: Task, student: Network, teacher: Network | None, *, max_length: int) -> None:
    """Check that the student has the task's outputs and both networks read `max_length` tokens."""
    require_outputs(task, student, "student")
    for network in (student, teacher):
        if network is not None:
            check_max_length(network.tokenizer, max_length, pair=task.is_pair, positions=network.positions)


def require_outputs(task: Task, network: Network, who: str) -> None:
    """Check that a network has one output for each label of the task, or one for a score."""
    _require_kind(task, network, who)
    want = task.spec.num_classes
    if network.num_classes != want:
        raise MismatchError(
            f"the {who} predicts {network.num_classes} classes and {task.spec.name} has "
            f"{want}{': ' + ', '.join(task.spec.labels) if task.spec.labels else ' (a score)'}. "
            f"Use a model with {want} output{'s' * (want > 1)}, or data with its labels."
        )


def _require_kind(task: Task, network: Network, who: str) -> None:
    """Check that a network has a sigmoid for each label exactly if the task has several labels a text."""
    name, several = task.spec.name, task.spec.kind == "multilabel"
    if several and not network.multi_label:
        outputs = "a softmax over classes" if network.num_classes > 1 else "one output"
        raise MismatchError(
            f"the {who} {network.source} has {outputs}, and {name} has several labels a text. Use an encoder "
            "without a head, or a model with problem_type: multi_label_classification in its config.json."
        )
    if network.multi_label and not several:
        raise MismatchError(
            f"the {who} {network.source} has a sigmoid for each label (problem_type "
            f"multi_label_classification), and {name} has no several labels a text. Use an encoder without a "
            "head, or a model for one class a text."
        )


def same_tokenizer(first: Network, second: Network) -> bool:
    """Whether both networks have the same tokenizer and padding token."""
    one, two = first.tokenizer, second.tokenizer
    return one is two or (
        tokenizer_fingerprint(one) == tokenizer_fingerprint(two) and one.pad_token_id == two.pad_token_id
    )


def _view(task: Task, split: str, network: Network, max_length: int) -> tuple[TokenizedRows, float]:
    """One split in tokens of one tokenizer, and the share of truncated examples."""
    encoded = encode(
        task.split(split),
        network.tokenizer,
        max_length=max_length,
        pair=task.is_pair,
        positions=network.positions,
    )
    return TokenizedRows(rows=encoded.rows, padding=int(network.tokenizer.pad_token_id)), encoded.truncated
