"""What a record says of the calibration of a network."""

from lmdistill.records.number_ranges import Count, KnownAmount, KnownShare, Share
from lmdistill.records.schema import Part


class Bin(Part):
    """Predictions of about the same confidence."""

    confidence: Share
    """Mean probability of the predicted class, in [0, 1]."""
    accuracy: Share
    """Share of correct predictions, in [0, 1]."""
    count: Count
    """Number of predictions in the bin."""


class Calibration(Part):
    """Calibration of a network's probabilities."""

    ece: KnownShare
    """Expected calibration error, in [0, 1]."""
    brier: KnownAmount
    """Mean squared error of the probabilities."""
    nll: KnownAmount
    """Mean negative log-likelihood, in nats."""
    bins: tuple[Bin, ...] = ()
    """Bins by rising confidence; empty bins may be left out. With several labels a text, the probability of
    a label stands for the confidence, and the share of texts that have it for the accuracy."""
    by_label: tuple[Share, ...] = ()
    """Calibration error of each label, of which `ece` is the mean; empty for one label a text."""
