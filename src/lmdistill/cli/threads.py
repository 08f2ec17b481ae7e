"""The option --threads of commands that run networks."""

from typing import Annotated

import typer

from lmdistill.core.cpu_threads import MOST, set_threads


def _set(number: int | None) -> None:
    """Set the number of threads; it runs before the command imports torch."""
    if number is not None:
        set_threads(number)


Threads = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MOST,
        callback=_set,
        expose_value=False,
        help="CPU threads per process. Default: all available cores; in a study they are shared by its jobs.",
    ),
]
