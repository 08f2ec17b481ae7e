"""lmdistill evaluate: a finished network on its dev splits."""

from typing import Annotated

import typer
from rich.table import Table

from lmdistill.cli.distill import Overrides
from lmdistill.cli.tables import results
from lmdistill.recipes.evaluate import evaluate as run_evaluation
from lmdistill.recipes.language.evaluate import evaluate_language, is_writer
from lmdistill.report.metrics import manner


def evaluate(
    target: Annotated[
        str, typer.Argument(help="A run, or a model folder or hub id (then set task and data.source).")
    ],
    set_: Overrides = None,
) -> None:
    """Print the task's metrics of a run's student, or of any classifier."""
    if is_writer(target, set_ or []):
        _show_language(target, set_ or [])
        return
    table = Table(show_edge=False)
    for title in ("split", "examples", "metric", "value", "constant answer"):
        table.add_column(title, justify="left" if title in {"split", "metric"} else "right")
    for found in run_evaluation(target, set_ or []):
        for metric, value in found.metrics.items():
            floor = found.majority.get(metric)
            table.add_row(
                found.split,
                str(found.examples),
                manner(metric).title,
                manner(metric).text(value),
                manner(metric).text(floor),
            )
        for name, value in found.calibration.items():
            table.add_row(found.split, str(found.examples), name.replace("_", " "), f"{value:.4f}", "–")
    results().print(table)


def _show_language(target: str, overrides: list[str]) -> None:
    """Print how well a language model predicts dev passages."""
    passages, metrics = evaluate_language(target, overrides)
    table = Table(show_edge=False)
    for title in ("passages", "metric", "value"):
        table.add_column(title, justify="left" if title == "metric" else "right")
    for metric, value in metrics.items():
        table.add_row(str(passages), metric.replace("_", " "), f"{value:.4f}")
    results().print(table)
