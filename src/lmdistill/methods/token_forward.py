"""What methods for language models share: a teacher's states, and a loss in the student's forward pass."""

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
    """What a teacher has to say about the scored positions of a batch."""

    states: Float[Tensor, "n e"]
    """Its final states."""

    head: LMHead
    """Its output layer."""


def run_teacher(teacher: Net | None, batch: Batch) -> TeacherStates:
    """Run the teacher once, without a gradient."""
    assert teacher is not None  # check() has run
    heads: list[LMHead] = []

    def keep(states: Float[Tensor, "n e"], head: LMHead) -> Mapping[str, Tensor]:
        heads.append(head)
        return {"states": states}

    with torch.no_grad():
        found = cast(LanguageNet, teacher)(batch.for_teacher, at=batch.scored, head_fn=keep)
    return TeacherStates(states=found["states"], head=heads[0])


def scored_labels(batch: Batch) -> Int[Tensor, " n"]:
    """The targets of the scored positions."""
    return batch.labels[batch.scored]


def student_losses(
    student: Net, batch: Batch, objective: Callable[[Float[Tensor, "n d"], LMHead], ChunkedLoss]
) -> dict[str, Float[Tensor, ""]]:
    """Run the student once, and the objective on its scored states, inside its forward pass."""
    read = cast(LanguageNet, student)
    found = read(batch.inputs, at=batch.scored, head_fn=lambda states, head: objective(states, head).losses())
    return dict(found)


def require_language_pair(method: str, student: Net, teacher: Net | None) -> None:
    """Both must write text, with the same vocabulary."""
    for who, net in (("student", student), ("teacher", teacher)):
        if net is not None and not hasattr(net, "vocabulary"):
            raise MismatchError(
                f"{method} is for models that write text, and the {who} is a classifier. "
                "Use method kd or mixkd, or a causal language model."
            )
    if teacher is None:
        return
    ours, theirs = (cast(LanguageNet, net).vocabulary for net in (student, teacher))
    if ours != theirs:
        raise MismatchError(
            f"the student writes {ours} different tokens and the teacher {theirs}; {method} compares them "
            "one by one. Use models that share a tokenizer."
        )
