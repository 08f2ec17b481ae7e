"""Progress bars of `datasets`: shown on a terminal, silent elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import datasets


@contextmanager
def quiet_unless_terminal() -> Iterator[None]:
    """Hide the bars inside the block unless stderr is a terminal; afterwards they are as they were."""
    hide = not sys.stderr.isatty() and not datasets.are_progress_bars_disabled()
    if hide:
        datasets.disable_progress_bars()
    try:
        yield
    finally:
        if hide:
            datasets.enable_progress_bars()
