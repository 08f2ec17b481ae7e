"""lmdistill serve: answer requests with an exported classifier."""

from pathlib import Path
from typing import Annotated

import typer

from lmdistill.cli.console import say
from lmdistill.cli.duration_option import a_time, as_text, seconds
from lmdistill.cli.graph_option import GraphName
from lmdistill.cli.path_arguments import writable
from lmdistill.cli.threads import Threads
from lmdistill.serving.server_settings import ServerSettings

USUAL = ServerSettings()


def serve(
    folder: Annotated[str, typer.Argument(help="Folder of lmdistill export.")],
    graph: GraphName = None,
    host: Annotated[
        str, typer.Option(help="Name or address to listen on; 0.0.0.0 is every network of the machine.")
    ] = USUAL.host,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = USUAL.port,
    max_batch: Annotated[
        int, typer.Option(help="Texts that the graph reads at once at most, >= 1.")
    ] = USUAL.max_batch,
    max_wait: Annotated[
        str,
        typer.Option(
            help="How long a text waits for others at most, with its unit.", metavar="TIME", callback=a_time
        ),
    ] = as_text(USUAL.max_wait),
    max_queue: Annotated[
        int, typer.Option(help="Texts without an answer at most; beyond, requests get status 503.")
    ] = USUAL.max_queue,
    max_texts: Annotated[int, typer.Option(help="Texts of a request at most, >= 1.")] = USUAL.max_texts,
    max_characters: Annotated[
        int, typer.Option(help="Characters of a text or a pair at most, >= 1.")
    ] = USUAL.max_characters,
    teacher: Annotated[
        str | None,
        typer.Option(help="Address of the server that answers what the certificate defers."),
    ] = None,
    teacher_timeout: Annotated[
        str,
        typer.Option(help="How long the teacher may take, with its unit.", metavar="TIME", callback=a_time),
    ] = as_text(USUAL.teacher_timeout),
    audit: Annotated[
        Path | None,
        typer.Option(help="File, .jsonl, to which a sample of the texts is added.", callback=writable),
    ] = None,
    audit_share: Annotated[
        float, typer.Option(help="Share of the texts that is written there, in (0, 1].")
    ] = USUAL.audit_share,
    threads: Threads = None,
) -> None:
    """Answer HTTP requests with an exported classifier until SIGTERM or Ctrl-C, without PyTorch."""
    settings = ServerSettings(
        host=host,
        port=port,
        max_batch=max_batch,
        max_wait=seconds(max_wait),
        max_queue=max_queue,
        max_texts=max_texts,
        max_characters=max_characters,
        teacher=teacher,
        teacher_timeout=seconds(teacher_timeout),
        audit=audit,
        audit_share=audit_share,
    )
    from lmdistill.commands.serve import serve as run_server

    done = run_server(folder, settings, graph=graph)
    say(f"stopped: {done.texts} texts answered, {done.deferred} of them deferred, {done.audited} audited")
