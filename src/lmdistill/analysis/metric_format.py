"""How a metric is written, and which way is better."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

NONE = "–"

Value = float | int | None
"""A number that may not exist."""


@dataclass(frozen=True, kw_only=True)
class MetricFormat:
    """How one metric is shown."""

    title: str
    """Name with its unit."""

    scale: int = 100
    """What a value is multiplied by before it is shown."""

    digits: int = 2
    """Decimals."""

    lower_is_better: bool = False
    """Whether a small value is a good one."""

    range: tuple[float, float] = (0.0, 1.0)
    """Which values there are."""

    @property
    def sign(self) -> int:
        """Makes larger better."""
        return -1 if self.lower_is_better else 1

    def text(self, value: Value) -> str:
        """The number as a reader sees it, without its unit."""
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
        "nats": MetricFormat(title="nats a token", scale=1, digits=3, lower_is_better=True, range=POSITIVE),
        "perplexity": MetricFormat(title="perplexity", scale=1, lower_is_better=True, range=POSITIVE),
        "accuracy_of_tokens": MetricFormat(title="right tokens, %"),
        "agreement": MetricFormat(title="agrees with teacher, %"),
        "rouge_l": MetricFormat(title="ROUGE-L × 100"),
        "silhouette": MetricFormat(title="silhouette", scale=1, digits=3, range=SIGNED),
        "spread_ratio": MetricFormat(title="between / within", scale=1, digits=3, range=POSITIVE),
        "distinct_1": MetricFormat(title="distinct-1 × 100"),
        "distinct_2": MetricFormat(title="distinct-2 × 100"),
    }
)
"""Metrics that are no percentage, or go by another name."""


def metric_format(metric: str) -> MetricFormat:
    """How `metric` is shown; a percentage unless the table says otherwise.

    Examples:
        >>> metric_format("accuracy").title, metric_format("accuracy").text(0.8612)
        ('accuracy, %', '86.12')
        >>> metric_format("nats").text(2.0574)
        '2.057'
    """
    return MANNERS.get(metric, MetricFormat(title=f"{metric}, %"))
