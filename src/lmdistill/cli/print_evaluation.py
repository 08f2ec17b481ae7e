"""Tables of the results of `lmdistill evaluate`, on stdout."""

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from lmdistill.analysis.metric_format import NONE, metric_format
from lmdistill.cli.console import results
from lmdistill.commands.evaluated import Evaluated
from lmdistill.records.benchmarks import BenchmarkFacts
from lmdistill.report.tables.classes import CLASS_TITLES, class_line


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
            shown = metric_format(name)
            table.add_row(evaluated.split, str(evaluated.examples), shown.title, shown.text(value), "–")
    results().print(table)
    for evaluated in splits:
        _show_classes(evaluated)
    for alarm in dict.fromkeys(alarm for evaluated in splits for alarm in evaluated.alarms):
        results().print(Text(f"alarm: {alarm}", style="bold red"))


def _show_classes(evaluated: Evaluated) -> None:
    """Print precision, recall and F1 of each class on one split."""
    if not evaluated.classes:
        return
    table = Table(show_edge=False)
    table.add_column("class")
    for title in CLASS_TITLES:
        table.add_column(title, justify="right")
    for facts in evaluated.classes:
        label, *numbers = class_line(facts.label, [facts])
        table.add_row(Text(label), *numbers)
    results().print()
    results().print(Text(f"by class on {evaluated.split}:"))
    results().print(table)


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
