"""Bars of nested stages on a terminal, with steps a second and time left."""

import math

from rich.progress import (
    BarColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

from lmdistill.core.progress import Progress, now
from lmdistill.core.terminal import Terminal

PAUSE = 0.1
"""Seconds between two changes of a bar; some stages have a step for each row of a file."""


class TerminalBars:
    """One display for a stage and the stages inside it; the bar of a stage that is no minor one stays."""

    def __init__(self) -> None:
        self._outermost: Progress | None = None
        self._live: Bars | None = None
        self._tasks: dict[Progress, TaskID] = {}
        self._changed = -math.inf

    def begin(self, stage: Progress) -> None:
        """Add a bar."""
        if self._live is None:
            self._outermost = stage
            self._live = Bars(
                TextColumn("{task.description:<16}", markup=False),
                BarColumn(bar_width=None),
                TaskProgressColumn(),
                TextColumn("{task.fields[note]}", markup=False),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=Terminal(stderr=True),
                refresh_per_second=4,
                transient=stage.minor,
            )
            self._live.start()
        self._tasks[stage] = self._live.add_task(stage.title, total=stage.total, note="")

    def resume(self, stage: Progress) -> None:
        """Fill the bar up to where an earlier process stopped, without counting that as speed."""
        self._shown.reset(self._tasks[stage], completed=stage.done)

    def update(self, stage: Progress) -> None:
        """Move the bar."""
        if now() - self._changed < PAUSE and stage.done != stage.total:
            return
        self._changed = now()
        self._shown.update(self._tasks[stage], completed=stage.done, note=stage.figures)

    def end(self, stage: Progress, *, failed: bool) -> None:
        """Leave the outermost bar as it is; take an inner one away."""
        task = self._tasks.pop(stage, None)
        if stage is self._outermost:
            self._shown.stop()
            self._live, self._tasks = None, {}
        elif task is not None:
            self._shown.remove_task(task)

    @property
    def _shown(self) -> Bars:
        """The display, which is there between the first beginning and the last end."""
        assert self._live is not None
        return self._live
