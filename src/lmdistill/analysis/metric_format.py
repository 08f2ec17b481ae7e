"""Display of metrics: title, unit, scale and decimals, and whether lower is better."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

NONE = "–"

Value = float | int | None
"""A number, or None if it is not known."""


@dataclass(frozen=True, kw_only=True)
class MetricFormat:
    """How one metric is shown."""

    title: str
    """Name and unit, such as `accuracy, %`."""

    scale: int = 100
    """Factor that a value is multiplied by for display, 1 or 100."""

    digits: int = 2
    """Decimals that are shown, >= 0."""

    lower_is_better: bool = False
    """Whether a smaller value is better."""

    range: tuple[float, float] = (0.0, 1.0)
    """Smallest and largest possible value, before scaling."""

    @property
    def sign(self) -> int:
        """-1 if lower is better, else 1: the factor that makes a larger value the better one."""
        return -1 if self.lower_is_better else 1

    def text(self, value: Value) -> str:
        """The scaled and rounded number without its unit, or a dash for None."""
        return NONE if value is None else f"{self.scale * value:.{self.digits}f}"


SIGNED, POSITIVE = (-1.0, 1.0), (0.0, math.inf)

MANNERS: Mapping[str, MetricFormat] = MappingProxyType(
    {
        "matthews": MetricFormat(title="matthews × 100", range=SIGNED),
        "pearson": MetricFormat(title="pearson × 100", range=SIGNED),
        "spearman": MetricFormat(title="spearman × 100", range=SIGNED),
        "mean of pearson and spearman": MetricFormat(
            title="mean of pearson and spearman × 100", range=SIGNED
        ),
        "nats": MetricFormat(title="nats per token", scale=1, digits=3, lower_is_better=True, range=POSITIVE),
        "perplexity": MetricFormat(title="perplexity", scale=1, lower_is_better=True, range=POSITIVE),
        "accuracy_of_tokens": MetricFormat(title="token accuracy, %"),
        "agreement": MetricFormat(title="agreement with teacher, %"),
        "calibration_error": MetricFormat(title="calibration error, %", lower_is_better=True),
        "expected_calibration_error": MetricFormat(title="calibration error, %", lower_is_better=True),
        "brier": MetricFormat(title="Brier score", scale=1, digits=4, lower_is_better=True, range=(0.0, 2.0)),
        "negative_log_likelihood": MetricFormat(
            title="negative log-likelihood, nats", scale=1, digits=4, lower_is_better=True, range=POSITIVE
        ),
        "rouge_l": MetricFormat(title="ROUGE-L × 100"),
        "silhouette": MetricFormat(title="silhouette", scale=1, digits=3, range=SIGNED),
        "spread_ratio": MetricFormat(title="between / within", scale=1, digits=3, range=POSITIVE),
        "distinct_1": MetricFormat(title="distinct-1 × 100"),
        "distinct_2": MetricFormat(title="distinct-2 × 100"),
    }
)
"""Formats of the metrics that are not a percentage or have a title that differs from their name."""


def metric_format(metric: str) -> MetricFormat:
    """The display format of `metric`; a percentage if the metric is not in `MANNERS`.

    Examples:
        >>> metric_format("accuracy").title, metric_format("accuracy").text(0.8612)
        ('accuracy, %', '86.12')
        >>> metric_format("nats").text(2.0574)
        '2.057'
    """
    return MANNERS.get(metric, MetricFormat(title=f"{metric}, %"))
