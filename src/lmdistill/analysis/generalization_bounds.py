"""Generalisation bounds: upper bounds of the gap between the risk and the mean loss on the training set.

The functions need only numbers, no network; `evaluation.risk` measures the gap of a network.

Notation: a is the number of original samples, b that of mixed samples, and losses lie in [0, M]. [ASSUME]
marks our interpretation where the paper does not say.

* From the paper (Liang et al., "MixKD", 2021): with a finite class G and confidence 1 - delta, the gap with
  mixed samples is at most the gap without them if b >= M^2 log(|G| / delta) / c - a, where
  c = 2 (eps_p - Delta_eps)^2. The second theorem's bound is 2 L R(G) + M sqrt(log(1 / delta) / (2 n)), with
  the Rademacher complexity R(G) of the networks and the Lipschitz constant L of the loss. The third theorem
  allows a mixed sample to depend on its original. Of it we have the beginning, b >= a log(4 / delta) /
  (c1 a - ...), where the text is cut; Remark 4, that samples of different originals are independent because
  the partner is "an extra random sample"; and the annex, which cuts all samples into (a + b) / a parts that
  do not overlap and uses theorems 4 and 5 of Baxter, 2000, with the space capacity C(G) of its definition 4.
* Derived here: every bound below. For one network, Hoeffding's inequality bounds the probability of a gap
  above t by exp(-2 n t^2 / M^2). A union bound over |G| networks, set equal to delta, gives
  t = M sqrt(log(|G| / delta) / (2 n)). With n = a + b and the shift added, "at most eps_p" is the paper's
  inequality, term by term. With a Rademacher complexity R(G), the bound is that of the second theorem; L = 1
  if R is that of the losses themselves. Both bounds need independent samples, not identically distributed
  ones.
* [ASSUME] eps_p is the bound without mixed samples at the same confidence. Delta_eps is the largest amount,
  over G and for every b, by which the expected mean loss on original and mixed samples is below the risk.
* [ASSUME] The loss lies in [0, M], since only then c has the factor 2. For |loss| <= M the range is 2 M, so
  use 2 M as M.
* [ASSUME] R keeps its value on the a original samples. It does not grow with more samples of one
  distribution.
* [ASSUME] The third theorem's inequality is cut off, and C(G) of a network is not known, so
  `effective_samples` is our own derivation in its place.

Both bounds are in Mohri, Rostamizadeh and Talwalkar, "Foundations of Machine Learning", 2nd edition, 2018,
sections 2.3 and 3.1, with M = 1; the first of them is two-sided there, with 2 / delta.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

from lmdistill.core.errors import ConfigError

LARGEST = 1e100
"""All symbols must be smaller, so that sums and products of them do not overflow."""

ROUNDING = Fraction(1, 10**12)
"""Relative tolerance for rounding up a number of samples: an excess below it is ignored."""


@dataclass(frozen=True, kw_only=True)
class Bound:
    """The largest loss, the complexity of the class of networks, and the confidence of the bound."""

    loss_bound: float = 1.0
    """M > 0: losses lie in [0, M]. 1 for the 0/1 loss; cross-entropy has no bound unless it is clipped."""

    log_size: float | None = None
    """log |G| of a finite class, in nats, >= 0; exclusive with `rademacher`."""

    rademacher: float | None = None
    """Expected Rademacher complexity R >= 0 of the networks' outputs on the original samples."""

    lipschitz: float = 1.0
    """L > 0, Lipschitz constant of the loss by the outputs; 1 if `rademacher` is that of the losses."""

    confidence: float = 0.95
    """1 - delta, in (0, 1): the probability that the bound holds."""

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
        _require_above("the Lipschitz constant", self.lipschitz, "1 is that of the losses themselves.")
        if self.rademacher is None and self.lipschitz != 1:
            raise ConfigError(
                f"the Lipschitz constant is {self.lipschitz:g} and the class has a log size; it multiplies a "
                "Rademacher complexity. Give one, or leave the constant out."
            )

    @property
    def nats(self) -> float:
        """log(|G| / delta), or log(1 / delta) with a Rademacher complexity."""
        return (self.log_size or 0.0) - math.log1p(-self.confidence)

    @property
    def floor(self) -> float:
        """The part of the bound that does not shrink with more samples: 2 L R, or 0 for a finite class."""
        return 2 * self.lipschitz * (self.rademacher or 0.0)

    def gap(self, samples: int | Fraction, *, shift: float = 0.0) -> float:
        """Upper bound of the gap between risk and mean loss, for all networks of the class at once.

        Args:
            samples: Number of independent samples, >= 1.
            shift: Largest amount by which their expected mean loss is below the risk, >= 0.

        Returns:
            A number >= 0; a bound above M is vacuous, since no gap is larger than M.

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
        """The smallest number of independent samples for which the bound is at most `gap`.

        Args:
            gap: The wanted bound, >= 0.
            shift: As in `gap()`.

        Returns:
            A number >= 1, with a relative tolerance of 10^-12; None if no number of samples is enough,
            because the shift and the floor alone reach `gap`.

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
    """The bounds without and with mixed samples."""

    bound: Bound
    """Loss, class of networks and confidence."""

    original: int
    """a >= 1: number of original samples."""

    mixed: int = 0
    """b >= 0: number of mixed samples."""

    shift: float = 0.0
    """Delta_eps >= 0: largest amount by which the expected mean loss with mixed samples is below the risk."""

    target: float | None = None
    """Wanted bound with mixed samples, > 0; by default the bound without them (eps_p)."""

    def __post_init__(self) -> None:
        _require_least("original samples", self.original, 1)
        _require_least("mixed samples", self.mixed, 0)
        _require_least("the shift", self.shift, 0)
        if self.target is not None:
            _require_above("the target gap", self.target, "No bound reaches 0.")

    @property
    def gap_without(self) -> float:
        """eps_p: the bound with the original samples alone."""
        return self.bound.gap(self.original)

    @property
    def gap_with(self) -> float:
        """The bound with all samples, if they are treated as independent."""
        return self.bound.gap(self.original + self.mixed, shift=self.shift)

    @property
    def gap_dependent(self) -> float:
        """The bound with all samples, if each mixed sample may depend on its original.

        Derived here, in place of the paper's third theorem. With a Rademacher complexity it assumes that R of
        a samples is also that of a groups.
        """
        return self.bound.gap(effective_samples(self.original, self.mixed), shift=self.shift)

    @property
    def goal(self) -> float:
        """The wanted bound with mixed samples: `target`, else the bound without them."""
        return self.gap_without if self.target is None else self.target

    @property
    def enough(self) -> int | None:
        """The smallest number of mixed samples for a bound of at most `goal`, >= 0; None if none is enough.

        A target that the original samples reach alone needs no mixed samples, which would add the shift.
        Without a target, the result is the paper's number, above which mixed samples do not raise the bound.
        """
        if self.target is not None:
            without_mixed = self.bound.samples_for(self.target)
            if without_mixed is not None and without_mixed <= self.original:
                return 0
        samples = self.bound.samples_for(self.goal, shift=self.shift)
        return None if samples is None else max(0, samples - self.original)


def effective_samples(original: int, mixed: int) -> Fraction:
    """Effective number of independent samples, if each mixed sample depends on its original.

    An original and its mixed samples form a group, and only groups are independent of one another. A group of
    k samples changes the mean loss of all n by at most k M / n, so Hoeffding's inequality has
    n^2 / (sum of k^2) in place of n. That is never more than the number of originals: in this worst case
    mixed samples do not improve the bound. A partner j that is an additional random sample belongs to the
    group. A partner that is the original of another group makes the two groups dependent, which this number
    does not account for.

    Args:
        original: Number of groups, >= 1.
        mixed: Number of mixed samples, >= 0, distributed over the groups as evenly as possible.

    Returns:
        A number in [1, original].

    Examples:
        >>> effective_samples(4, 8), effective_samples(4, 2)  # 144 / (4 x 9), 36 / (4 + 4 + 1 + 1)
        (Fraction(4, 1), Fraction(18, 5))
    """
    per_group, larger_groups = divmod(mixed, original)
    squares = (original - larger_groups) * (per_group + 1) ** 2 + larger_groups * (per_group + 2) ** 2
    return Fraction((original + mixed) ** 2, squares)


def log_class_size(parameters: int, *, bits: int = 32) -> float:
    """Size log |G| in nats of the class of all networks of one architecture: 2^bits values per parameter.

    Args:
        parameters: Number of parameters, >= 1.
        bits: Bits per parameter, >= 1.

    Raises:
        ConfigError: If an argument is below 1.

    Examples:
        >>> round(log_class_size(1000), 1)  # 32,000 log 2
        22180.7
    """
    _require_least("parameters", parameters, 1)
    _require_least("bits", bits, 1)
    return parameters * bits * math.log(2)


def _require_above(what: str, value: float, hint: str) -> None:
    """Check that `value` is in (0, LARGEST); NaN is not."""
    if not 0 < value < LARGEST:
        raise ConfigError(f"{what} must be > 0 and below {LARGEST:g}, got {value:g}. {hint}")


def _require_least(what: str, value: float | int | Fraction, least: int) -> None:
    """Check that `value` is in [least, LARGEST); NaN is not."""
    if not value >= least:
        raise ConfigError(f"{what} must be a number >= {least}, got {value}.")
    if not value < LARGEST:
        raise ConfigError(f"{what} must be below {LARGEST:g}, got {value}.")
