"""Fine-tuning on gold labels, without a teacher."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from lmdistill.core.batch import Batch, MixupSettings
from lmdistill.core.protocols import Net
from lmdistill.objectives.reduction import labelled_sum
from lmdistill.objectives.supervised import label_loss


@dataclass(frozen=True, kw_only=True)
class FineTune:
    r"""Cross-entropy with class labels, squared error with scores. A teacher is ignored.

    .. math:: L = -\frac{1}{n} \sum_i y_i \cdot \log softmax(g(x_i))

    References:
        Liang et al., "MixKD", 2021: L_MLE, used for the FT rows.
    """

    @property
    def uses_teacher(self) -> bool:
        """Always false: the method needs no teacher."""
        return False

    @property
    def mixing(self) -> MixupSettings | None:
        """None: no examples are interpolated."""
        return None

    def check(self, student: Net, teacher: Net | None) -> None:
        """Accept every student."""

    def losses(self, student: Net, teacher: Net | None, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """The label term."""
        logits = student(batch.inputs).logits
        return {"label": labelled_sum(label_loss(logits, batch.labels), batch)}
