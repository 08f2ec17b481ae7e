"""Bars with examples a second and time left; silent when the output is no terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from lmdistill.engine.distributed import is_main

Advance = Callable[..., None]
"""Called with (steps done) and, if known, note="1.32 loss"."""


@contextmanager
def bar(title: str, total: int, *, done: int = 0) -> Iterator[Advance]:
    """A progress bar on stderr; yields a function that takes how many of `total` are done, and a note."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:<16}"),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    hidden = not console.is_terminal or not is_main()
    with Progress(*columns, console=console, disable=hidden, refresh_per_second=4) as progress:
        task = progress.add_task(title, total=total, completed=done, note="")

        def advance(completed: int, note: str = "") -> None:
            progress.update(task, completed=completed, note=note)

        yield advance
