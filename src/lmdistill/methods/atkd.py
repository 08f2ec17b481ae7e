"""Learn from a teacher by how uncertain it is."""

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
    TeacherStates,
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
    r"""Easy tokens teach their diversity only, hard ones their target as well, with separate weights.

    .. math:: L = \lambda \, mean_{easy}(D_d) + (1 - \lambda) \, mean_{hard}(D_t + D_d)

    D_t is the divergence of the two-way distributions (target against the rest), D_d that of the
    distributions without the target. Hard are the tokens at which the teacher's 1 - p(target) is among the
    largest `share`; the teacher decides that also when the divergence is reversed. It goes on top of any
    divergence and any source of tokens. There is no cross-entropy and, by default, no temperature, as in the
    released script.

    References:
        Zhong et al., "Revisiting Knowledge Distillation for Autoregressive Language Models", 2024. The target
        is the next token of the text, not the teacher's choice. Deviations: the threshold is an exact order
        statistic (see `objectives.hardness`); divergences other than the two Kullback-Leibler ones are split
        in the same way, which the paper does not say.
    """

    divergence: TokenDivergence = "forward_kl"
    """D."""

    beta: float = 0.5
    """Weight of the teacher in the mixture of jensen_shannon, in (0, 1)."""

    skew: float = 0.1
    """Share of the other side in the skew divergences, in (0, 1)."""

    temperature: float = 1.0
    """Softmax temperature of both networks in D, > 0; the split has none."""

    share: float = 0.5
    """Share of the tokens that are hard, in (0, 1)."""

    easy_weight: float = 0.2
    """lambda, in [0, 1]."""

    scope: Literal["micro_batch", "step"] = "step"
    """Where the split is made and the means are taken: in each micro-batch, as published, or over the whole
    optimizer step, so that neither accumulation nor the number of processes changes what is learned."""

    completions: Completions = field(default_factory=Completions)
    """Where the tokens come from."""

    def __post_init__(self) -> None:
        require_range("temperature", self.temperature, low=0, open_low=True)
        require_range("easy_weight", self.easy_weight, low=0, high=1)
        for name in ("beta", "skew", "share"):
            require_open_unit_interval(name, getattr(self, name))

    @property
    def uses_teacher(self) -> bool:
        """Always."""
        return True

    @property
    def mixing(self) -> MixupSettings | None:
        """Nothing is mixed."""
        return None

    @property
    def needs_prepass(self) -> bool:
        """Whether the split needs all of the step."""
        return self.scope == "step"

    def check(self, student: Net, teacher: Net | None) -> None:
        """A teacher with the same vocabulary is needed."""
        require_language_pair("atkd", student, require_teacher("atkd", teacher, without="sft"))

    def prepass(self, teacher: Net | None, batch: Batch) -> TeacherPrepass:
        """The teacher's log-uncertainty of each scored token."""
        theirs = run_teacher(teacher, batch)
        own = chunked_log_uncertainty(theirs.states, theirs.head, scored_labels(batch))
        return TeacherPrepass(scores=own, states=theirs.states, head=theirs.head, step_scores=own)

    def losses(self, student: Net, teacher: Net | None, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """The target part of the hard tokens, and the diversity part of all."""
        found = batch.prepass if batch.prepass is not None else self.prepass(teacher, batch)
        if len(found.step_scores) < 2:
            raise MismatchError(
                f"a {self.scope.replace('_', '-')} has {len(found.step_scores)} scored token, and atkd sorts "
                "tokens into easy and hard ones: it needs 2. Set scope: step, or take larger batches."
            )
        target, diversity = adaptive_weights(
            found.scores, found.step_scores, share=self.share, easy_weight=self.easy_weight
        )
        terms = LossTerms(
            divergence=self.divergence,
            beta=self.beta,
            skew=self.skew,
            temperature=self.temperature,
            target=target,
            diversity=diversity,
        )
        labels, theirs = scored_labels(batch), TeacherStates(states=found.states, head=found.head)

        def objective(states: Float[Tensor, "n d"], head: LMHead) -> ChunkedLoss:
            return chunked_losses(
                states, head, labels, terms=terms, teacher_states=theirs.states, teacher_head=theirs.head
            )

        return student_losses(student, batch, objective)
