"""A terminal, or a pipe, that shows texts and obeys none."""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from lmdistill.core.printable import printable


class Terminal(Console):
    """A console for texts that may come from anywhere: no markup in them, and no control characters.

    Args:
        stderr: Whether it writes to stderr instead of stdout.
        soft_wrap: Whether long lines are left as they are.
        quiet: Whether nothing is written.
    """

    def __init__(self, *, stderr: bool = False, soft_wrap: bool = False, quiet: bool = False) -> None:
        super().__init__(
            stderr=stderr, soft_wrap=soft_wrap, quiet=quiet, markup=False, emoji=False, highlight=False
        )

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of what is shown; sequences of rich itself (colours, bars) are no texts and stay."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))
