"""What the command line says: results on stdout, the library's messages and errors on stderr, a line each."""

import logging
import os
import sys
import warnings

from rich.console import Console
from rich.text import Text

from lmdistill.core.progress import is_first_process, on_terminal

FOREIGN = ("transformers", "datasets", "huggingface_hub", "accelerate", "torch", "fsspec", "matplotlib")
"""Libraries whose messages below an error are kept from the user, who can do nothing about them."""

BARS = ("HF_HUB_DISABLE_PROGRESS_BARS", "HF_DATASETS_DISABLE_PROGRESS_BARS", "TQDM_DISABLE")
"""Environment variables that hide the bars of other libraries if they are set before these are loaded."""

QUIET = {
    "TRANSFORMERS_VERBOSITY": "error",
    "DATASETS_VERBOSITY": "error",
    "HF_HUB_VERBOSITY": "error",
    "TORCH_LOGS": "-all",
}
"""The same as environment variables, for libraries that set their own level when they are imported later."""

NO_TERMINAL_WIDTH = 200
"""Characters in a line of a table where it is not known how many fit."""

SILENT = not is_first_process()
"""Of several processes that were launched together, the first one speaks for all."""


class _Voice(logging.Handler):
    """Each message on one line of stderr, above a progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write `record` as it is: brackets and colons are no markup, and no line is broken."""
        style = "yellow" if record.levelno >= logging.WARNING else ""
        _line(Text(" ".join(self.format(record).split()), style=style), stderr=True)


def speak() -> None:
    """Show the library's own messages, one a line, and keep others' chatter away."""
    ours = logging.getLogger("lmdistill")
    ours.handlers[:] = [_Voice()]
    ours.setLevel(logging.INFO)
    ours.propagate = False
    for name in FOREIGN:
        logging.getLogger(name).setLevel(logging.ERROR)
    if not on_terminal():
        for name in BARS:
            os.environ.setdefault(name, "1")
    for variable, level in QUIET.items():
        os.environ.setdefault(variable, level)
    if not sys.warnoptions:  # python -W still shows them
        warnings.simplefilter("ignore")
        warnings.showwarning = _drop  # libraries that are imported later add filters of their own


def _drop(*warning: object, **where: object) -> None:
    """Show no warning."""


def results() -> Console:
    """Standard output; wide enough for whole tables where it is no terminal."""
    console = Console(highlight=False, emoji=False, quiet=SILENT)
    if not console.is_terminal:
        console.width = NO_TERMINAL_WIDTH
    return console


def say(text: str) -> None:
    """One line of a result, as it is."""
    _line(Text(text), stderr=False)


def complain(message: str, *, alone: bool = False) -> None:
    """One line that says what is wrong; `alone` if it may be wrong in this process only."""
    text = Text.assemble(("error: ", "bold red"), " ".join(message.split()))
    _line(text, stderr=True, quiet=SILENT and not alone)


def _line(text: Text, *, stderr: bool, quiet: bool = SILENT) -> None:
    """A line that is neither broken nor read as markup."""
    Console(stderr=stderr, soft_wrap=True, highlight=False, emoji=False, quiet=quiet).print(text)
