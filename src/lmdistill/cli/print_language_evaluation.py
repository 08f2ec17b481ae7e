"""Table of the results of `lmdistill evaluate` for language models, on stdout."""

from rich.table import Table

from lmdistill.cli.console import results
from lmdistill.commands.evaluate_language import EvaluatedTexts

PERCENT, HUNDREDTHS = ("accuracy", "agreement", "calibration_error", "ended"), ("rouge_l", "distinct_")
"""Endings of the names of shares, and beginnings of the names of scores that are shown times 100."""


def _shown(metric: str, value: float) -> tuple[str, str]:
    """Name and value of a metric of language models, in the units of the comparison tables."""
    name = metric.replace("_", " ")
    if metric.endswith(PERCENT):
        return f"{name}, %", f"{100 * value:.2f}"
    return (
        (f"{name} × 100", f"{100 * value:.2f}") if metric.startswith(HUNDREDTHS) else (name, f"{value:.4f}")
    )


def show_language(evaluated: EvaluatedTexts) -> None:
    """Print a language model's metrics on dev passages, then those of its completions."""
    for unit, count, metrics in (
        ("passages", evaluated.passages, evaluated.metrics),
        ("prompts", evaluated.prompts, evaluated.written),
    ):
        table = Table(show_edge=False)
        for title in (unit, "metric", "value"):
            table.add_column(title, justify="left" if title == "metric" else "right")
        for metric, value in metrics.items():
            table.add_row(str(count), *_shown(metric, value))
        if metrics:
            results().print(table)
