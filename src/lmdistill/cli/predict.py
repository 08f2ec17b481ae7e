"""lmdistill predict: add a classifier's predictions to the rows of a file."""

from pathlib import Path
from typing import Annotated

import typer

from lmdistill.cli.console import say
from lmdistill.cli.distill import Overrides
from lmdistill.cli.graph_option import GraphName, asks_exported
from lmdistill.cli.path_arguments import run_or_model, writable
from lmdistill.cli.threads import Threads


def predict(
    target: Annotated[str, typer.Argument(help="Run folder, model folder or hub id.", callback=run_or_model)],
    source: Annotated[Path, typer.Argument(help="Input file: CSV, TSV, JSON lines or Parquet.")],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Output file (CSV, TSV, JSON lines). Default: NAME.predicted.csv beside NAME.csv.",
            callback=writable,
        ),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(help="Column of the text; give it twice for pairs. Default: as in the run."),
    ] = None,
    escape_formulas: Annotated[
        bool,
        typer.Option(
            "--escape-formulas",
            help="Put an apostrophe before cells of CSV and TSV that a spreadsheet would run as a formula.",
        ),
    ] = False,
    graph: GraphName = None,
    set_: Overrides = None,
    threads: Threads = None,
) -> None:
    """Predict a label and probabilities for every row of a file, in order, with constant memory."""
    suffix = ".jsonl" if source.suffix in {".parquet", ".json", ".ndjson"} else source.suffix
    plain = source.with_suffix("") if source.suffix == ".gz" else source
    suffix = plain.suffix if source.suffix == ".gz" else suffix
    chosen = out or plain.with_name(f"{plain.stem}.predicted{suffix}")
    chosen_columns, settings = text or (), set_ or ()
    if asks_exported(target, graph):
        from lmdistill.commands.predict_exported import predict_exported

        count = predict_exported(
            target,
            source,
            chosen,
            text=chosen_columns,
            overrides=settings,
            escape_formulas=escape_formulas,
            graph=graph,
        )
    else:
        from lmdistill.commands.predict import predict as run_prediction

        count = run_prediction(
            target, source, chosen, text=chosen_columns, overrides=settings, escape_formulas=escape_formulas
        )
    say(f"{count} rows: {chosen}")
