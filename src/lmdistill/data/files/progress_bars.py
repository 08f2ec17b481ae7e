"""Hiding of the progress bars of the `datasets` library, which appear even for very short work."""

from collections.abc import Iterator
from contextlib import contextmanager

import datasets

from lmdistill.core.progress import on_terminal


@contextmanager
def without_bars(*, downloads: bool = False) -> Iterator[None]:
    """Hide the progress bars of `datasets` inside the block, then restore the previous setting.

    Args:
        downloads: Whether to show the bars anyway if stderr is a terminal, for large downloads.
    """
    hide = not (downloads and on_terminal()) and not datasets.are_progress_bars_disabled()
    if hide:
        datasets.disable_progress_bars()
    try:
        yield
    finally:
        if hide:
            datasets.enable_progress_bars()
