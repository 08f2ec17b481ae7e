"""PKD: distillation from a teacher's outputs and its intermediate layers."""

from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from lmdistill.core.batch import Batch, MixupSettings, Outputs
from lmdistill.core.errors import MismatchError
from lmdistill.core.protocols import Net
from lmdistill.methods.kd import KD
from lmdistill.methods.preconditions import require_range, require_teacher
from lmdistill.objectives.hidden_states import last_map, skip_map, state_distance
from lmdistill.objectives.reduction import masked_sum


@dataclass(frozen=True, kw_only=True)
class PKD:
    r"""KD plus a loss on the hidden states of the first token in several layers, of a decoder's last token.

    .. math:: L = L_{KD} + \beta \, \frac{1}{|M|} \sum_{(j, k) \in M} d(h^S_j, h^T_k)

    References:
        Sun et al., "Patient Knowledge Distillation for BERT Model Compression", 2019, eq. 7 and 8. The state
        term is the mean over layers and features, as in the released code (see `state_distance`). Ours: in a
        decoder with a classification head the last token of a text takes the place of [CLS].
    """

    kd: KD = field(default_factory=KD)
    """The label term and the teacher term."""

    beta: float = 100.0
    """Weight of the hidden-state term, >= 0; the paper searches 10 to 1000."""

    layers: Literal["skip", "last"] | tuple[tuple[int, int], ...] = "skip"
    """PKD-Skip, PKD-Last, or a list of (student layer, teacher layer) pairs; layers count from 1, 0 is the
    embedding output."""

    normalised: bool = True
    """Scale hidden states to unit length before they are compared."""

    def __post_init__(self) -> None:
        require_range("beta", self.beta, low=0)

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
        """Student and teacher must have the same classes and hidden size, and all pairs of layers exist."""
        self.kd.check(student, teacher)
        teacher = require_teacher("pkd", teacher)
        if teacher.width != student.width:
            raise MismatchError(
                f"the teacher's hidden size is {teacher.width} and the student's {student.width}; pkd "
                "compares their hidden states. Use a student made from this teacher, or method kd."
            )
        if teacher.num_layers < student.num_layers:
            raise MismatchError(
                f"the teacher has {teacher.num_layers} layers and the student {student.num_layers}; "
                "pkd pairs each student layer with a higher one. Use a student of fewer layers."
            )
        pairs = self.pairs(student.num_layers, teacher.num_layers)
        if not pairs:
            raise MismatchError(
                f"pkd pairs the layers below the last, and a student of {student.num_layers} layer has none. "
                "Use 2 or more student layers, or list the pairs in layers."
            )
        for j, k in pairs:
            if not (0 <= j <= student.num_layers and 0 <= k <= teacher.num_layers):
                raise MismatchError(
                    f"layers pairs student layer {j} with teacher layer {k}; the student has layers "
                    f"0 to {student.num_layers} and the teacher 0 to {teacher.num_layers}. "
                    "Choose layers in these ranges."
                )

    def pairs(self, student_layers: int, teacher_layers: int) -> tuple[tuple[int, int], ...]:
        """(student layer, teacher layer) pairs, counted from 1."""
        if isinstance(self.layers, str):
            return {"skip": skip_map, "last": last_map}[self.layers](student_layers, teacher_layers)
        return self.layers

    def losses(self, student: Net, teacher: Net | None, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Run both networks once, then compare outputs and hidden states."""
        assert teacher is not None  # check() has run
        with torch.no_grad():
            teacher_outputs = teacher(batch.for_teacher, hidden=True)
        return self.compare(student(batch.inputs, hidden=True), teacher_outputs, batch)

    def compare(self, student: Outputs, teacher: Outputs, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """The terms of KD and the hidden-state term, as sums over scored examples."""
        pairs = self.pairs(len(student.hidden) - 1, len(teacher.hidden) - 1)
        distances = [
            state_distance(student.read_state(j), teacher.read_state(k), normalised=self.normalised)
            for j, k in pairs
        ]
        state = torch.stack(distances).mean(0)
        terms = self.kd.compare(student, teacher, batch)
        return dict(**terms, state=self.beta * masked_sum(state, batch.scored))
