"""ATKD: token distillation weighted by the uncertainty of the teacher."""

from dataclasses import dataclass, field
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from lmdistill.core.batch import Batch, LMHead, MixupSettings, TeacherPrepass
from lmdistill.core.completions import Completions
from lmdistill.core.errors import MismatchError
from lmdistill.core.protocols import Net
from lmdistill.methods.preconditions import require_range, require_teacher
from lmdistill.methods.token_forward import (
    require_language_pair,
    run_teacher,
    scored_labels,
    student_losses,
)
from lmdistill.methods.token_kd import TokenDivergence, require_open_unit_interval
from lmdistill.objectives.adaptive_weights import adaptive_weights
from lmdistill.objectives.chunked.loss import ChunkedLoss, chunked_log_uncertainty, chunked_losses
from lmdistill.objectives.chunked.terms import LossTerms


@dataclass(frozen=True, kw_only=True)
class ATKD:
    r"""Decoupled token distillation: easy tokens use the diversity term only, hard tokens both terms.

    .. math:: L = \lambda \, mean_{easy}(D_d) + (1 - \lambda) \, mean_{hard}(D_t + D_d)

    D_t is the target term, the divergence of the two-way distributions (target against all others), and D_d
    the diversity term, the divergence of the distributions without the target. A token is hard if the
    teacher's 1 - p(target) is among the largest `share` of all, also for reversed divergences. Any divergence
    and any source of completions can be used. There is no cross-entropy and, by default, no temperature, as
    in the released script.

    References:
        Zhong et al., "Revisiting Knowledge Distillation for Autoregressive Language Models", 2024. The target
        is the next token of the text, not the teacher's prediction. Deviations: the threshold is an exact
        order statistic (see `objectives.adaptive_weights`) and all tokens of a step are averaged together,
        unless `scope` is `released`; divergences other than the two Kullback-Leibler divergences are split in
        the same way, which the paper does not specify.
    """

    divergence: TokenDivergence = "forward_kl"
    """D, the divergence between the distributions of student and teacher."""

    beta: float = 0.5
    """Weight of the teacher in the mixture of jensen_shannon, in (0, 1)."""

    skew: float = 0.1
    """Weight of the first distribution in the mixture of the skew divergences, in (0, 1)."""

    temperature: float = 1.0
    """Softmax temperature of both networks in D, > 0; the split into easy and hard tokens uses 1."""

    share: float = 0.5
    """Fraction of the tokens that are hard, in (0, 1)."""

    easy_weight: float = 0.2
    """lambda, the weight of the easy tokens, in [0, 1]; hard tokens have 1 - lambda."""

    scope: Literal["released", "micro_batch", "step"] = "step"
    """Tokens that are split and averaged together: those of the optimizer step, so that gradient accumulation
    and the number of processes do not change the result; those of a micro-batch, whose mean then counts by
    its tokens; or `released`, exactly as in the released code: those of a micro-batch, split at their lower
    median, and the means of all micro-batches count equally, however many tokens they have."""

    completions: Completions = field(default_factory=Completions)
    """Source of the completions that are trained on."""

    def __post_init__(self) -> None:
        require_range("temperature", self.temperature, low=0, open_low=True)
        require_range("easy_weight", self.easy_weight, low=0, high=1)
        for name in ("beta", "skew", "share"):
            require_open_unit_interval(name, getattr(self, name))

    @property
    def uses_teacher(self) -> bool:
        """Always true: the method learns from a teacher."""
        return True

    @property
    def mixing(self) -> MixupSettings | None:
        """None: no examples are interpolated."""
        return None

    @property
    def needs_prepass(self) -> bool:
        """True if tokens are split over the whole optimizer step."""
        return self.scope == "step"

    def check(self, student: Net, teacher: Net | None) -> None:
        """Student and teacher must be language models with the same vocabulary."""
        require_language_pair("atkd", student, require_teacher("atkd", teacher, without="sft"))

    def prepass(self, teacher: Net | None, batch: Batch) -> TeacherPrepass:
        """Run the teacher; the scores are its log(1 - p(target)) at each scored token, in nats."""
        final = run_teacher(teacher, batch)
        scores = chunked_log_uncertainty(final.states, final.head, scored_labels(batch))
        return TeacherPrepass(scores=scores, states=final.states, head=final.head, step_scores=scores)

    def losses(self, student: Net, teacher: Net | None, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """The target term of the hard tokens and the diversity term of all tokens."""
        prepass = batch.prepass if batch.prepass is not None else self.prepass(teacher, batch)
        target, diversity = self._weights(prepass, batch)
        terms = LossTerms(
            divergence=self.divergence,
            beta=self.beta,
            skew=self.skew,
            temperature=self.temperature,
            target=target,
            diversity=diversity,
        )
        labels = scored_labels(batch)

        def objective(states: Float[Tensor, "n d"], head: LMHead) -> ChunkedLoss:
            return chunked_losses(
                states, head, labels, terms=terms, teacher_states=prepass.states, teacher_head=prepass.head
            )

        return student_losses(student, batch, objective)

    def _weights(
        self, prepass: TeacherPrepass, batch: Batch
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
        """Weights of the target term and of the diversity term at the scored tokens of a micro-batch."""
        if len(prepass.step_scores) < 2:
            raise MismatchError(
                f"a {'step' if self.needs_prepass else 'micro-batch'} has {len(prepass.step_scores)} scored "
                "token, and atkd sorts tokens into easy and hard ones: it needs 2. Set scope: step, or use "
                "larger batches."
            )
        released = self.scope == "released"
        target, diversity = adaptive_weights(
            prepass.scores,
            prepass.step_scores,
            share=self.share,
            easy_weight=self.easy_weight,
            lower_median=released,
        )
        if not released or batch.equal_share is None:
            return target, diversity
        return target * batch.equal_share, diversity * batch.equal_share
