"""Learn from a teacher on interpolated examples (MixKD)."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from lmdistill.core.batch import Batch, Inputs, MixedExamples, MixupSettings
from lmdistill.core.protocols import Net
from lmdistill.data.mixup import stack_inputs
from lmdistill.methods.preconditions import require_range, require_same_outputs, require_teacher
from lmdistill.objectives.divergence import distillation_loss
from lmdistill.objectives.reduction import masked_sum
from lmdistill.objectives.supervised import label_loss, mixed_label_loss


@dataclass(frozen=True, kw_only=True)
class MixKD:
    r"""Gold labels on the originals; mixed labels and the teacher's outputs on interpolations of them.

    .. math:: L = L_{MLE} + \alpha_{SM} L_{SM} + \alpha_{TMKD} \, d(f(x'), g(x'))
    .. math:: x' = \lambda x_i + (1 - \lambda) x_j, \quad \lambda \sim Beta(0.4, 0.4)

    `alpha_sm=0` is the paper's TMKD, the defaults its SM+TMKD, `alpha_tmkd=0` plain mixup training, for
    which no teacher is needed. With `ratio` mixed samples an original, L_SM and L_TMKD are means over all of
    them.

    References:
        Liang et al., "MixKD: Towards Efficient Distillation of Large-scale Language Models", ICLR 2021,
        section 3. Where the paper is silent: the distance compares logits and averages over classes; word
        embeddings are interpolated before positions and LayerNorm, each network in its own table; masks are
        united, padding counts as zero; lambda is drawn a sample, not folded; segments are interpolated too.
    """

    alpha_sm: float = 1.0
    """Weight of the mixed-label term on the student, >= 0."""

    alpha_tmkd: float = 1.0
    """Weight of the teacher term on mixed examples, >= 0; at 0 (and alpha_kd 0) no teacher is needed."""

    alpha_kd: float = 0.0
    """Weight of an additional teacher term on the originals, >= 0; the paper has none."""

    distance: Literal["mse", "soft_cross_entropy", "forward_kl", "reverse_kl", "jensen_shannon"] = "mse"
    """How student and teacher are compared; the paper's experiments use `mse`."""

    temperature: float = 1.0
    """Softmax temperature of both networks in the teacher terms, > 0; without effect on `mse`."""

    ratio: int = 1
    """Mixed examples an original, >= 1; the paper sweeps 1 to 3."""

    concentration: float = 0.4
    """Both parameters of lambda's Beta distribution, > 0."""

    share: Literal["sample", "batch"] = "sample"
    """One lambda for each example, or one for each batch."""

    fold: bool = False
    """Use max(lambda, 1 - lambda)."""

    partner: Literal["batch", "train"] = "batch"
    """Partners from the same batch (a permutation), or from the whole training set (uniformly)."""

    segments: Literal["mix", "keep"] = "mix"
    """Interpolate the segment embeddings of text pairs too, or keep the first example's."""

    def __post_init__(self) -> None:
        for name in ("alpha_sm", "alpha_tmkd", "alpha_kd"):
            require_range(name, getattr(self, name), low=0)
        require_range("temperature", self.temperature, low=0, open_low=True)
        require_range("concentration", self.concentration, low=0, open_low=True)
        require_range("ratio", self.ratio, low=1)

    @property
    def uses_teacher(self) -> bool:
        """Unless both teacher terms are off."""
        return self.alpha_tmkd > 0 or self.alpha_kd > 0

    @property
    def mixing(self) -> MixupSettings | None:
        """What the sampler draws; nothing when both mixed terms are off."""
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
        """A teacher that is used must predict the same classes."""
        if self.uses_teacher:
            require_same_outputs("mixkd", student, require_teacher("mixkd", teacher))

    def losses(self, student: Net, teacher: Net | None, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """One pass of the student over originals and mixed examples, one of the teacher over its part."""
        size = len(batch.labels)
        ours = student(_rows(batch)).logits
        terms = {"label": masked_sum(label_loss(ours[:size], batch.labels), batch.scored)}
        theirs, theirs_mixed = self._answers(teacher, batch)
        if theirs is not None:
            terms["teacher"] = self.alpha_kd * masked_sum(self._distance(ours[:size], theirs), batch.scored)
        if batch.mixed is None:
            return terms
        mixed_terms = self._mixed_terms(ours[size:], theirs_mixed, batch.mixed)
        return dict(**terms, **mixed_terms)

    def _mixed_terms(
        self, ours: Float[Tensor, "m v"], theirs: Float[Tensor, "m v"] | None, mixed: MixedExamples
    ) -> dict[str, Float[Tensor, ""]]:
        """L_SM and L_TMKD; each of the `ratio` mixed samples of an original weighs 1 / ratio."""
        terms = {}
        if self.alpha_sm > 0:
            losses = mixed_label_loss(ours, mixed.labels, mixed.partner_labels, mixed.share)
            terms["label_mixed"] = self.alpha_sm / self.ratio * masked_sum(losses, mixed.scored)
        if theirs is not None:
            distances = self._distance(ours, theirs)
            terms["teacher_mixed"] = self.alpha_tmkd / self.ratio * masked_sum(distances, mixed.scored)
        return terms

    def _distance(self, ours: Float[Tensor, "b v"], theirs: Float[Tensor, "b v"]) -> Float[Tensor, " b"]:
        """The chosen distance at the chosen temperature."""
        return distillation_loss(self.distance, ours, theirs, temperature=self.temperature)

    @torch.no_grad()
    def _answers(self, teacher: Net | None, batch: Batch) -> tuple[Tensor | None, Tensor | None]:
        """The teacher's logits on the originals and on the mixed examples, each only if its term is on."""
        if teacher is None or not self.uses_teacher:
            return None, None
        if batch.mixed is None or self.alpha_tmkd == 0:
            return teacher(batch.for_teacher).logits, None
        if self.alpha_kd == 0:
            return None, teacher(batch.mixed.for_teacher).logits
        both = teacher(stack_inputs(batch.for_teacher, batch.mixed.for_teacher)).logits
        return both[: len(batch.labels)], both[len(batch.labels) :]


def _rows(batch: Batch) -> Inputs:
    """Everything the student reads."""
    return batch.inputs if batch.mixed is None else stack_inputs(batch.inputs, batch.mixed.inputs)
