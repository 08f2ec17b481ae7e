"""Tables of the results of `lmdistill evaluate`, on stdout."""

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from lmdistill.analysis.metric_format import NONE, metric_format
from lmdistill.cli.console import results
from lmdistill.commands.evaluate import Evaluated
from lmdistill.commands.evaluate_language import EvaluatedTexts
from lmdistill.records.benchmarks import BenchmarkFacts


def show_classifier(splits: Sequence[Evaluated]) -> None:
    """Print the task's metrics on every dev split, beside those of a constant prediction, and alarms."""
    table = Table(show_edge=False)
    for title in ("split", "examples", "metric", "value", "constant answer"):
        table.add_column(title, justify="left" if title in {"split", "metric"} else "right")
    for evaluated in splits:
        for metric, value in evaluated.metrics.items():
            floor = evaluated.majority.get(metric)
            table.add_row(
                evaluated.split,
                str(evaluated.examples),
                metric_format(metric).title,
                metric_format(metric).text(value),
                metric_format(metric).text(floor),
            )
        for name, value in evaluated.calibration.items():
            table.add_row(
                evaluated.split, str(evaluated.examples), name.replace("_", " "), f"{value:.4f}", "–"
            )
    results().print(table)
    for alarm in dict.fromkeys(alarm for evaluated in splits for alarm in evaluated.alarms):
        results().print(Text(f"alarm: {alarm}", style="bold red"))


def show_benchmarks(results_by_network: Mapping[str, Sequence[BenchmarkFacts]]) -> None:
    """Print one row for each task, metric and network, grouped by task."""
    table = Table(show_edge=False)
    for title in ("task", "metric", "shots", "network", "value", "standard error", "examples"):
        numeric = title in {"shots", "value", "standard error", "examples"}
        table.add_column(title, justify="right" if numeric else "left")
    rows = [(fact, name) for name, facts in results_by_network.items() for fact in facts]
    order = list(dict.fromkeys(fact.question for fact, _ in rows))
    for fact, name in sorted(rows, key=lambda row: order.index(row[0].question)):
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
            table.add_row(str(count), metric.replace("_", " "), f"{value:.4f}")
        if metrics:
            results().print(table)
