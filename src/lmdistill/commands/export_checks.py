"""Whether an exported graph answers as its network does, and how well, on given texts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Num
from scipy.stats import binomtest

from lmdistill.core.errors import ModelError
from lmdistill.core.seeding import generator
from lmdistill.data.tasks.task_spec import TaskSpec
from lmdistill.evaluation.task_quality import task_calibration, task_scores
from lmdistill.metrics.multi_label import predicted_labels
from lmdistill.models.classifier import Network
from lmdistill.serving.estimate import Estimate
from lmdistill.serving.manifest import Answers
from lmdistill.serving.predictor import Predictor

TOLERANCE = 1e-3
"""Largest difference of a float32 graph's logits from torch's."""

CONFIDENCE = 0.95
"""Share of draws of the texts in which an interval holds the true number."""

RESAMPLES = 1000
"""Draws of a bootstrap."""

SAME_SCORE = 0.1
"""Scores are the same answer up to this share of their standard deviation."""

Logits = Float[np.ndarray, "n v"]


@dataclass(frozen=True, kw_only=True)
class CheckTexts:
    """Texts on which graphs are checked, with their labels if these are known."""

    first: list[str]
    """The texts, or the first text of each pair."""

    second: list[str] | None
    """The second text of each pair."""

    source: str
    """What they are, for people."""

    spec: TaskSpec | None = None
    """Their task; None without labels."""

    labels: Num[np.ndarray, "n *labels"] | None = None
    """Class numbers, scores, or rows of 0 and 1."""

    def chosen(self, rows: Sequence[int]) -> tuple[list[str], list[str] | None]:
        """Some of the texts or pairs."""
        return [self.first[row] for row in rows], None if self.second is None else [
            self.second[row] for row in rows
        ]


def require_same_tokens(predictor: Predictor, network: Network, texts: CheckTexts, length: int) -> None:
    """Check that the exported tokenizer gives the ids of the network's on every text.

    Raises:
        ModelError: It does not, as a tokenizer of another model.
    """
    ours = network.tokenizer(
        texts.first, texts.second, truncation="longest_first", max_length=length, add_special_tokens=True
    )["input_ids"]
    theirs = predictor.encode(texts.first, texts.second)
    for row, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        if list(one) != list(other.ids):
            raise ModelError(
                f"tokenizer.json splits text {row + 1} of the {texts.source} into {len(other.ids)} pieces "
                f"other than the network's tokenizer ({len(one)} pieces). Nothing was written; save the "
                "model with its own tokenizer."
            )


def require_equal(predictor: Predictor, texts: CheckTexts, found: Logits, expected: Logits) -> None:
    """Check a float32 graph: all texts, and the shortest, median and longest one alone and in one batch.

    Args:
        predictor: The graph.
        texts: What is answered.
        found: The graph's logits.
        expected: The network's logits.

    Raises:
        ModelError: They differ by more than rounding.
    """
    _require_close(found, expected, "the graph's logits")
    rows = predictor.encode(texts.first, texts.second)
    order = sorted(range(len(rows)), key=lambda row: len(rows[row].ids))
    chosen = [order[0], order[len(order) // 2], order[-1]]
    for row in chosen:
        alone = predictor.run(predictor.padded([rows[row]]))
        _require_close(alone, expected[[row]], f"the graph's logits of a text of {len(rows[row].ids)} tokens")
    batch = predictor.run(predictor.padded([rows[row] for row in chosen]))
    sizes = " and ".join(str(len(rows[row].ids)) for row in chosen)
    _require_close(batch, expected[chosen], f"the graph's logits of texts of {sizes} tokens in one batch")


def _require_close(found: Logits, expected: Logits, what: str) -> None:
    """Refuse differences that are more than rounding."""
    largest = float(np.abs(found - expected).max())
    if not largest <= TOLERANCE:
        raise ModelError(
            f"{what} differ from the network's by up to {largest:.2g}, and at most {TOLERANCE:g} is "
            "rounding. Nothing was written; please report this family."
        )


def require_agreement(graph: str, found: Estimate, texts: int, least: float) -> None:
    """Refuse an 8-bit graph that answers too many texts in another way.

    Raises:
        ModelError: Its agreement, not its interval, is below `least`.
    """
    if found.value < least:
        raise ModelError(
            f"{graph} gives the answer of the float32 network on {100 * found.value:.2f} % of {texts} texts "
            f"(95 % interval {100 * found.low:.2f} to {100 * found.high:.2f}), and --min-agreement is "
            f"{least:g}. Nothing was written; leave --int8 out, or lower it."
        )


def same_answers(one: Logits, other: Logits, answers: Answers) -> Bool[np.ndarray, " n"]:
    """Whether two networks answer each text alike.

    That is the same class, the same labels, or a score that differs by a tenth of the standard deviation of
    the first network's scores at most.
    """
    if answers.kind == "classification":
        return np.asarray(one.argmax(1) == other.argmax(1))
    if answers.kind == "regression":
        return np.asarray(np.abs(one - other)[:, 0] <= SAME_SCORE * one.std())
    both = (predicted_labels(logits, answers.thresholds) for logits in (one, other))
    return np.asarray(np.equal(*both).all(axis=1))


def agreement(one: Logits, other: Logits, answers: Answers) -> Estimate:
    """Share of the texts that two networks answer alike, with its exact interval.

    References:
        Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the
        binomial", 1934.
    """
    same = same_answers(one, other, answers)
    interval = binomtest(int(same.sum()), len(same)).proportion_ci(CONFIDENCE, method="exact")
    return Estimate(value=float(same.mean()), low=float(interval.low), high=float(interval.high))


def quality(
    texts: CheckTexts, logits: Logits, thresholds: Sequence[float] | None
) -> tuple[dict[str, Estimate], Estimate | None]:
    """The task's metrics and the expected calibration error, each with its interval.

    Intervals are percentiles of a bootstrap over the texts, the same draws for every network, so that
    two networks are compared on the same texts. A calibration error is biased upwards, and more so in a
    resample: its interval may lie above the number.

    Args:
        texts: With labels and their task; without, nothing is found.
        logits: Of a network.
        thresholds: Of several labels a text; None is 0.5 for all.
    """
    if texts.spec is None or texts.labels is None:
        return {}, None
    spec, labels = texts.spec, texts.labels

    def numbers(rows: Int[np.ndarray, " n"]) -> list[float]:
        scores = task_scores(spec.metrics, labels[rows], logits[rows], thresholds)
        if spec.kind == "regression":
            return list(scores.values())
        errors, _ = task_calibration(labels[rows], logits[rows])
        return [*scores.values(), errors["expected_calibration_error"]]

    found = bootstrap(numbers, len(labels))
    scores = dict(zip(spec.metrics, found, strict=False))
    return scores, None if spec.kind == "regression" else found[-1]


def bootstrap(numbers: Callable[[Int[np.ndarray, " n"]], Sequence[float]], size: int) -> list[Estimate]:
    """Numbers of all rows, each with the percentile interval of a bootstrap.

    Args:
        numbers: From row numbers to the numbers of interest.
        size: Number of rows.

    References:
        Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
    """
    draw = generator(0, "bootstrap")
    values = np.array([numbers(draw.integers(size, size=size)) for _ in range(RESAMPLES)])
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
    return [
        Estimate(value=float(value), low=float(under), high=float(over))
        for value, under, over in zip(numbers(np.arange(size)), low, high, strict=True)
    ]
