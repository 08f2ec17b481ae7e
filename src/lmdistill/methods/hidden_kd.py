"""Distillation from a teacher's outputs and the hidden states of all tokens (MiniDisc's loss)."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from lmdistill.core.batch import Batch, MixupSettings, Outputs
from lmdistill.core.errors import MismatchError
from lmdistill.core.protocols import Net
from lmdistill.methods.preconditions import require_range, require_same_outputs, require_teacher
from lmdistill.objectives.hidden_states import token_distance, uniform_map
from lmdistill.objectives.multi_label import output_loss
from lmdistill.objectives.reduction import labelled_sum, masked_sum
from lmdistill.objectives.supervised import label_loss


@dataclass(frozen=True, kw_only=True)
class HiddenKD:
    r"""Hidden states at evenly spaced layers, soft targets, and optionally gold labels.

    .. math:: L_h = \frac{1}{|M|} \sum_{(j, k) \in M} MSE(h^S_j, h^T_k)
    .. math:: L = \alpha_h L_h + \alpha_o \tau^2 KL(f(x) / \tau, g(x) / \tau) + \alpha_y CE(y, g(x))

    alpha_h, alpha_o and alpha_y are the fields `state`, `output` and `label`, and M pairs the hidden states.
    The defaults are MiniDisc's loss. `state=0.1` and `output=1` give the loss of DynaBERT's width stage.

    References:
        Zhang et al., "MiniDisc", 2022, released code: half the squared error of the states 0, 2, ... of 12
        layers, plus half a soft cross-entropy. Deviations: the divergence is the forward KL, which has the
        same gradient and is 0 for a perfect student; the state term is averaged over the tokens of each
        example and then over examples, where the released code averages over all tokens of a batch.
    """

    state: float = 0.5
    """Weight of the hidden-state term, >= 0; 0 turns it off."""

    output: float = 0.5
    """Weight of the soft-target term, >= 0; 0 turns it off."""

    label: float = 0.0
    """Weight of the gold-label term, >= 0; the published loss has none."""

    temperature: float = 1.0
    """Softmax temperature of both networks, > 0. The soft-target term is scaled by its square."""

    states: int = 7
    """Number of hidden states to compare, >= 2, evenly spaced from the embeddings to the last layer."""

    def __post_init__(self) -> None:
        for name in ("state", "output", "label"):
            require_range(name, getattr(self, name), low=0)
        require_range("temperature", self.temperature, low=0, open_low=True)
        require_range("states", self.states, low=2)

    @property
    def uses_teacher(self) -> bool:
        """Always true: the method learns from a teacher."""
        return True

    @property
    def teacher_input(self) -> Literal["none", "logits", "network", "states"]:
        """The hidden states of the teacher, which has to be run."""
        return "states"

    @property
    def mixing(self) -> MixupSettings | None:
        """None: no examples are interpolated."""
        return None

    def check(self, student: Net, teacher: Net | None) -> None:
        """Student and teacher must have the same classes and the same hidden size."""
        teacher = require_teacher("hidden_kd", teacher)
        require_same_outputs("hidden_kd", student, teacher)
        if teacher.width != student.width:
            raise MismatchError(
                f"the teacher's hidden size is {teacher.width} and the student's {student.width}; hidden_kd "
                "compares their hidden states. Use a student made from this teacher, or method kd."
            )

    def losses(self, student: Net, teacher: Net | None, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Run both networks once, then compare outputs and hidden states."""
        assert teacher is not None  # check() has run
        with torch.no_grad():
            teacher_outputs = teacher(batch.for_teacher, hidden=True)
        return self.compare(student(batch.inputs, hidden=True), teacher_outputs, batch)

    def compare(self, student: Outputs, teacher: Outputs, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """The loss terms whose weight is not 0, as sums over scored examples."""
        terms = {}
        if self.state:
            pairs = uniform_map(self.states, len(student.hidden) - 1, len(teacher.hidden) - 1)
            mask = batch.inputs.mask
            distances = [token_distance(student.hidden[j], teacher.hidden[k], mask) for j, k in pairs]
            terms["state"] = self.state * masked_sum(torch.stack(distances).mean(0), batch.scored)
        if self.output:
            soft = output_loss(
                "forward_kl",
                student.logits,
                teacher.logits,
                temperature=self.temperature,
                multi_label=batch.multi_label,
            )
            terms["teacher"] = self.output * masked_sum(soft, batch.scored)
        if self.label:
            terms["label"] = self.label * labelled_sum(label_loss(student.logits, batch.labels), batch)
        return terms
