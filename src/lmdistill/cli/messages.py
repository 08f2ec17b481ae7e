"""What the library says aloud, on stderr."""

import logging

from rich.console import Console
from rich.logging import RichHandler


def speak() -> None:
    """Show the library's own messages, one a line, and keep others' chatter away."""
    handler = RichHandler(
        console=Console(stderr=True),
        show_time=False,
        show_path=False,
        show_level=False,
        markup=False,
        highlighter=None,
    )
    ours = logging.getLogger("lmdistill")
    ours.handlers[:] = [handler]
    ours.setLevel(logging.INFO)
    ours.propagate = False
