"""How well a language model predicts tokens, and how like its teacher it is on easy and on hard ones."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from lmdistill.core.batch import Batch, LMHead
from lmdistill.core.errors import DataError, MismatchError
from lmdistill.core.protocols import LanguageNet
from lmdistill.evaluation.calibration import Bin, calibration_error, confidence_bins
from lmdistill.evaluation.inference import evaluation_mode
from lmdistill.evaluation.likelihood_by_position import Passage, by_passage, by_position
from lmdistill.objectives.adaptive_weights import hard_positions
from lmdistill.objectives.chunked.loss import chunked_log_uncertainty, token_statistics
from lmdistill.records.schema import Stretch, TokenGroup

HARD_SHARE = 0.5
"""Of the tokens that are called hard."""

HISTOGRAM_BINS = 20
"""Of the teacher's uncertainty, from 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class TeacherComparison:
    """A student beside its teacher."""

    whole: TokenGroup
    """All scored tokens."""

    easy: TokenGroup
    """Those that are not hard."""

    hard: TokenGroup
    """The `HARD_SHARE` of all tokens that are most uncertain to the teacher; ties go hard."""

    threshold: float
    """The least uncertainty, 1 - p(token), of a hard token, in [0, 1]."""

    histogram: tuple[int, ...]
    """Tokens by the teacher's uncertainty, in `HISTOGRAM_BINS` equal bins of [0, 1], the surest first."""


@dataclass(frozen=True, kw_only=True)
class LanguageScores:
    """A language model on the scored tokens of a data set."""

    tokens: int
    """Scored tokens, >= 1."""

    nats: float
    """Mean of -log q(token), >= 0."""

    accuracy: float
    """Share of tokens that have the highest probability, in [0, 1]."""

    calibration_error: float
    """Expected calibration error of the most likely token, in [0, 1]."""

    reliability: tuple[Bin, ...]
    """Its 15 bins, the least confident first."""

    imitation: TeacherComparison | None
    """Beside the teacher; None without one."""

    passages: Mapping[int, Passage]
    """Each text, by its row number; empty where batches give no numbers."""

    positions: tuple[Stretch, ...]
    """From early to late tokens."""

    @property
    def perplexity(self) -> float:
        """The exponential of the nats a token, >= 1."""
        return math.exp(self.nats) if self.nats < 700 else math.inf

    def metrics(self) -> dict[str, float]:
        """The numbers by name, as a record keeps them; those beside the teacher only with one."""
        found = {
            "nats": self.nats,
            "perplexity": self.perplexity,
            "accuracy": self.accuracy,
            "calibration_error": self.calibration_error,
        }
        beside = self.imitation
        if beside is None:
            return found
        named = {"agreement": beside.whole.agreement, "teacher_nats": beside.whole.teacher_nats}
        for name, part in (("easy", beside.easy), ("hard", beside.hard)):
            named |= {f"{name}_nats": part.nats, f"{name}_agreement": part.agreement}
            named |= {f"{name}_teacher_nats": part.teacher_nats}
        return found | {name: value for name, value in named.items() if value is not None}


def language_scores(
    student: LanguageNet,
    batches: Iterable[Batch],
    *,
    teacher: LanguageNet | None = None,
    device: torch.device | str,
    on_batch: Callable[[int], None] = lambda num_examples: None,
) -> LanguageScores:
    """Read every scored token once; never hold more logits than those of a chunk of positions.

    Args:
        student: A network that is already on `device`.
        batches: Labels and scored positions of shape (b, t): the label at t is the token after input t.
        teacher: Of the same vocabulary, on `device`.
        device: Where to move each batch.
        on_batch: Told the number of examples after each batch, for a progress bar.

    Returns:
        Means over all scored tokens, wherever they stand; a token counts as much in a short text as in a long
        one.

    Raises:
        MismatchError: The vocabularies differ in size.
        DataError: No token is scored, or a likelihood of the student is not finite.

    References:
        Expected calibration error: Guo et al., 2017, of the top token. Easy and hard: Zhong et al., 2024,
        section 4, here over the whole data set.
    """
    if teacher is not None and teacher.vocabulary != student.vocabulary:
        raise MismatchError(
            f"the student writes {student.vocabulary} tokens and the teacher {teacher.vocabulary}; align "
            "them before they are compared."
        )
    parts = list(_read(student, teacher, batches, torch.device(device), on_batch))
    joined = {name: torch.cat([part[name] for part in parts]) for name in (parts[0] if parts else ())}
    if not joined or not len(joined["log_prob"]):
        raise DataError("no token is scored; check the split, its filters and the length of the prompts.")
    if not joined["log_prob"].isfinite().all():
        raise DataError("the student gives a token no finite likelihood; its training may have diverged.")
    right = joined["correct"].numpy()
    bins = confidence_bins(joined["top_prob"].double().numpy(), right)
    return LanguageScores(
        tokens=len(right),
        nats=-float(joined["log_prob"].double().mean()),
        accuracy=float(right.mean()),
        calibration_error=calibration_error(bins),
        reliability=bins,
        imitation=None if teacher is None else _imitation(joined),
        passages=by_passage(joined),
        positions=by_position(joined),
    )


def _read(
    student: LanguageNet,
    teacher: LanguageNet | None,
    batches: Iterable[Batch],
    device: torch.device,
    on_batch: Callable[[int], None],
) -> Iterator[Mapping[str, Tensor]]:
    """One number of each kind for each scored token of each batch, on the CPU."""
    with ExitStack() as quietly:
        for net in (student, teacher):
            if net is not None:
                quietly.enter_context(evaluation_mode(net))
        for batch in batches:
            there = batch.to(device)
            reader = _Reading(labels=there.labels[there.scored])
            found = dict(student(there.inputs, at=there.scored, head_fn=reader))
            if teacher is not None:
                beside = _Reading(labels=reader.labels, uncertain=True)
                other = teacher(there.for_teacher, at=there.scored, head_fn=beside)
                found |= {f"teacher_{name}": value for name, value in other.items()}
            found["position"] = there.scored.nonzero()[:, 1] + 1
            if there.examples is not None:
                found["row"] = there.examples.unsqueeze(-1).expand_as(there.scored)[there.scored]
            yield {name: value.cpu() for name, value in found.items()}
            on_batch(len(batch.scored))


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """The reader: what is kept of each position."""

    labels: Int[Tensor, " n"]
    uncertain: bool = False

    def __call__(self, states: Float[Tensor, "n d"], head: LMHead) -> Mapping[str, Tensor]:
        found = dict(token_statistics(states, head, self.labels))
        if self.uncertain:
            found["log_uncertainty"] = chunked_log_uncertainty(states, head, self.labels)
        return found


def _imitation(joined: Mapping[str, Tensor]) -> TeacherComparison:
    """Everything that needs both networks, from what was read of each token."""
    uncertain = joined["teacher_log_uncertainty"]
    hard = hard_positions(uncertain, uncertain, share=HARD_SHARE)
    counts, _ = np.histogram(uncertain.double().exp().numpy(), bins=HISTOGRAM_BINS, range=(0.0, 1.0))
    return TeacherComparison(
        whole=_scores(joined, torch.ones_like(hard)),
        easy=_scores(joined, ~hard),
        hard=_scores(joined, hard),
        threshold=float(uncertain[hard].min().double().exp()),
        histogram=tuple(int(count) for count in counts),
    )


def _scores(joined: Mapping[str, Tensor], chosen: Bool[Tensor, " n"]) -> TokenGroup:
    """Means over the chosen tokens."""
    same = joined["top"] == joined["teacher_top"]
    return TokenGroup(
        count=int(chosen.sum()),
        nats=_mean(-joined["log_prob"][chosen]),
        agreement=_mean(same[chosen]),
        teacher_nats=_mean(-joined["teacher_log_prob"][chosen]),
    )


def _mean(values: Shaped[Tensor, " n"]) -> float | None:
    """In double precision; None of nothing."""
    return float(values.double().mean()) if len(values) else None
