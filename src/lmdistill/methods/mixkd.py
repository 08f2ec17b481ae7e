"""MixKD: distillation on examples interpolated by mixup."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from lmdistill.core.batch import Batch, Inputs, MixedExamples, MixupSettings
from lmdistill.core.protocols import Net
from lmdistill.data.mixup import stack_inputs
from lmdistill.methods.preconditions import require_range, require_same_outputs, require_teacher
from lmdistill.methods.teacher_outputs import teacher_outputs
from lmdistill.objectives.multi_label import output_loss
from lmdistill.objectives.reduction import answered_sum, labelled_sum, masked_sum
from lmdistill.objectives.supervised import label_loss, mixed_label_loss


@dataclass(frozen=True, kw_only=True)
class MixKD:
    r"""Gold labels on original examples; mixed labels and the teacher's outputs on interpolated ones.

    .. math:: L = L_{MLE} + \alpha_{SM} L_{SM} + \alpha_{TMKD} \, d(f(x'), g(x'))
    .. math:: x' = \lambda x_i + (1 - \lambda) x_j, \quad \lambda \sim Beta(0.4, 0.4)

    The defaults are the paper's SM+TMKD, `alpha_sm=0` is its TMKD, and `alpha_tmkd=0` is mixup training
    without distillation, which needs no teacher. With `ratio` mixed examples for each original, L_SM and
    L_TMKD are means over all of them.

    References:
        Liang et al., "MixKD: Towards Efficient Distillation of Large-scale Language Models", ICLR 2021,
        section 3. Choices that the paper does not specify: the distance compares logits (equations 3 and 7
        have probabilities f(x), see `distance`) and averages over classes; each network interpolates its own
        word embeddings, before position embeddings and LayerNorm; the attention mask is the union of both,
        and padding has the embedding zero; lambda is drawn for each example and not folded; segment
        embeddings are interpolated as well.
    """

    alpha_sm: float = 1.0
    """Weight of L_SM, the mixed-label term of the student, >= 0."""

    alpha_tmkd: float = 1.0
    """Weight of L_TMKD, the teacher term on mixed examples, >= 0; if this and alpha_kd are 0, no teacher is
    needed."""

    alpha_kd: float = 0.0
    """Weight of an additional teacher term on the original examples, >= 0; the paper has none."""

    distance: Literal[
        "mse", "mse_probabilities", "soft_cross_entropy", "forward_kl", "reverse_kl", "jensen_shannon"
    ] = "mse"
    """d, the loss between the outputs of student and teacher. The paper's experiments use the mean squared
    error, of logits (`mse`) or of probabilities (`mse_probabilities`): its text leaves that open."""

    temperature: float = 1.0
    """Softmax temperature of both networks in the teacher terms, > 0; no effect on `mse`."""

    ratio: int = 1
    """Mixed examples for each original example, >= 1; the paper uses 1 to 3."""

    concentration: float = 0.4
    """Both parameters of the Beta distribution from which lambda is drawn, > 0."""

    share: Literal["sample", "batch"] = "sample"
    """Draw one lambda for each mixed example, or one for each batch."""

    fold: bool = False
    """Replace lambda by max(lambda, 1 - lambda), so that the first example dominates."""

    partner: Literal["train", "batch"] = "train"
    """Draw second examples uniformly from the training set, or from the same batch; never the example itself.
    With `training.group_by_length`, examples of a batch have nearly the same length."""

    segments: Literal["mix", "keep"] = "mix"
    """Interpolate the segment embeddings of text pairs as well, or keep those of the first example."""

    def __post_init__(self) -> None:
        for name in ("alpha_sm", "alpha_tmkd", "alpha_kd"):
            require_range(name, getattr(self, name), low=0)
        require_range("temperature", self.temperature, low=0, open_low=True)
        require_range("concentration", self.concentration, low=0, open_low=True)
        require_range("ratio", self.ratio, low=1)

    @property
    def uses_teacher(self) -> bool:
        """True unless both teacher terms have the weight 0."""
        return self.alpha_tmkd > 0 or self.alpha_kd > 0

    @property
    def teacher_input(self) -> Literal["none", "logits", "network"]:
        """The teacher has to be run on mixed examples, unless their term has the weight 0."""
        return "none" if not self.uses_teacher else "network" if self.alpha_tmkd > 0 else "logits"

    @property
    def reads_stored_logits(self) -> bool:
        """Whether the teacher term on original examples is used."""
        return self.alpha_kd > 0

    @property
    def mixing(self) -> MixupSettings | None:
        """Settings of mixup; None if both mixed terms have the weight 0."""
        if self.alpha_sm == 0 and self.alpha_tmkd == 0:
            return None
        return MixupSettings(
            ratio=self.ratio,
            concentration=self.concentration,
            share=self.share,
            fold=self.fold,
            partner=self.partner,
            segments=self.segments,
        )

    def check(self, student: Net, teacher: Net | None) -> None:
        """If a teacher is used, it must have the student's classes in the same order."""
        if self.uses_teacher:
            require_same_outputs("mixkd", student, require_teacher("mixkd", teacher))

    def losses(self, student: Net, teacher: Net | None, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Run the student once on original and mixed examples, and the teacher once where it is needed."""
        size = len(batch.labels)
        logits = student(_all_inputs(batch)).logits
        terms = {"label": labelled_sum(label_loss(logits[:size], batch.labels), batch)}
        teacher_logits, teacher_mixed_logits = self._teacher_logits(teacher, batch)
        if teacher_logits is not None:
            distances = self._distance(logits[:size], teacher_logits, batch)
            terms["teacher"] = self.alpha_kd * answered_sum(distances, batch)
        if batch.mixed is None:
            return terms
        mixed_terms = self._mixed_terms(logits[size:], teacher_mixed_logits, batch.mixed)
        return dict(**terms, **mixed_terms)

    def _mixed_terms(
        self, student: Float[Tensor, "m v"], teacher: Float[Tensor, "m v"] | None, mixed: MixedExamples
    ) -> dict[str, Float[Tensor, ""]]:
        """L_SM and L_TMKD; a mixed example has the weight 1 / ratio."""
        terms = {}
        if self.alpha_sm > 0:
            losses = mixed_label_loss(
                student,
                mixed.labels,
                mixed.partner_labels,
                mixed.share,
                weights=mixed.weights,
                partner_weights=mixed.partner_weights,
            )
            terms["label_mixed"] = self.alpha_sm / self.ratio * labelled_sum(losses, mixed)
        if teacher is not None:
            distances = self._distance(student, teacher, mixed)
            terms["teacher_mixed"] = self.alpha_tmkd / self.ratio * masked_sum(distances, mixed.scored)
        return terms

    def _distance(
        self, student: Float[Tensor, "b v"], teacher: Float[Tensor, "b v"], part: Batch | MixedExamples
    ) -> Float[Tensor, " b"]:
        """The loss `distance` between the logits of student and teacher."""
        return output_loss(
            self.distance, student, teacher, temperature=self.temperature, multi_label=part.multi_label
        )

    @torch.no_grad()
    def _teacher_logits(self, teacher: Net | None, batch: Batch) -> tuple[Tensor | None, Tensor | None]:
        """The teacher's logits on original and on mixed examples; None where no term needs them."""
        if teacher is None or not self.uses_teacher:
            return None, None
        if batch.mixed is None or self.alpha_tmkd == 0:
            return teacher_outputs(teacher, batch).logits, None
        if self.alpha_kd == 0 or batch.stored is not None:
            known = None if self.alpha_kd == 0 or batch.stored is None else batch.stored.logits
            return known, teacher(batch.mixed.for_teacher).logits
        both = teacher(stack_inputs(batch.for_teacher, batch.mixed.for_teacher)).logits
        return both[: len(batch.labels)], both[len(batch.labels) :]


def _all_inputs(batch: Batch) -> Inputs:
    """The student's inputs: original and mixed examples."""
    return batch.inputs if batch.mixed is None else stack_inputs(batch.inputs, batch.mixed.inputs)
