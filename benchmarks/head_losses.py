"""Ways to get a distillation loss and its gradients from final states and output matrices."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import kl_div

from lmdistill.core.batch import LMHead
from lmdistill.objectives.adaptive_weights import adaptive_weights
from lmdistill.objectives.chunked.loss import chunked_log_uncertainty, chunked_losses
from lmdistill.objectives.chunked.terms import LossTerms

TRL = ("trl.trainer.distillation_trainer", "_chunked_divergence_loss")


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What is multiplied."""

    positions: int
    """Scored positions."""

    student: int
    """Width of the student's states."""

    teacher: int
    """Width of the teacher's states."""

    vocabulary: int
    """Rows of both output matrices."""

    @property
    def name(self) -> str:
        """The setting, for the table of results."""
        return (
            f"{self.positions} positions, widths {self.student} and {self.teacher}, "
            f"vocabulary {self.vocabulary}"
        )


@dataclass(frozen=True, kw_only=True)
class Case:
    """Inputs of a loss; the same numbers in every process."""

    states: Tensor
    """Of the student."""

    weight: Tensor
    """Its output matrix."""

    teacher_states: Tensor
    """Of the teacher."""

    teacher_weight: Tensor
    """Its output matrix."""

    labels: Tensor
    """Next tokens."""


def make_case(sizes: Sizes) -> Case:
    """Random inputs whose logits have a spread of about 1."""
    generator = torch.Generator().manual_seed(0)

    def normal(rows: int, columns: int, scale: float) -> Tensor:
        return torch.randn(rows, columns, generator=generator).mul_(scale)

    return Case(
        states=normal(sizes.positions, sizes.student, 1.0).requires_grad_(),
        weight=normal(sizes.vocabulary, sizes.student, sizes.student**-0.5).requires_grad_(),
        teacher_states=normal(sizes.positions, sizes.teacher, 1.0),
        teacher_weight=normal(sizes.vocabulary, sizes.teacher, sizes.teacher**-0.5),
        labels=torch.randint(sizes.vocabulary, (sizes.positions,), generator=generator),
    )


def plain(case: Case) -> Tensor:
    """All logits at once."""
    ours = (case.states @ case.weight.t()).log_softmax(-1)
    with torch.no_grad():
        theirs = (case.teacher_states @ case.teacher_weight.t()).log_softmax(-1)
    return kl_div(ours, theirs, log_target=True, reduction="sum") / len(case.labels)


def trl(case: Case) -> Tensor:
    """TRL's, which cuts the positions into tiles of its own."""
    module = importlib.import_module(TRL[0])
    loss, *_ = getattr(module, TRL[1])(
        student_hidden_states=case.states[None],
        teacher_hidden_states=case.teacher_states[None],
        student_lm_head_weight=case.weight,
        teacher_lm_head_weight=case.teacher_weight,
        completion_mask=torch.ones(1, len(case.labels), dtype=torch.long),
        beta=0.0,
    )
    assert isinstance(loss, Tensor)
    return loss


def ours(case: Case) -> Tensor:
    """The whole forward KL, chunk by chunk."""
    return _ours(case, LossTerms(whole=torch.ones(len(case.labels))))


def ours_atkd(case: Case) -> Tensor:
    """ATKD: the teacher's uncertainty first, then both parts."""
    pool = chunked_log_uncertainty(case.teacher_states, LMHead(weight=case.teacher_weight), case.labels)
    target, diversity = adaptive_weights(pool, pool)
    return _ours(case, LossTerms(target=target, diversity=diversity))


def _ours(case: Case, terms: LossTerms) -> Tensor:
    """The mean over the positions."""
    found = chunked_losses(
        case.states,
        LMHead(weight=case.weight),
        case.labels,
        terms=terms,
        teacher_states=case.teacher_states,
        teacher_head=LMHead(weight=case.teacher_weight),
    )
    return found.total / len(case.labels)


def has_trl() -> bool:
    """Whether TRL is there, with the function that is measured."""
    try:
        return hasattr(importlib.import_module(TRL[0]), TRL[1])
    except ImportError:
        return False


LOSSES: Mapping[str, Callable[[Case], Tensor]] = {
    "plain": plain,
    "trl": trl,
    "ours": ours,
    "ours, ATKD": ours_atkd,
}
SAME = ("plain", "trl", "ours")


def step(key: str, case: Case) -> float:
    """Forward and backward; the loss."""
    case.states.grad = case.weight.grad = None
    if key == "products":
        with torch.no_grad():
            logits = case.states @ case.weight.t()
            _ = case.teacher_states @ case.teacher_weight.t()
            _, _ = logits @ case.weight, logits.t() @ case.states
        return 0.0
    loss = LOSSES[key](case)
    loss.backward()
    return loss.item()
