"""Transformers without its bars and load reports."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transformers.utils import logging

_chatter: Any = logging  # its functions have no types


@contextmanager
def quiet(*, downloads: bool = False) -> Iterator[None]:
    """Nothing but errors from transformers inside the block; its settings are put back behind it.

    Args:
        downloads: Leave the bars on, because something large may be fetched.
    """
    level, bars = _chatter.get_verbosity(), _chatter.is_progress_bar_enabled()
    _chatter.set_verbosity_error()
    if not downloads:
        _chatter.disable_progress_bar()
    try:
        yield
    finally:
        _chatter.set_verbosity(level)
        if bars:
            _chatter.enable_progress_bar()
