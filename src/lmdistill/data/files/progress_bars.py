"""Progress bars of `datasets`, which has bars for work that takes no time."""

from collections.abc import Iterator
from contextlib import contextmanager

import datasets

from lmdistill.core.progress import on_terminal


@contextmanager
def without_bars(*, downloads: bool = False) -> Iterator[None]:
    """Hide the bars of `datasets` inside the block; afterwards they are as they were.

    Args:
        downloads: Show them on a terminal all the same, because something large may be fetched.
    """
    hide = not (downloads and on_terminal()) and not datasets.are_progress_bars_disabled()
    if hide:
        datasets.disable_progress_bars()
    try:
        yield
    finally:
        if hide:
            datasets.enable_progress_bars()
