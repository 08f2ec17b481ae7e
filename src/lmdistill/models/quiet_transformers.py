"""Suppression of the progress bars and messages of transformers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import huggingface_hub.utils
from transformers.utils import logging

from lmdistill.core.progress import on_terminal

_logging: Any = logging  # its functions have no types
_hub: Any = huggingface_hub.utils


@contextmanager
def quiet(*, downloads: bool = False) -> Iterator[None]:
    """Show only errors of transformers inside the block, then restore its settings.

    Args:
        downloads: Show progress bars of downloads if stderr is a terminal; set it if a download may be large.
    """
    level, bars = _logging.get_verbosity(), _logging.is_progress_bar_enabled()
    hub_bars = not _hub.are_progress_bars_disabled()
    _logging.set_verbosity_error()
    _logging.disable_progress_bar()  # disables those of downloads too
    if hub_bars and downloads and on_terminal():
        _hub.enable_progress_bars()
    try:
        yield
    finally:
        _logging.set_verbosity(level)
        if bars:
            _logging.enable_progress_bar()
        if hub_bars:
            _hub.enable_progress_bars()
        else:
            _hub.disable_progress_bars()
