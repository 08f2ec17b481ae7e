"""The command `lmdistill`: what it can do, and how it says that something is wrong.

Every module of a command imports what it runs inside its function, so that help, completion and a misspelt
option need neither torch nor anything else that takes long to import.
"""

import errno
import os
import sys
from collections.abc import Iterator
from typing import Annotated, Any, NoReturn

import typer

from lmdistill.cli.console import complain, say, speak
from lmdistill.cli.demo import demo
from lmdistill.cli.distill import distill
from lmdistill.cli.evaluate import evaluate
from lmdistill.cli.finetune import finetune
from lmdistill.cli.generate import generate
from lmdistill.cli.list_names import listing
from lmdistill.cli.measure import measure
from lmdistill.cli.predict import predict
from lmdistill.cli.prune import prune
from lmdistill.cli.report import report
from lmdistill.cli.study import study
from lmdistill.cli.submit import submit
from lmdistill.cli.theory import theory
from lmdistill.core.cpu_threads import set_waiting
from lmdistill.core.errors import LmdistillError
from lmdistill.core.version import VERSION

NAME = "lmdistill"
DONE, OURS, THEIRS, STOPPED = 0, 1, 2, 130
TRACEBACK = "LMDISTILL_TRACEBACK"

FULL = ("No space left", "os error 28", "disk is full", "inline_container")
"""How libraries that write files say that the disk is full, where they do not say it by number."""

UNUSABLE = (PermissionError, NotADirectoryError, IsADirectoryError, FileExistsError)
"""What the system says of a path that cannot be written or read."""

NOWHERE = (errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP)
"""The same, where Python has no error of its own for it."""

_Misuse: Any = typer.BadParameter.__mro__[2]  # click's own base of them, which typer carries under no name

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Turn a large language model into a small one that keeps its quality.",
)
COMMANDS = (
    demo, distill, study, finetune, evaluate, predict, measure, prune, generate, submit, report, theory,
)  # fmt: skip
for command in COMMANDS:
    app.command()(command)
app.command("list")(listing)


def _print_version(wanted: bool) -> bool:
    """Print the version and leave, if that is wanted."""
    if wanted:
        say(f"{NAME} {VERSION}")
        raise typer.Exit
    return wanted


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Options of the command itself."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with 0 (done), 2 (your mistake), 1 (ours) or 130 (stopped)."""
    speak()
    set_waiting()
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = app(args=given or ["--help"], prog_name=NAME, standalone_mode=False)
    except LmdistillError as error:
        _leave(str(error), THEIRS)
    except (KeyboardInterrupt, typer.Abort):
        code = STOPPED
    except _Misuse as error:
        name = f" {given[0]}" if given[0] in {found.name for found in _commands()} else ""
        said = error.format_message().strip().rstrip(".").replace("Value error, ", "")
        _leave(f"{said}{'' if said.endswith('?') else '.'} See lmdistill{name} --help.", THEIRS)
    except Exception as error:
        _explain(error)
    if code == STOPPED:
        _leave("stopped. The same command goes on from the last checkpoint.", STOPPED)
    sys.exit(code or DONE)


def _commands() -> Any:
    """The commands, as typer keeps them."""
    return typer.main.get_command(app).commands.values()  # type: ignore[attr-defined]


def _leave(message: str, code: int) -> NoReturn:
    """One line on stderr, then out."""
    complain(message, alone=code == OURS)
    sys.exit(code)


def _explain(error: Exception) -> NoReturn:
    """What the system refused is the user's to mend; everything else is a mistake of ours."""
    if os.environ.get(TRACEBACK):
        raise error
    if any(_is_full(cause) for cause in _causes(error)):
        where = f" while writing {error.filename}" if isinstance(error, OSError) and error.filename else ""
        _leave(f"the disk is full{where}. Make room; the same command goes on.", THEIRS)
    is_unusable = isinstance(error, UNUSABLE) or getattr(error, "errno", None) in NOWHERE
    if isinstance(error, OSError) and is_unusable and error.filename:
        _leave(f"{error.filename} cannot be used: {error.strerror}. Choose another path.", THEIRS)
    _leave(f"{type(error).__name__}: {error} (a bug of lmdistill; {TRACEBACK}=1 shows where).", OURS)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_full(error: BaseException) -> bool:
    """Whether an error says that there is no room left."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    return any(sign in str(error) for sign in FULL)
