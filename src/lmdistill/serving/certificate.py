"""What was certified of a graph: from which confidence on it answers itself, and what is promised of that."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lmdistill.serving.estimate import Estimate

Judge = Literal["teacher", "labels"]
"""Whose answers the student's are compared with."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The certification texts in numbers, which `lmdistill monitor` compares later texts with."""

    slices: Mapping[str, Mapping[str, tuple[int, int]]]
    """Kind of slice (`all`, `answered`, `class`, `length`, `confidence`), then name of the slice: number of
    texts, and how many of them the student answered as the judge did."""

    histograms: Mapping[str, tuple[int, ...]]
    """Number of texts in each bin by quantity (`length`, `confidence`, `unknown`)."""


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A promise about one graph, and the texts that it rests on."""

    threshold: float
    """Confidence from which on the student answers itself, in [0, 1]; texts below it are deferred."""

    agreement: float
    """Promised share of the answered texts that the student answers as the judge does, in (0, 1)."""

    confidence: float
    """Share of draws of the certification texts in which the promise holds, in (0, 1)."""

    against: Judge
    """Whose answers the student's were compared with."""

    texts: int
    """Number of certification texts."""

    answered: int
    """Number of these with at least the threshold's confidence."""

    agreed: int
    """Number of the answered ones that the student answered as the judge did."""

    coverage: Estimate
    """Share of texts that the student answers itself, with its exact 95 % interval."""

    source: str
    """Name of the file of the certification texts."""

    unseen: bool
    """Whether the texts were found not to be among those that trained or chose the student; False if the
    run's texts are not known, so that it could not be checked."""

    made: str
    """Day of the certificate, as 2026-11-30."""

    reference: Reference
    """The certification texts in numbers."""
