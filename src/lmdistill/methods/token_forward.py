"""Forward passes of methods for language models: the teacher's hidden states and the student's loss."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lmdistill.core.batch import Batch, LMHead
from lmdistill.core.errors import MismatchError
from lmdistill.core.protocols import LanguageNet, Net
from lmdistill.objectives.chunked.loss import ChunkedLoss


@dataclass(frozen=True, kw_only=True)
class TeacherStates:
    """The teacher's final hidden states at the scored positions of a batch, and its output layer."""

    states: Float[Tensor, "n e"]
    """Final hidden states at the n scored positions."""

    head: LMHead
    """Output layer of the teacher."""


def run_teacher(teacher: Net | None, batch: Batch) -> TeacherStates:
    """Run the teacher once, without gradient."""
    assert teacher is not None  # check() has run
    heads: list[LMHead] = []

    def capture(states: Float[Tensor, "n e"], head: LMHead) -> Mapping[str, Tensor]:
        heads.append(head)
        return {"states": states}

    with torch.no_grad():
        outputs = cast(LanguageNet, teacher)(batch.for_teacher, at=batch.scored, head_fn=capture)
    return TeacherStates(states=outputs["states"], head=heads[0])


def scored_labels(batch: Batch) -> Int[Tensor, " n"]:
    """Target token ids of the scored positions."""
    return batch.labels[batch.scored]


def student_losses(
    student: Net, batch: Batch, objective: Callable[[Float[Tensor, "n d"], LMHead], ChunkedLoss]
) -> dict[str, Float[Tensor, ""]]:
    """The losses of the student; `objective` runs in its forward pass, on the states of scored positions."""

    def head_fn(states: Float[Tensor, "n d"], head: LMHead) -> Mapping[str, Tensor]:
        return objective(states, head).losses()

    return dict(cast(LanguageNet, student)(batch.inputs, at=batch.scored, head_fn=head_fn))


def require_language_pair(method: str, student: Net, teacher: Net | None) -> None:
    """Raise `MismatchError` unless both are language models with the same vocabulary."""
    for role, net in (("student", student), ("teacher", teacher)):
        if net is not None and not hasattr(net, "vocabulary"):
            raise MismatchError(
                f"{method} is for causal language models, and the {role} is a classifier. "
                "Use method kd or mixkd, or a causal language model."
            )
    if teacher is None:
        return
    student_size, teacher_size = (cast(LanguageNet, net).vocabulary for net in (student, teacher))
    if student_size != teacher_size:
        raise MismatchError(
            f"the student has {student_size} tokens and the teacher {teacher_size}; {method} compares their "
            "probabilities token by token. Use models that share a tokenizer."
        )
