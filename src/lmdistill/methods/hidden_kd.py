"""Learn from a teacher's outputs and from the states of all its tokens (MiniDisc's loss)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lmdistill.core.batch import Batch, MixupSettings, Outputs
from lmdistill.core.errors import MismatchError
from lmdistill.core.protocols import Net
from lmdistill.methods.preconditions import require_range, require_same_outputs, require_teacher
from lmdistill.objectives.divergence import distillation_loss
from lmdistill.objectives.hidden_states import token_distance, uniform_map
from lmdistill.objectives.reduction import masked_sum
from lmdistill.objectives.supervised import label_loss


@dataclass(frozen=True, kw_only=True)
class HiddenKD:
    r"""States at evenly spaced layers, soft targets, and gold labels if asked for.

    .. math:: L_h = \frac{1}{|M|} \sum_{(j, k) \in M} MSE(h^S_j, h^T_k)
    .. math:: L = \alpha_h L_h + \alpha_o \tau^2 KL(f(x) / \tau, g(x) / \tau) + \alpha_y CE(y, g(x))

    The defaults are MiniDisc's loss. With `state=0.1` and `output=1` it is that of DynaBERT's width stage.

    References:
        Zhang et al., "MiniDisc", 2022, released code: half of the squared error of the states 0, 2, ... of 12
        layers, half of a soft cross-entropy. Deviations: the divergence is the forward KL, which has the same
        gradient and is 0 for a perfect student; a state term is the mean over an example's tokens, then over
        examples, where the released code takes all tokens of a batch together.
    """

    state: float = 0.5
    """Weight of the state term, >= 0."""

    output: float = 0.5
    """Weight of the teacher's outputs, >= 0."""

    label: float = 0.0
    """Weight of the gold labels, >= 0; the published loss has none."""

    temperature: float = 1.0
    """Softmax temperature of both networks, > 0. The teacher term is scaled by its square."""

    states: int = 7
    """States to compare, evenly spaced from the embeddings to the last layer, >= 2, at most all."""

    def __post_init__(self) -> None:
        for name in ("state", "output", "label"):
            require_range(name, getattr(self, name), low=0)
        require_range("temperature", self.temperature, low=0, open_low=True)
        require_range("states", self.states, low=2)

    @property
    def uses_teacher(self) -> bool:
        """Always."""
        return True

    @property
    def mixing(self) -> MixupSettings | None:
        """Nothing is mixed."""
        return None

    def check(self, student: Net, teacher: Net | None) -> None:
        """Both must predict the same classes, with states of the same width."""
        teacher = require_teacher("hidden_kd", teacher)
        require_same_outputs("hidden_kd", student, teacher)
        if teacher.width != student.width:
            raise MismatchError(
                f"the teacher's states have {teacher.width} features and the student's {student.width}; "
                "hidden_kd compares them directly. Use a student cut from this teacher, or method kd."
            )

    def losses(self, student: Net, teacher: Net | None, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Run both networks once, then compare outputs and states."""
        assert teacher is not None  # check() has run
        with torch.no_grad():
            theirs = teacher(batch.for_teacher, hidden=True)
        return self.compare(student(batch.inputs, hidden=True), theirs, batch)

    def compare(self, ours: Outputs, theirs: Outputs, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """The terms that have a weight; tokens that only one tokenizer has are not compared."""
        terms = {}
        if self.state:
            pairs = uniform_map(self.states, len(ours.hidden) - 1, len(theirs.hidden) - 1)
            mask = batch.inputs.mask
            distances = [token_distance(ours.hidden[j], theirs.hidden[k], mask) for j, k in pairs]
            terms["state"] = self.state * masked_sum(torch.stack(distances).mean(0), batch.scored)
        if self.output:
            soft = distillation_loss("forward_kl", ours.logits, theirs.logits, temperature=self.temperature)
            terms["teacher"] = self.output * masked_sum(soft, batch.scored)
        if self.label:
            terms["label"] = self.label * masked_sum(label_loss(ours.logits, batch.labels), batch.scored)
        return terms
