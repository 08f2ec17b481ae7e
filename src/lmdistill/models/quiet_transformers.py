"""Transformers without its bars and load reports."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import huggingface_hub.utils
from transformers.utils import logging

from lmdistill.core.progress import on_terminal

_chatter: Any = logging  # its functions have no types
_hub: Any = huggingface_hub.utils


@contextmanager
def quiet(*, downloads: bool = False) -> Iterator[None]:
    """Nothing but errors from transformers inside the block; its settings are put back behind it.

    Args:
        downloads: Show the bars of downloads on a terminal, because something large may be fetched.
    """
    level, bars = _chatter.get_verbosity(), _chatter.is_progress_bar_enabled()
    shown = not _hub.are_progress_bars_disabled()
    _chatter.set_verbosity_error()
    _chatter.disable_progress_bar()  # and those of downloads
    if shown and downloads and on_terminal():
        _hub.enable_progress_bars()
    try:
        yield
    finally:
        _chatter.set_verbosity(level)
        if bars:
            _chatter.enable_progress_bar()
        if shown:
            _hub.enable_progress_bars()
        else:
            _hub.disable_progress_bars()
