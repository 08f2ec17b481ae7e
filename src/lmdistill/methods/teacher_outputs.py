"""What a method needs of its teacher, and the teacher's outputs for a batch: stored ones, or computed now."""

from typing import Literal, cast

import torch

from lmdistill.core.batch import Batch, Outputs
from lmdistill.core.errors import MismatchError
from lmdistill.core.protocols import Method, Net

TeacherInput = Literal["none", "logits", "network", "states"]
"""What a method needs of a teacher: nothing, its logits for the original examples, to run it, or to read its
hidden states."""


def teacher_input(method: Method) -> TeacherInput:
    """What a method needs of its teacher; a method that does not say it has to run it."""
    if not method.uses_teacher:
        return "none"
    return cast(TeacherInput, getattr(method, "teacher_input", "network"))


def reads_stored_logits(method: Method) -> bool:
    """Whether a term of the method compares logits for the original examples, which may be stored."""
    return method.uses_teacher and bool(getattr(method, "reads_stored_logits", False))


def require_answers_enough(method: Method, name: str, answers: str) -> None:
    """Check that a method can learn from stored answers alone.

    Args:
        method: The method.
        name: Its label.
        answers: Where the answers are from, for the message.

    Raises:
        MismatchError: It asks the teacher about other inputs, or for its hidden states.
    """
    if teacher_input(method) in ("network", "states"):
        raise MismatchError(
            f"{name} has to run its teacher on new inputs or read its hidden states, and {answers} has only "
            "its answers to fixed texts. Use method kd, or mixkd with alpha_tmkd: 0 and alpha_kd: 1."
        )


def require_outputs_enough(method: Method, name: str, who: str, *, why_not_run: str | None) -> None:
    """Check that a method can learn from a teacher that has no layers of its own.

    Args:
        method: The method.
        name: Its label.
        who: The teacher, such as "a teacher of 3 models".
        why_not_run: Why it cannot be run on new inputs; None if it can.

    Raises:
        MismatchError: The method reads hidden states, or runs a teacher that cannot be run.
    """
    needs = teacher_input(method)
    if needs == "states":
        raise MismatchError(
            f"{name} reads the hidden states of one network, and {who} has none. Use method kd, or one "
            "classifier in teacher.model."
        )
    if needs == "network" and why_not_run is not None:
        raise MismatchError(
            f"{name} has to run its teacher on new inputs, and {why_not_run}. Use method kd, or mixkd with "
            "alpha_tmkd: 0 and alpha_kd: 1."
        )


@torch.no_grad()
def teacher_outputs(teacher: Net, batch: Batch) -> Outputs:
    """Logits of the teacher for the original examples; it runs only if the batch has no stored ones."""
    if batch.stored is not None:
        return Outputs(logits=batch.stored.logits)
    return teacher(batch.for_teacher)
