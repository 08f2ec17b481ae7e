"""A method in a file of its own: match the distance between the teacher's two best logits."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lmdistill.core.batch import Batch, MixupSettings
from lmdistill.core.protocols import Net
from lmdistill.methods.preconditions import require_range, require_same_outputs, require_teacher
from lmdistill.objectives.reduction import labelled_sum, masked_sum
from lmdistill.objectives.supervised import label_loss


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Match the distance between the teacher's two best logits; an example, not a published method."""

    weight: float = 0.1
    """Weight of the gap term, >= 0."""

    def __post_init__(self) -> None:
        require_range("weight", self.weight, low=0)

    @property
    def uses_teacher(self) -> bool:
        """Always true: the method learns from a teacher."""
        return True

    @property
    def mixing(self) -> MixupSettings | None:
        """None: no examples are interpolated."""
        return None

    def check(self, student: Net, teacher: Net | None) -> None:
        """Both must predict the same classes."""
        require_same_outputs("gap", student, require_teacher("gap", teacher))

    def losses(self, student: Net, teacher: Net | None, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """The label term and the gap term, as sums over the scored examples."""
        assert teacher is not None  # check() has run
        with torch.no_grad():
            teacher_gap = _gap(teacher(batch.for_teacher).logits)
        logits = student(batch.inputs).logits
        return {
            "label": labelled_sum(label_loss(logits, batch.labels), batch),
            "gap": self.weight * masked_sum((_gap(logits) - teacher_gap).square(), batch.scored),
        }


def _gap(logits: Float[Tensor, "*p v"]) -> Float[Tensor, "*p"]:
    """Best logit minus second best."""
    best, second = logits.topk(2, dim=-1).values.unbind(-1)
    return best - second
