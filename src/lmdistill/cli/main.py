"""The command `lmdistill`: its subcommands, and how errors become messages and exit codes.

The module of each command imports what it runs inside its function, so that help, shell completion and a
misspelt option need neither torch nor any other module that is slow to import.
"""

import errno
import os
import sys
from collections.abc import Iterator
from typing import Annotated, Any, NoReturn

import typer

from lmdistill.cli.certify import certify
from lmdistill.cli.console import complain, say, speak
from lmdistill.cli.demo import demo
from lmdistill.cli.distill import distill
from lmdistill.cli.evaluate import evaluate
from lmdistill.cli.export import export
from lmdistill.cli.finetune import finetune
from lmdistill.cli.generate import generate
from lmdistill.cli.label import label
from lmdistill.cli.list_names import listing
from lmdistill.cli.measure import measure
from lmdistill.cli.monitor import monitor
from lmdistill.cli.predict import predict
from lmdistill.cli.prune import prune
from lmdistill.cli.report import report
from lmdistill.cli.serve import serve
from lmdistill.cli.shrink import shrink
from lmdistill.cli.study import study
from lmdistill.cli.submit import submit
from lmdistill.cli.theory import theory
from lmdistill.cli.trim_vocabulary import trim_vocabulary
from lmdistill.core.cpu_threads import set_waiting
from lmdistill.core.errors import LmdistillError
from lmdistill.core.version import VERSION

NAME = "lmdistill"
SUCCESS, BUG, USER_ERROR, INTERRUPTED = 0, 1, 2, 130
TRACEBACK = "LMDISTILL_TRACEBACK"

DISK_FULL = (
    "No space left", "os error 28", "os error 122", "os error 27", "disk is full", "inline_container",
)  # fmt: skip
"""Parts of messages of libraries that report a full disk without the error number of the system."""

DISK_FULL_NUMBERS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Numbers of the system for a full disk, an exceeded quota, and a file beyond the limit for files."""

PATH_ERRORS = (PermissionError, NotADirectoryError, IsADirectoryError, FileExistsError)
"""Errors of the system for a path that cannot be read or written."""

PATH_ERROR_NUMBERS = (errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP)
"""Numbers of further such errors, for which Python has no exception class."""

_UsageError: Any = typer.BadParameter.__mro__[2]  # click.UsageError, which typer does not export

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Turn a large language model into a small one that keeps its quality.",
)
COMMANDS = (
    demo, distill, study, shrink, finetune, evaluate, predict, measure, prune, trim_vocabulary, export,
    certify, serve, monitor, generate, label, submit, report, theory,
)  # fmt: skip
for command in COMMANDS:
    app.command()(command)
app.command("list")(listing)


def _print_version(wanted: bool) -> bool:
    """Print the version and exit, if `wanted`."""
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
    """Options before the name of a subcommand."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with 0 (success), 1 (bug), 2 (error of the user) or 130 (interrupted).

    `lmdistill monitor` also exits with 3, which is an alarm.

    Args:
        arguments: Arguments without the program's name; None takes those of the process.
    """
    speak()
    set_waiting()
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        code = app(args=arguments or ["--help"], prog_name=NAME, standalone_mode=False)
    except LmdistillError as error:
        _exit(str(error), USER_ERROR)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except _UsageError as error:
        is_command = arguments[0] in {one.name for one in _commands()}
        name = f" {arguments[0]}" if is_command else ""
        message = error.format_message().strip().rstrip(".").replace("Value error, ", "")
        _exit(f"{message}{'' if message.endswith('?') else '.'} See lmdistill{name} --help.", USER_ERROR)
    except Exception as error:
        _exit_with(error)
    if code == INTERRUPTED:
        _exit("stopped. Run the same command again to continue from the last checkpoint.", INTERRUPTED)
    sys.exit(code or SUCCESS)


def _commands() -> Any:
    """The commands as click objects."""
    return typer.main.get_command(app).commands.values()  # type: ignore[attr-defined]


def _exit(message: str, code: int) -> NoReturn:
    """Print an error message and exit."""
    complain(message, alone=code == BUG)
    sys.exit(code)


def _exit_with(error: Exception) -> NoReturn:
    """Exit with the message of an unexpected error: a full disk, an unusable path, or else a bug."""
    if os.environ.get(TRACEBACK):
        raise error
    if any(_is_disk_full(cause) for cause in _causes(error)):
        where = f" while writing {error.filename}" if isinstance(error, OSError) and error.filename else ""
        _exit(f"the disk is full{where}. Free some space and run the same command again.", USER_ERROR)
    is_path_error = isinstance(error, PATH_ERRORS) or getattr(error, "errno", None) in PATH_ERROR_NUMBERS
    if isinstance(error, OSError) and is_path_error and error.filename:
        _exit(f"{error.filename} cannot be used: {error.strerror}. Choose another path.", USER_ERROR)
    _exit(f"{type(error).__name__}: {error} (a bug in lmdistill; {TRACEBACK}=1 shows the traceback).", BUG)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and its chain of causes."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_disk_full(error: BaseException) -> bool:
    """Whether an error reports a full disk or an exceeded quota."""
    if isinstance(error, OSError) and error.errno in DISK_FULL_NUMBERS:
        return True
    return any(part in str(error) for part in DISK_FULL)
