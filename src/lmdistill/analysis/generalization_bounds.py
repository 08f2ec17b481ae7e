"""Generalisation bounds: how far the risk may lie above the mean loss on the training set.

They stand in `report`, beside `statistics`: plain numbers about finished runs, which the command line may ask
directly. No network is looked at; `evaluation.risk` measures the gap itself.

Whose is what, where a is the number of original samples, b of mixed ones, and losses lie in [0, M];
[ASSUME] marks our reading, where the paper is silent:

* The paper's (Liang et al., "MixKD", 2021): with a finite class G and confidence 1 - delta, the gap with
  mixed samples is at most the gap without as soon as b >= M^2 log(|G| / delta) / c - a, where
  c = 2 (eps_p - Delta_eps)^2. A second theorem has a Rademacher complexity instead; a third lets a mixed
  sample depend on its original.
* Derived here: every bound below. For one network, Hoeffding's inequality bounds the chance of a gap above t
  by exp(-2 n t^2 / M^2). Times |G| and set to delta, that is t = M sqrt(log(|G| / delta) / (2 n)). With
  n = a + b and the shift added, "at most eps_p" is the paper's inequality, term by term. With the Rademacher
  complexity R of the losses the bound is 2 R + M sqrt(log(1 / delta) / (2 n)). Both need samples that are
  independent, not equally distributed.
* [ASSUME] eps_p is the bound without mixed samples at the same confidence. Delta_eps is how far the expected
  mean loss on originals and mixed samples together may lie below the risk, at most over G, whatever b is.
* [ASSUME] The loss lies in [0, M], since only then c begins with 2. For |loss| <= M it spans 2 M: give 2 M.
* [ASSUME] R stays what it is on the a originals. On more samples of one distribution it never grows.
* [ASSUME] The third theorem's text (after Baxter, 2000) is not known, so `effective_samples` is ours.

Both bounds are in Mohri, Rostamizadeh and Talwalkar, "Foundations of Machine Learning", 2nd edition, 2018,
sections 2.3 and 3.1, with M = 1; the first of them is two-sided there, with 2 / delta.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

from lmdistill.core.errors import ConfigError

LARGEST = 1e100
"""No symbol is as large: so no sum or product of them leaves the range of floats."""

ROUNDING = Fraction(1, 10**12)
"""What a number of samples may lie above a whole one, as a share of it, and still count as that."""


@dataclass(frozen=True, kw_only=True)
class Bound:
    """What is known of the loss and of the networks that could have been learned."""

    loss_bound: float = 1.0
    """M > 0: losses lie in [0, M]. 1 for the 0/1 loss; cross-entropy has no bound unless it is clipped."""

    log_size: float | None = None
    """log |G| of a finite class, in nats, >= 0; this or the next."""

    rademacher: float | None = None
    """Rademacher complexity R >= 0 of the losses on the original samples, expected over samples."""

    confidence: float = 0.95
    """1 - delta, in (0, 1): how probable it is that the bound holds."""

    def __post_init__(self) -> None:
        _require_above("the loss bound", self.loss_bound, "1 bounds the 0/1 loss.")
        if not 0 < self.confidence < 1:
            raise ConfigError(f"the confidence must be in (0, 1), got {self.confidence:g}. 0.95 is usual.")
        if self.log_size is not None and self.rademacher is not None:
            raise ConfigError(
                f"the class has a log size of {self.log_size:g} and a Rademacher complexity of "
                f"{self.rademacher:g}; give only one of them."
            )
        if self.log_size is None and self.rademacher is None:
            raise ConfigError(
                "the class has neither a log size nor a Rademacher complexity; give one of them."
            )
        _require_least("the log size of the class", self.log_size or 0.0, 0)
        _require_least("the Rademacher complexity", self.rademacher or 0.0, 0)

    @property
    def nats(self) -> float:
        """log(|G| / delta), or log(1 / delta) where the class is known by its Rademacher complexity."""
        return (self.log_size or 0.0) - math.log1p(-self.confidence)

    @property
    def floor(self) -> float:
        """What no number of samples takes away: 2 R, or 0."""
        return 2 * (self.rademacher or 0.0)

    def gap(self, samples: int | Fraction, *, shift: float = 0.0) -> float:
        """The largest gap between risk and mean loss, for all networks of the class at once.

        Args:
            samples: Independent samples, >= 1.
            shift: How far their expected mean loss may lie below the risk, >= 0.

        Returns:
            A number >= 0; above M it says nothing, since no gap is larger than M.

        Raises:
            ConfigError: If an argument is outside its range.

        Examples:
            >>> round(Bound(log_size=8.0, confidence=1 - math.exp(-2)).gap(500), 9)  # sqrt((8 + 2) / 1000)
            0.1
        """
        _require_least("samples", samples, 1)
        _require_least("the shift", shift, 0)
        return self.floor + shift + self.loss_bound * math.sqrt(Fraction(self.nats) / (2 * Fraction(samples)))

    def samples_for(self, gap: float, *, shift: float = 0.0) -> int | None:
        """The fewest independent samples with which the bound is at most `gap`.

        Args:
            gap: What is asked for, >= 0.
            shift: As in `gap()`.

        Returns:
            A number >= 1, exact but for a part in 10^12; None if no number of samples is enough, because the
            shift and the floor alone reach `gap`.

        Raises:
            ConfigError: If an argument is outside its range.
        """
        _require_least("the gap", gap, 0)
        _require_least("the shift", shift, 0)
        room = Fraction(gap) - Fraction(shift) - Fraction(self.floor)
        if room <= 0:
            return None
        needed = Fraction(self.loss_bound) ** 2 * Fraction(self.nats) / (2 * room**2)
        return max(1, math.ceil(needed * (1 - ROUNDING)))


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """A bound without and with mixed samples."""

    bound: Bound
    """Loss, class and confidence."""

    original: int
    """a >= 1, original samples."""

    mixed: int = 0
    """b >= 0, mixed samples."""

    shift: float = 0.0
    """Delta_eps >= 0: how far the expected mean loss with mixed samples may lie below the risk."""

    target: float | None = None
    """The gap that mixed samples shall reach, > 0; the bound without them (eps_p) unless given."""

    def __post_init__(self) -> None:
        _require_least("original samples", self.original, 1)
        _require_least("mixed samples", self.mixed, 0)
        _require_least("the shift", self.shift, 0)
        if self.target is not None:
            _require_above("the target gap", self.target, "No bound reaches 0.")

    @property
    def gap_without(self) -> float:
        """eps_p: the bound with the originals alone."""
        return self.bound.gap(self.original)

    @property
    def gap_with(self) -> float:
        """The bound with all samples, as if they were independent."""
        return self.bound.gap(self.original + self.mixed, shift=self.shift)

    @property
    def gap_dependent(self) -> float:
        """The bound with all samples, where each mixed one may depend on its original.

        Derived here, in place of the paper's third theorem. With a Rademacher complexity it supposes that R,
        which is that of a samples, is also that of a groups.
        """
        return self.bound.gap(effective_samples(self.original, self.mixed), shift=self.shift)

    @property
    def goal(self) -> float:
        """The gap that mixed samples shall reach."""
        return self.gap_without if self.target is None else self.target

    @property
    def enough(self) -> int | None:
        """The fewest mixed samples whose bound is at most the goal, >= 0; None if no number is enough.

        A target that the originals reach alone needs none: the shift comes only with mixed samples. Without a
        target the number is the paper's, from which on mixed samples do not raise the bound.
        """
        if self.target is not None:
            alone = self.bound.samples_for(self.target)
            if alone is not None and alone <= self.original:
                return 0
        samples = self.bound.samples_for(self.goal, shift=self.shift)
        return None if samples is None else max(0, samples - self.original)


def effective_samples(original: int, mixed: int) -> Fraction:
    """How many independent samples the originals and the mixed ones count for, if these depend on those.

    An original and its mixed samples are a group, and only groups are independent of one another. A group of
    k samples moves the mean loss of all n by at most k M / n, so Hoeffding's inequality has
    n^2 / (sum of k^2) in place of n. That is never more than the originals: in this worst case mixed samples
    gain nothing. A partner j that is an extra random sample belongs to the group. A partner that is an
    original of another group ties the two together, which this does not count.

    Args:
        original: Groups, >= 1.
        mixed: Mixed samples, >= 0, spread over the groups as evenly as they go.

    Returns:
        A number in [1, original].

    Examples:
        >>> effective_samples(4, 8), effective_samples(4, 2)  # 144 / (4 x 9), 36 / (4 + 4 + 1 + 1)
        (Fraction(4, 1), Fraction(18, 5))
    """
    each, more = divmod(mixed, original)
    squares = (original - more) * (each + 1) ** 2 + more * (each + 2) ** 2
    return Fraction((original + mixed) ** 2, squares)


def log_class_size(parameters: int, *, bits: int = 32) -> float:
    """Size of the class of all networks of one shape, log |G| in nats: a parameter is one of 2^bits numbers.

    Args:
        parameters: How many there are, >= 1.
        bits: Of each, >= 1.

    Raises:
        ConfigError: If there are none of either.

    Examples:
        >>> round(log_class_size(1000), 1)  # 32,000 log 2
        22180.7
    """
    _require_least("parameters", parameters, 1)
    _require_least("bits", bits, 1)
    return parameters * bits * math.log(2)


def _require_above(what: str, value: float, hint: str) -> None:
    """`value` must be positive, and not so large that floats end; NaN never is."""
    if not 0 < value < LARGEST:
        raise ConfigError(f"{what} must be > 0 and below {LARGEST:g}, got {value:g}. {hint}")


def _require_least(what: str, value: float | int | Fraction, least: int) -> None:
    """`value` must be at least so much, and not so much that floats end; NaN never is."""
    if not value >= least:
        raise ConfigError(f"{what} must be a number >= {least}, got {value}.")
    if not value < LARGEST:
        raise ConfigError(f"{what} must be below {LARGEST:g}, got {value}.")
