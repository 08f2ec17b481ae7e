"""lmdistill evaluate: a finished network on its dev splits."""

from typing import Annotated

import typer
from rich.table import Table

from lmdistill.cli.distill import Overrides
from lmdistill.cli.tables import results
from lmdistill.recipes.evaluate import evaluate as run_evaluation
from lmdistill.report.metrics import manner


def evaluate(
    target: Annotated[
        str, typer.Argument(help="A run, or a model folder or hub id (then set task and data.source).")
    ],
    set_: Overrides = None,
) -> None:
    """Print the task's metrics of a run's student, or of any classifier."""
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
