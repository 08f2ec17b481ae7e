"""The option --graph of commands that ask an exported folder."""

from pathlib import Path
from typing import Annotated

import typer

from lmdistill.core.errors import ConfigError
from lmdistill.serving.manifest import is_exported

GraphName = Annotated[
    str | None,
    typer.Option(
        "--graph",
        help="Graph of an exported folder, such as onnx-int8. Default: the fastest when it was exported.",
    ),
]
"""Name of a graph."""


def asks_exported(target: str, graph: str | None) -> bool:
    """Whether a command asks an exported folder.

    Raises:
        ConfigError: If a graph is named and it does not.
    """
    if is_exported(Path(target)):
        return True
    if graph is not None:
        raise ConfigError(f"--graph {graph} has no effect: {target} is no exported folder. Leave it out.")
    return False
