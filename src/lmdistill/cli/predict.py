"""lmdistill predict: a file in, the file with answers out."""

from pathlib import Path
from typing import Annotated

import typer

from lmdistill.cli.console import say
from lmdistill.cli.threads import Threads


def predict(
    target: Annotated[str, typer.Argument(help="A run, a model folder, a hub id.")],
    source: Annotated[Path, typer.Argument(help="CSV, TSV, JSON lines or Parquet.")],
    out: Annotated[Path | None, typer.Option(help="Where to write; beside the source unless given.")] = None,
    text: Annotated[list[str] | None, typer.Option(help="Column of the text; twice for pairs.")] = None,
    threads: Threads = None,
) -> None:
    """Label every row of a file; the order is kept, memory stays flat."""
    from lmdistill.commands.predict import predict as run_prediction

    suffix = ".jsonl" if source.suffix in {".parquet", ".json", ".ndjson"} else source.suffix
    plain = source.with_suffix("") if source.suffix == ".gz" else source
    suffix = plain.suffix if source.suffix == ".gz" else suffix
    chosen = out or plain.with_name(f"{plain.stem}.predicted{suffix}")
    count = run_prediction(target, source, chosen, text=text or ())
    say(f"{count} rows: {chosen}")
