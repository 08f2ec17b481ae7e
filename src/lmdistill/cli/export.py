"""lmdistill export: a classifier as a folder that other software runs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lmdistill.cli.console import results, say
from lmdistill.cli.distill import Overrides
from lmdistill.cli.path_arguments import run_or_model, writable
from lmdistill.cli.threads import Threads


class FormatName(StrEnum):
    """What a classifier can be exported to."""

    onnx = "onnx"
    openvino = "openvino"


def export(
    target: Annotated[str, typer.Argument(help="Run folder, model folder or hub id.", callback=run_or_model)],
    out: Annotated[Path, typer.Option(help="New folder for the exported model.", callback=writable)],
    to: Annotated[
        list[FormatName] | None,
        typer.Option(help="Format of the graph: onnx or openvino. Can be repeated. Default: onnx."),
    ] = None,
    int8: Annotated[bool, typer.Option("--int8", help="Also write graphs with 8-bit products.")] = False,
    min_agreement: Annotated[
        float,
        typer.Option(help="Share of the texts that must keep their answer with 8 bits, in [0, 1]."),
    ] = 0.97,
    calibration: Annotated[
        Path | None,
        typer.Option(
            help="File of texts like those that will be asked, for 8-bit ranges, and for the checks of a "
            "model without a task. Default: the training texts."
        ),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(help="Column of the text in --calibration; give it twice for pairs."),
    ] = None,
    timed_texts: Annotated[
        int, typer.Option(help="Number of texts on which the graphs are timed; 0 times nothing.", min=0)
    ] = 200,
    no_text_hashes: Annotated[
        bool,
        typer.Option(
            "--no-text-hashes",
            help="Leave out the hashes of the training texts. With them lmdistill certify refuses texts that "
            "the model knows, and whoever has the folder can tell whether a given text was among them.",
        ),
    ] = False,
    set_: Overrides = None,
    threads: Threads = None,
) -> None:
    """Export a classifier to ONNX or OpenVINO after its answers were checked, and time each graph."""
    from lmdistill.cli.print_tables import print_grid
    from lmdistill.commands.export import export as run_export
    from lmdistill.commands.exported_files import Export
    from lmdistill.report.export_card import advice, measured_grid

    settings = Export(
        to=tuple(one.value for one in to or (FormatName.onnx,)),
        int8=int8,
        min_agreement=min_agreement,
        timed_texts=timed_texts,
        text_hashes=not no_text_hashes,
    )
    made = run_export(target, out, settings, calibration=calibration, text=text or (), overrides=set_ or ())
    if made.checks is not None:
        print_grid(results(), measured_grid(made.checks))
        say(advice(made.checks))
    say(f"exported: {out}")
