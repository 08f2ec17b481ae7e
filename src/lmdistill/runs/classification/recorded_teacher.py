"""A teacher of which only answers to fixed texts are known, in a file; implements `StandIn`."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from lmdistill.core.batch import Inputs, Outputs
from lmdistill.core.errors import MismatchError
from lmdistill.data.tasks.task import Task
from lmdistill.data.tasks.teacher_answers import TeacherAnswers, require_joined
from lmdistill.records.answer_facts import AnswerFacts


@dataclass(frozen=True, kw_only=True)
class RecordedTeacher:
    """Answers for the texts of a task; has the attributes of a network (`Net`), and cannot be run."""

    answers: TeacherAnswers
    """The answers by text."""

    task: Task
    """The task whose texts they are for."""

    num_layers: int = 0
    """0: there is no network whose layers could be read."""

    width: int = 0
    """0: there are no hidden states."""

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the file."""
        return self.answers.fingerprint

    @property
    def reader(self) -> None:
        """None: it cannot be run on new inputs."""
        return None

    @property
    def num_classes(self) -> int:
        """Number of outputs."""
        return self.task.spec.num_classes

    @property
    def multi_label(self) -> bool:
        """Whether the answers are about each label on its own."""
        return self.task.spec.kind == "multilabel"

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes in the order of the logits."""
        return self.task.spec.labels

    def __call__(self, inputs: Inputs, *, hidden: bool = False) -> Outputs:
        """Refuse every input, since only answers to fixed texts are known.

        Raises:
            MismatchError: Always.
        """
        raise MismatchError(
            f"{self.answers.source} has answers to fixed texts only, and the method asks the teacher about "
            "others. Use method kd."
        )

    @cached_property
    def train(self) -> Float[np.ndarray, "n v"]:
        """Logits for the training texts, NaN without an answer."""
        return self.answers.of(self.task.train)

    @cached_property
    def dev(self) -> Mapping[str, Float[np.ndarray, "n v"]] | None:
        """Logits by dev split; None unless every dev text has an answer."""
        found = {name: self.answers.of(rows) for name, rows in self.task.dev.items()}
        complete = not any(np.isnan(logits).any() for logits in found.values())
        return {name: logits.astype(np.float64) for name, logits in found.items()} if complete else None

    def train_logits(self) -> Float[np.ndarray, "n v"]:
        """Logits for the training texts, NaN without an answer."""
        return self.train

    def dev_logits(self) -> Mapping[str, Float[np.ndarray, "n v"]] | None:
        """Logits by dev split; None unless every dev text has an answer."""
        return self.dev

    def parts(self) -> tuple[()]:
        """No networks are run."""
        return ()

    def facts(self) -> Mapping[str, AnswerFacts]:
        """What the record says of the answers."""
        answered = ~np.isnan(self.train[:, 0])
        facts = AnswerFacts(
            source=self.answers.source,
            fingerprint=self.answers.fingerprint,
            kind=self.answers.kind,
            texts=len(self.answers.logits),
            answered=int(answered.sum()),
            unanswered=int((~answered).sum()),
        )
        return {"answers": facts}


def recorded_teacher(answers: TeacherAnswers, task: Task) -> tuple[RecordedTeacher, str]:
    """A teacher from answers, and a note on how many training texts have one.

    Raises:
        DataError: Less than half of the training texts have an answer.
    """
    teacher = RecordedTeacher(answers=answers, task=task)
    return teacher, require_joined(answers, teacher.train, "training texts")
