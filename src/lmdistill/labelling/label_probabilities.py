"""Probabilities of labels: from the log-probabilities of the first token, or from repeated samples.

A number that the model states about itself is never read: such confidences are not calibrated.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lmdistill.core.errors import DataError
from lmdistill.labelling.label_words import LabelWords, same_beginning

Source = Literal["logprobs", "samples"]
"""Where probabilities come from."""

AMBIGUOUS = 0.05
"""Probability of a token that begins several labels, in [0, 1], from which on the words are refused."""

MOST_UNASSIGNED = 0.5
"""Largest probability on no label, in [0, 1], of an answer that is used."""

ROUNDING = 1e-3
"""By how much the probabilities of the tokens may exceed 1, since servers round them."""


@dataclass(frozen=True, kw_only=True)
class LabelDistribution:
    """The teacher's probabilities for one text."""

    probabilities: tuple[float, ...]
    """Probability of each label, in the order of the labels; they sum to 1."""

    unassigned: float
    """Probability of an answer that is no label, in [0, 1], before the others were divided by their sum."""

    source: Source
    """Where they come from."""

    samples: int
    """Number of replies that they were computed from, >= 1."""


def from_top_logprobs(top: Sequence[tuple[str, float]], words: LabelWords) -> LabelDistribution:
    """Probabilities of labels from the most likely first tokens of a reply.

    With p(t) = exp(log-probability of t) and T(l) the tokens that begin the word of label l and of no other:
    P(l) = sum of p(t) over T(l) / sum of p(t) over all T. A label without a token among those that the server
    gives has the probability 0. A token that begins several words counts for none.

    Args:
        top: (token, log-probability in nats) of the most likely tokens at the first position.
        words: The labels and their words.

    Returns:
        The probabilities. `unassigned` is 1 - sum of p(t) over all T.

    Raises:
        ConfigError: A token with a probability of `AMBIGUOUS` or more begins the words of several labels.
        DataError: The values are no log-probabilities, or no token begins a label.

    References:
        Schick and Schuetze, "Exploiting Cloze Questions for Few Shot Text Classification", 2021, section 3.1:
        the probability of a label is that of its word, normalised over the labels. Deviation: all tokens
        that begin the word are added up, since the server's tokenizer is not known.

    Examples:
        >>> from lmdistill.labelling.label_words import label_words
        >>> words = label_words(["good", "bad"])
        >>> found = from_top_logprobs([("good", math.log(0.6)), (" bad", math.log(0.2))], words)
        >>> [round(value, 4) for value in (*found.probabilities, found.unassigned)]
        [0.75, 0.25, 0.2]
    """
    values = [value for _, value in top]
    if not values or any(math.isnan(value) for value in values) or _total(values) > 1 + ROUNDING:
        raise DataError("the log-probabilities are not those of one token")
    mass = [0.0] * len(words.labels)
    for token, value in top:
        started = words.started_by(token)
        if len(started) > 1 and math.exp(value) >= AMBIGUOUS:
            raise same_beginning(words, started)
        if len(started) == 1:
            mass[started[0]] += math.exp(value)
    assigned = math.fsum(mass)
    if assigned <= 0:
        raise DataError(f"none of the {len(top)} most likely tokens begins a label")
    return LabelDistribution(
        probabilities=tuple(value / assigned for value in mass),
        unassigned=min(1.0, max(0.0, 1.0 - assigned)),
        source="logprobs",
        samples=1,
    )


def _total(values: Sequence[float]) -> float:
    """Sum of probabilities; infinite where a logarithm is far above 0."""
    return math.inf if max(values) > 1 else math.fsum(map(math.exp, values))


def from_samples(answers: Sequence[int | None], num_labels: int) -> LabelDistribution:
    """Probabilities of labels from repeated samples of a text.

    P(l) = (n(l) + 1/K) / (n + 1) with n(l) of n valid samples for label l of K. The smoothing counts as one
    further sample that is spread evenly over the labels, so no label has the probability 0.

    Args:
        answers: Number of the label of each sample; None for a reply that names no label.
        num_labels: K, >= 2.

    Returns:
        The probabilities. `unassigned` is the share of samples that name no label.

    Raises:
        DataError: No sample names a label.

    References:
        Perks, "Some observations on inverse probability including a new indifference rule", 1947: a Dirichlet
        prior with 1/K for each of K classes. Deviation: none.

    Examples:
        >>> found = from_samples([0, 0, 0, None], 2)
        >>> found.probabilities, found.unassigned, found.samples
        ((0.875, 0.125), 0.25, 3)
    """
    valid = [answer for answer in answers if answer is not None]
    if not valid:
        raise DataError("no reply names a label")
    counts = Counter(valid)
    return LabelDistribution(
        probabilities=tuple(
            (counts[number] + 1 / num_labels) / (len(valid) + 1) for number in range(num_labels)
        ),
        unassigned=1 - len(valid) / len(answers),
        source="samples",
        samples=len(valid),
    )


def is_unanimous(found: LabelDistribution) -> bool:
    """Whether several samples, and no reply without a label, all name one label.

    Examples:
        >>> is_unanimous(from_samples([0, 0], 2)), is_unanimous(from_samples([0, 1], 2))
        (True, False)
    """
    least = min(found.probabilities) * len(found.probabilities) * (found.samples + 1)
    others = sum(value > min(found.probabilities) for value in found.probabilities)
    return found.samples > 1 and found.unassigned == 0 and others == 1 and round(least, 6) == 1
