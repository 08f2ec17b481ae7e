"""Output of the command line: results on stdout; log messages and errors on stderr, one line each."""

import logging
import os
import sys
import warnings

from rich.console import Console
from rich.text import Text

from lmdistill.core.addresses import without_secrets
from lmdistill.core.printable import one_line, printable
from lmdistill.core.progress import is_first_process, on_terminal
from lmdistill.core.terminal import Terminal

FOREIGN = ("transformers", "datasets", "huggingface_hub", "accelerate", "torch", "fsspec", "matplotlib")
"""Loggers of other libraries, of which only errors are shown; users cannot act on the rest."""

BARS = ("HF_HUB_DISABLE_PROGRESS_BARS", "HF_DATASETS_DISABLE_PROGRESS_BARS", "TQDM_DISABLE")
"""Environment variables that hide progress bars of other libraries; must be set before their import."""

QUIET = {
    "TRANSFORMERS_VERBOSITY": "error",
    "DATASETS_VERBOSITY": "error",
    "HF_HUB_VERBOSITY": "error",
    "TORCH_LOGS": "-all",
}
"""Environment variables with the log level of libraries that set their own level when they are imported."""

NO_TERMINAL_WIDTH = 200
"""Width of tables in characters if stdout is not a terminal."""

SILENT = not is_first_process()
"""Whether this process prints nothing: of several launched processes only the first one prints."""


class _MessageHandler(logging.Handler):
    """Log handler that prints each message as one line on stderr, above a progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print `record` without markup and without line breaks; warnings are yellow."""
        style = "yellow" if record.levelno >= logging.WARNING else ""
        _print_line(Text(_clean(self.format(record)), style=style), stderr=True)


def speak() -> None:
    """Show log messages of lmdistill from level INFO on, and hide those of other libraries below ERROR."""
    own_logger = logging.getLogger("lmdistill")
    own_logger.handlers[:] = [_MessageHandler()]
    own_logger.setLevel(logging.INFO)
    own_logger.propagate = False
    for name in FOREIGN:
        logging.getLogger(name).setLevel(logging.ERROR)
    if not on_terminal():
        for name in BARS:
            os.environ.setdefault(name, "1")
    for variable, level in QUIET.items():
        os.environ.setdefault(variable, level)
    if not sys.warnoptions:  # python -W still shows warnings
        warnings.simplefilter("ignore")
        warnings.showwarning = _ignore_warning  # libraries that are imported later add their own filters


def _ignore_warning(*warning: object, **location: object) -> None:
    """Replacement for `warnings.showwarning` that prints nothing."""


def results() -> Console:
    """A console for stdout; `NO_TERMINAL_WIDTH` wide if stdout is not a terminal."""
    console = Terminal(quiet=SILENT)
    if not console.is_terminal:
        console.width = NO_TERMINAL_WIDTH
    return console


def say(text: str) -> None:
    """Print one line on stdout, without markup."""
    _print_line(Text(printable(text)), stderr=False)


def complain(message: str, *, alone: bool = False) -> None:
    """Print an error on stderr, as one line.

    Args:
        message: What is wrong, and what to do.
        alone: Whether to print it in every launched process, because the error may occur in only one of them.
    """
    text = Text.assemble(("error: ", "bold red"), _clean(message))
    _print_line(text, stderr=True, quiet=SILENT and not alone)


def _clean(text: str) -> str:
    """A message on one line, without control characters and without the passwords of addresses."""
    return one_line(without_secrets(text))


def _print_line(text: Text, *, stderr: bool, quiet: bool = SILENT) -> None:
    """Print `text` without wrapping it."""
    Terminal(stderr=stderr, soft_wrap=True, quiet=quiet).print(text)
