"""The command `lmdistill`: what it can do, and how it says that something is wrong."""

import errno
import os
import sys
from typing import Any

import typer
from rich.console import Console

from lmdistill.cli.distill import distill
from lmdistill.cli.evaluate import evaluate
from lmdistill.cli.finetune import finetune
from lmdistill.cli.listing import listing
from lmdistill.cli.measure import measure
from lmdistill.cli.messages import speak
from lmdistill.cli.predict import predict
from lmdistill.cli.report import report
from lmdistill.cli.submit import submit
from lmdistill.core.errors import LmdistillError

DONE, OURS, THEIRS, STOPPED = 0, 1, 2, 130
TRACEBACK = "LMDISTILL_TRACEBACK"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Turn a large language model into a small one that keeps its quality.",
)
for command in (distill, finetune, evaluate, predict, measure, submit, report):
    app.command()(command)
app.command("list")(listing)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with 0 (done), 2 (your mistake), 1 (ours) or 130 (stopped)."""
    speak()
    try:
        app(args=arguments)
    except LmdistillError as error:
        _leave(str(error), THEIRS)
    except KeyboardInterrupt:
        _leave("stopped. The same command goes on from the last checkpoint.", STOPPED)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            _crash(error)
        _leave(
            f"the disk is full ({error.filename or 'while writing'}). Make room; the same command goes on.",
            THEIRS,
        )
    except Exception as error:
        _crash(error)


def _leave(message: str, code: int) -> Any:
    """One line on stderr, then out."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"[bold red]error:[/] {_escaped(message)}")
    sys.exit(code)


def _escaped(text: str) -> str:
    """`text` with rich's brackets taken literally, on one line."""
    return " ".join(text.split()).replace("[", r"\\[")


def _crash(error: BaseException) -> None:
    """A mistake of ours: say so, and how to see where."""
    if os.environ.get(TRACEBACK):
        raise error
    _leave(f"{type(error).__name__}: {error} (a bug of lmdistill; {TRACEBACK}=1 shows where).", OURS)
