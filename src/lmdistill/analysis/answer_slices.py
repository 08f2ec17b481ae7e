"""Kinds of texts whose answers are judged separately: by class, length and confidence, in fixed bins."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

ALL, ANSWERED = "all", "answered"
"""Kinds of slices with one slice of the same name: all texts, and those that the student answers itself."""

CLASS, LENGTH, CONFIDENCE, UNKNOWN = "class", "length", "confidence", "unknown"
"""Kinds of slices with several; `unknown` is only a histogram."""

LENGTHS = (8, 16, 32, 64, 128, 256, 512)
"""Most tokens of a text in each bin but the last, which is open."""

CONFIDENCES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999)
"""Least confidence in each bin but the first, which is open. A trained student is seldom unsure, so that
bins of equal width would leave most of them empty."""

UNKNOWN_NAMES = ("no unknown piece", "an unknown piece")
"""Names of the two bins of `unknown`."""


def _length_names() -> tuple[str, ...]:
    starts = (1, *(most + 1 for most in LENGTHS))
    closed = [f"{first} to {last} tokens" for first, last in zip(starts, LENGTHS, strict=False)]
    return (*closed, f"over {LENGTHS[-1]} tokens")


def _confidence_names() -> tuple[str, ...]:
    ends = (*CONFIDENCES[1:], 1)
    inner = [f"{low:g} to {high:g}" for low, high in zip(CONFIDENCES, ends, strict=True)]
    return (f"below {CONFIDENCES[0]:g}", *inner)


BIN_NAMES: Mapping[str, tuple[str, ...]] = {
    LENGTH: _length_names(),
    CONFIDENCE: _confidence_names(),
    UNKNOWN: UNKNOWN_NAMES,
}
"""Names of the bins of each histogram; those of `length` and `confidence` are slices as well."""


def bins(
    *, confidence: Float[np.ndarray, " n"], tokens: Int[np.ndarray, " n"], unknown: Bool[np.ndarray, " n"]
) -> dict[str, Int[np.ndarray, " n"]]:
    """Number of the bin of each text, from 0, by histogram.

    Args:
        confidence: Confidence of each answer, in [0, 1]; a bin has its lower end and not its upper one.
        tokens: Tokens of each text as the student reads it, special ones included, >= 0.
        unknown: Whether the text has a piece that the student's vocabulary lacks.

    Examples:
        >>> found = bins(
        ...     confidence=np.array([0.42, 0.95, 1.0]),
        ...     tokens=np.array([8, 9, 1000]),
        ...     unknown=np.array([False, True, False]),
        ... )
        >>> {kind: [BIN_NAMES[kind][number] for number in numbers] for kind, numbers in found.items()}
        ... # doctest: +NORMALIZE_WHITESPACE
        {'length': ['1 to 8 tokens', '9 to 16 tokens', 'over 512 tokens'],
         'confidence': ['below 0.5', '0.95 to 0.99', '0.999 to 1'],
         'unknown': ['no unknown piece', 'an unknown piece', 'no unknown piece']}
    """
    return {
        LENGTH: np.searchsorted(LENGTHS, tokens, side="left"),
        CONFIDENCE: np.searchsorted(CONFIDENCES, confidence, side="right"),
        UNKNOWN: unknown.astype(np.int64),
    }


def slice_members(
    *, answered: Bool[np.ndarray, " n"], classes: Sequence[str], bin_of: Mapping[str, Int[np.ndarray, " n"]]
) -> dict[str, dict[str, Bool[np.ndarray, " n"]]]:
    """Which texts are in each slice, by kind and name; slices without texts are left out.

    Args:
        answered: Whether the student answers the text itself.
        classes: The student's answer to each text, (n,).
        bin_of: Result of `bins`.

    Returns:
        Members of `all` and `answered`, of each class in alphabetical order, and of each bin of length and
        confidence from low to high.
    """
    found: dict[str, dict[str, Bool[np.ndarray, " n"]]] = {
        ALL: {ALL: np.ones(len(answered), dtype=bool)},
        ANSWERED: {ANSWERED: answered},
    }
    names, number_of = np.unique(np.array(classes, dtype=np.str_), return_inverse=True)
    found[CLASS] = {str(name): number_of == number for number, name in enumerate(names)}
    for kind in (LENGTH, CONFIDENCE):
        numbers = bin_of[kind]
        found[kind] = {BIN_NAMES[kind][number]: numbers == number for number in np.unique(numbers)}
    return found


def histograms(bin_of: Mapping[str, Int[np.ndarray, " n"]]) -> dict[str, tuple[int, ...]]:
    """Number of texts in each bin, by histogram.

    Args:
        bin_of: Result of `bins`.
    """
    return {
        kind: tuple(np.bincount(numbers, minlength=len(BIN_NAMES[kind])).tolist())
        for kind, numbers in bin_of.items()
    }


def reference_counts(
    *,
    agreed: Bool[np.ndarray, " n"],
    answered: Bool[np.ndarray, " n"],
    classes: Sequence[str],
    confidence: Float[np.ndarray, " n"],
    tokens: Int[np.ndarray, " n"],
    unknown: Bool[np.ndarray, " n"],
) -> tuple[Mapping[str, Mapping[str, tuple[int, int]]], Mapping[str, tuple[int, ...]]]:
    """The texts of a certificate in numbers: `slices` and `histograms` of `serving.certificate.Reference`.

    Args:
        agreed: Whether the student answers the text as the judge does.
        answered: Whether the student answers it itself: its confidence is at least the threshold.
        classes: The student's answer to each text, (n,); several labels joined to one text.
        confidence: Confidence of the answer, in [0, 1].
        tokens: Tokens of the text as the student reads it, special ones included.
        unknown: Whether the text has a piece that the student's vocabulary lacks.

    Returns:
        Texts and agreed texts by kind and name of the slice, and texts in each bin by quantity.

    Examples:
        >>> slices, counts = reference_counts(
        ...     agreed=np.array([True, False, True]),
        ...     answered=np.array([True, False, True]),
        ...     classes=["yes", "yes", "no"],
        ...     confidence=np.array([0.97, 0.6, 0.9995]),
        ...     tokens=np.array([5, 7, 30]),
        ...     unknown=np.array([False, False, True]),
        ... )
        >>> slices["all"], slices["answered"], slices["class"]
        ({'all': (3, 2)}, {'answered': (2, 2)}, {'no': (1, 1), 'yes': (2, 1)})
        >>> counts["length"], counts["unknown"]
        ((2, 0, 1, 0, 0, 0, 0, 0), (2, 1))
    """
    bin_of = bins(confidence=confidence, tokens=tokens, unknown=unknown)
    members = slice_members(answered=answered, classes=classes, bin_of=bin_of)
    slices = {
        kind: {name: (int(inside.sum()), int(agreed[inside].sum())) for name, inside in of_kind.items()}
        for kind, of_kind in members.items()
    }
    return slices, histograms(bin_of)
