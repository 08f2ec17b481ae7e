"""Knowledge distillation from a teacher's outputs."""

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from lmdistill.core.batch import Batch, MixupSettings, Outputs
from lmdistill.core.protocols import Net
from lmdistill.methods.preconditions import require_range, require_same_outputs, require_teacher
from lmdistill.methods.teacher_outputs import teacher_outputs
from lmdistill.objectives.multi_label import output_loss
from lmdistill.objectives.reduction import answered_sum, labelled_sum
from lmdistill.objectives.supervised import label_loss


@dataclass(frozen=True, kw_only=True)
class KD:
    r"""Knowledge distillation: gold labels and the teacher's soft targets.

    .. math:: L = (1 - \alpha) \, CE(y, g(x)) + \alpha \, \tau^2 \, D(f(x) / \tau, g(x) / \tau)

    f is the teacher, g the student, D the divergence. For a regression, the teacher term is the squared error
    of the scores. With several labels a text, both terms are means over labels: the binary cross-entropy, and
    D between the two Bernoulli distributions of each label.

    References:
        Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, section 2. Defaults: alpha is the
        middle of the grid of Sun et al., 2019 (0.2 to 0.7); their temperatures (5 to 20) belong to a loss
        that is also divided by the number of classes, so the default is the more common 2.
    """

    alpha: float = 0.5
    """Weight of the teacher term, in [0, 1]; the label term has 1 - alpha."""

    temperature: float = 2.0
    """Softmax temperature of both networks, > 0. The teacher term is scaled by its square."""

    divergence: Literal["forward_kl", "reverse_kl", "jensen_shannon", "mse", "soft_cross_entropy"] = (
        "forward_kl"
    )
    """D; `mse` compares logits and does not depend on the temperature."""

    def __post_init__(self) -> None:
        require_range("alpha", self.alpha, low=0, high=1)
        require_range("temperature", self.temperature, low=0, open_low=True)

    @property
    def uses_teacher(self) -> bool:
        """Always true: the method learns from a teacher."""
        return True

    @property
    def teacher_input(self) -> Literal["none", "logits", "network"]:
        """The logits of the teacher are enough."""
        return "logits"

    @property
    def reads_stored_logits(self) -> bool:
        """Always true: the teacher term compares logits for the original examples."""
        return True

    @property
    def mixing(self) -> MixupSettings | None:
        """None: no examples are interpolated."""
        return None

    def check(self, student: Net, teacher: Net | None) -> None:
        """Student and teacher must have the same classes in the same order."""
        require_same_outputs("kd", student, require_teacher("kd", teacher))

    def losses(self, student: Net, teacher: Net | None, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Run both networks once, or read stored outputs of the teacher, then compare them."""
        assert teacher is not None  # check() has run
        return self.compare(student(batch.inputs), teacher_outputs(teacher, batch), batch)

    def compare(self, student: Outputs, teacher: Outputs, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """The label term and the teacher term, as sums over scored examples."""
        soft = output_loss(
            self.divergence,
            student.logits,
            teacher.logits,
            temperature=self.temperature,
            multi_label=batch.multi_label,
        )
        hard = label_loss(student.logits, batch.labels)
        return {
            "label": (1 - self.alpha) * labelled_sum(hard, batch),
            "teacher": self.alpha * answered_sum(soft, batch),
        }
