"""Likelihood, accuracy and calibration of a language model, and its agreement with a teacher."""

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
"""Share of the tokens that count as hard."""

HISTOGRAM_BINS = 20
"""Number of bins in the histogram of the teacher's uncertainty."""


@dataclass(frozen=True, kw_only=True)
class TeacherComparison:
    """Comparison of a student with its teacher.

    The teacher's uncertainty about a token is 1 - p(token), in [0, 1].
    """

    whole: TokenGroup
    """All scored tokens."""

    easy: TokenGroup
    """Scored tokens that are not hard."""

    hard: TokenGroup
    """The `HARD_SHARE` of the scored tokens with the highest uncertainty; ties count as hard."""

    threshold: float
    """Lowest uncertainty of a hard token, in [0, 1]."""

    histogram: tuple[int, ...]
    """Number of tokens by uncertainty, in `HISTOGRAM_BINS` equal bins from 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class LanguageScores:
    """Scores of a language model on the scored tokens of a data set."""

    tokens: int
    """Number of scored tokens, >= 1."""

    nats: float
    """Mean negative log-likelihood per token, -log q(token), in nats, >= 0."""

    accuracy: float
    """Share of tokens that the model predicts as the most likely one, in [0, 1]."""

    calibration_error: float
    """Expected calibration error of the most likely token, in [0, 1]."""

    reliability: tuple[Bin, ...]
    """The 15 bins of the calibration error, by ascending confidence."""

    imitation: TeacherComparison | None
    """Comparison with the teacher; None without a teacher."""

    passages: Mapping[int, Passage]
    """Likelihood of each text by its row number; empty if batches have no example numbers."""

    positions: tuple[Stretch, ...]
    """Means by the position of a token in its text, from early to late."""

    @property
    def perplexity(self) -> float:
        """Perplexity, exp(nats), >= 1; infinite if `nats` is 700 or more."""
        return math.exp(self.nats) if self.nats < 700 else math.inf

    def metrics(self) -> dict[str, float]:
        """All metrics by name, as stored in records; comparisons with the teacher only if there is one."""
        own = {
            "nats": self.nats,
            "perplexity": self.perplexity,
            "accuracy": self.accuracy,
            "calibration_error": self.calibration_error,
        }
        comparison = self.imitation
        if comparison is None:
            return own
        compared = {"agreement": comparison.whole.agreement, "teacher_nats": comparison.whole.teacher_nats}
        for name, group in (("easy", comparison.easy), ("hard", comparison.hard)):
            compared |= {f"{name}_nats": group.nats, f"{name}_agreement": group.agreement}
            compared |= {f"{name}_teacher_nats": group.teacher_nats}
        return own | {name: value for name, value in compared.items() if value is not None}


def language_scores(
    student: LanguageNet,
    batches: Iterable[Batch],
    *,
    teacher: LanguageNet | None = None,
    device: torch.device | str,
    on_batch: Callable[[int], None] = lambda num_examples: None,
) -> LanguageScores:
    """Evaluate a language model on all scored tokens; logits are computed in chunks to save memory.

    Args:
        student: A network that is already on `device`.
        batches: Batches with labels and `scored` of shape (b, t); label t is the token after input t.
        teacher: Network to compare with, on `device`, with the same vocabulary; None compares with none.
        device: Device to move each batch to.
        on_batch: Called with the number of examples after each batch, for a progress bar.

    Returns:
        Means over all scored tokens, each with the same weight regardless of the length of its text.

    Raises:
        MismatchError: The vocabularies differ in size.
        DataError: No token is scored, or a likelihood of the student is not finite.

    References:
        Expected calibration error: Guo et al., 2017, for the most likely token. Easy and hard tokens: Zhong
        et al., 2024, section 4, here over the whole data set.
    """
    if teacher is not None and teacher.vocabulary != student.vocabulary:
        raise MismatchError(
            f"the student predicts {student.vocabulary} tokens and the teacher {teacher.vocabulary}; align "
            "their vocabularies first."
        )
    parts = list(_read(student, teacher, batches, torch.device(device), on_batch))
    joined = {name: torch.cat([part[name] for part in parts]) for name in (parts[0] if parts else ())}
    if not joined or not len(joined["log_prob"]):
        raise DataError("no token is scored; check the split, its filters and the length of the prompts.")
    if not joined["log_prob"].isfinite().all():
        raise DataError(
            "the student's likelihood of some tokens is not finite; its training may have diverged."
        )
    correct = joined["correct"].numpy()
    bins = confidence_bins(joined["top_prob"].double().numpy(), correct)
    return LanguageScores(
        tokens=len(correct),
        nats=-float(joined["log_prob"].double().mean()),
        accuracy=float(correct.mean()),
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
    """Statistics of the scored tokens, for each batch: tensors by name of shape (n,), on the CPU."""
    with ExitStack() as stack:
        for net in (student, teacher):
            if net is not None:
                stack.enter_context(evaluation_mode(net))
        for cpu_batch in batches:
            batch = cpu_batch.to(device)
            of_student = _TokenStatistics(labels=batch.labels[batch.scored])
            statistics = dict(student(batch.inputs, at=batch.scored, head_fn=of_student))
            if teacher is not None:
                of_teacher = _TokenStatistics(labels=of_student.labels, uncertainty=True)
                values = teacher(batch.for_teacher, at=batch.scored, head_fn=of_teacher)
                statistics |= {f"teacher_{name}": value for name, value in values.items()}
            statistics["position"] = batch.scored.nonzero()[:, 1] + 1
            if batch.examples is not None:
                statistics["row"] = batch.examples.unsqueeze(-1).expand_as(batch.scored)[batch.scored]
            yield {name: value.cpu() for name, value in statistics.items()}
            on_batch(len(batch.scored))


@dataclass(frozen=True, kw_only=True)
class _TokenStatistics:
    """A head function that computes statistics of each scored token."""

    labels: Int[Tensor, " n"]
    uncertainty: bool = False

    def __call__(self, states: Float[Tensor, "n d"], head: LMHead) -> Mapping[str, Tensor]:
        statistics = dict(token_statistics(states, head, self.labels))
        if self.uncertainty:
            statistics["log_uncertainty"] = chunked_log_uncertainty(states, head, self.labels)
        return statistics


def _imitation(joined: Mapping[str, Tensor]) -> TeacherComparison:
    """Compare student and teacher, from the statistics of all scored tokens."""
    log_uncertainty = joined["teacher_log_uncertainty"]
    hard = hard_positions(log_uncertainty, log_uncertainty, share=HARD_SHARE)
    counts, _ = np.histogram(log_uncertainty.double().exp().numpy(), bins=HISTOGRAM_BINS, range=(0.0, 1.0))
    return TeacherComparison(
        whole=_scores(joined, torch.ones_like(hard)),
        easy=_scores(joined, ~hard),
        hard=_scores(joined, hard),
        threshold=float(log_uncertainty[hard].min().double().exp()),
        histogram=tuple(int(count) for count in counts),
    )


def _scores(joined: Mapping[str, Tensor], selected: Bool[Tensor, " n"]) -> TokenGroup:
    """Means over the selected tokens."""
    agrees = joined["top"] == joined["teacher_top"]
    return TokenGroup(
        count=int(selected.sum()),
        nats=_mean(-joined["log_prob"][selected]),
        agreement=_mean(agrees[selected]),
        teacher_nats=_mean(-joined["teacher_log_prob"][selected]),
    )


def _mean(values: Shaped[Tensor, " n"]) -> float | None:
    """Mean in double precision; None if there are no values."""
    return float(values.double().mean()) if len(values) else None
