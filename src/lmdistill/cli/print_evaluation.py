"""What `lmdistill evaluate` has found, as tables on stdout."""

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from lmdistill.analysis.metric_format import NONE, metric_format
from lmdistill.cli.console import results
from lmdistill.commands.evaluate import Evaluated
from lmdistill.commands.evaluate_language import EvaluatedTexts
from lmdistill.records.benchmarks import BenchmarkFacts


def show_classifier(splits: Sequence[Evaluated]) -> None:
    """Print the task's metrics on every dev split, beside those of a constant answer."""
    table = Table(show_edge=False)
    for title in ("split", "examples", "metric", "value", "constant answer"):
        table.add_column(title, justify="left" if title in {"split", "metric"} else "right")
    for found in splits:
        for metric, value in found.metrics.items():
            floor = found.majority.get(metric)
            table.add_row(
                found.split,
                str(found.examples),
                metric_format(metric).title,
                metric_format(metric).text(value),
                metric_format(metric).text(floor),
            )
        for name, value in found.calibration.items():
            table.add_row(found.split, str(found.examples), name.replace("_", " "), f"{value:.4f}", "–")
    results().print(table)


def show_benchmarks(found: Mapping[str, Sequence[BenchmarkFacts]]) -> None:
    """Print a line for each task, metric and network, those of one task together."""
    table = Table(show_edge=False)
    for title in ("task", "metric", "shots", "network", "value", "standard error", "examples"):
        numeric = title in {"shots", "value", "standard error", "examples"}
        table.add_column(title, justify="right" if numeric else "left")
    lines = [(fact, name) for name, facts in found.items() for fact in facts]
    order = list(dict.fromkeys(fact.question for fact, _ in lines))
    for fact, name in sorted(lines, key=lambda line: order.index(line[0].question)):
        table.add_row(
            Text(fact.task),
            Text(fact.metric),
            NONE if fact.few_shot is None else str(fact.few_shot),
            Text(name),
            f"{fact.value:.4f}",
            NONE if fact.error is None else f"{fact.error:.4f}",
            NONE if fact.examples is None else str(fact.examples),
        )
    results().print(table)


def show_language(found: EvaluatedTexts) -> None:
    """Print how well a language model predicts dev passages, and what its completions are like."""
    for what, count, metrics in (
        ("passages", found.passages, found.metrics),
        ("prompts", found.prompts, found.written),
    ):
        table = Table(show_edge=False)
        for title in (what, "metric", "value"):
            table.add_column(title, justify="left" if title == "metric" else "right")
        for metric, value in metrics.items():
            table.add_row(str(count), metric.replace("_", " "), f"{value:.4f}")
        if metrics:
            results().print(table)
