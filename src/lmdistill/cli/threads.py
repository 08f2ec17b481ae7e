"""The option --threads of commands that compute."""

from typing import Annotated

import typer

from lmdistill.core.cpu_threads import MOST, set_threads


def _set(number: int | None) -> None:
    """Set the threads before the command begins, which loads torch."""
    if number is not None:
        set_threads(number)


Threads = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MOST,
        callback=_set,
        expose_value=False,
        help="CPU threads of each process; unless given, all cores that it may use, in a study its share.",
    ),
]
