"""lmdistill certify: from which confidence on an exported graph answers as its teacher does."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lmdistill.cli.console import results, say
from lmdistill.cli.graph_option import GraphName
from lmdistill.cli.threads import Threads


class JudgeName(StrEnum):
    """Whose answers the student's are compared with."""

    teacher = "teacher"
    labels = "labels"


def certify(
    folder: Annotated[Path, typer.Argument(help="Folder that lmdistill export wrote.")],
    data: Annotated[
        Path,
        typer.Argument(
            help="Texts like those of production that trained and chose nothing: CSV, TSV, JSON lines or "
            "Parquet."
        ),
    ],
    agreement: Annotated[
        float,
        typer.Option(help="Promised share of the answered texts with the judge's answer, between 0 and 1."),
    ],
    against: Annotated[JudgeName, typer.Option(help="Judge: teacher or labels.")] = JudgeName.teacher,
    confidence: Annotated[
        float, typer.Option(help="Share of draws of DATA in which the promise must hold, between 0 and 1.")
    ] = 0.95,
    answer: Annotated[
        str | None,
        typer.Option(
            help="Column of the judge's answers. Default: teacher or predicted; for labels as in the run."
        ),
    ] = None,
    teacher: Annotated[
        str | None,
        typer.Option(help="Run folder, model folder or hub id of a teacher that is asked about DATA now."),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(help="Column of the text; give it twice for pairs. Default: as in the run."),
    ] = None,
    drop_seen: Annotated[
        bool, typer.Option("--drop-seen", help="Leave out texts that trained or chose the student.")
    ] = False,
    price: Annotated[
        float | None,
        typer.Option(help="Price of one answer of the teacher, to print the cost.", min=0),
    ] = None,
    graph: GraphName = None,
    threads: Threads = None,
) -> None:
    """Find the confidence from which on a graph keeps a promise of agreement, and store it in its folder."""
    from lmdistill.analysis.agreement_bound import Promise
    from lmdistill.cli.print_tables import print_grid
    from lmdistill.commands.certification_texts import JudgedFile
    from lmdistill.commands.certify import certify as run_certification
    from lmdistill.report.certificate_text import certificate_grid, deferral_text, promise_text

    file = JudgedFile(
        path=data,
        against=against.value,
        text=tuple(text or ()),
        answer=answer,
        teacher=teacher,
        drop_seen=drop_seen,
    )
    promise = Promise(agreement=agreement, confidence=confidence)
    name, found = run_certification(folder, file, promise, graph=graph)
    print_grid(results(), certificate_grid({name: found}))
    say(promise_text(name, found))
    say(deferral_text(found, price))
    say(f"certified: {name} of {folder}")
