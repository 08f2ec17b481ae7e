"""How far long work is: a bar on a terminal, plain lines where stderr is a file or a pipe.

A stage is one piece of work with a title and, where it is known, a number of steps. Stages may be nested: an
evaluation is part of the training run that asks for it. A minor stage is not worth a line of its own; it is
mentioned only when nothing has been said for `INTERVAL` seconds.
"""

import contextlib
import math
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, runtime_checkable

from lmdistill.core.printable import one_line

INTERVAL = 30.0
"""Seconds after which a plain line says how far the work is."""

RANKS = ("RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK")
"""Environment variables in which launchers say which process this is; accelerate reads the same."""

Item = TypeVar("Item")


def now() -> float:
    """Seconds on a clock that never goes back."""
    return time.monotonic()


def on_terminal() -> bool:
    """Whether stderr is a terminal that can redraw a line."""
    try:
        is_terminal = sys.stderr.isatty()
    except (AttributeError, ValueError):  # there is no stderr, or it is closed
        return False
    return is_terminal and os.environ.get("TERM") not in ("dumb", "unknown")


def is_first_process() -> bool:
    """Whether this process is alone, or the first of those that were launched together."""
    return next((os.environ[name] for name in RANKS if name in os.environ), "0") == "0"


@dataclass(kw_only=True, eq=False)
class Progress:
    """One piece of work, and how far it is."""

    title: str
    """What is done, on one line."""

    inside: str
    """The title of the stage that it is part of; empty for none."""

    total: int | None
    """Steps of the whole stage; None where they are not known."""

    unit: str
    """What one step is called, in the singular."""

    minor: bool
    """Whether it is part of something else, or so short that its start and end need no line."""

    display: "Display"
    """Where it is shown."""

    began: float = field(default_factory=lambda: now())
    """When this process began to work at it, on the clock of `now`."""

    first: int = 0
    """Steps that an earlier process had done."""

    done: int = 0
    """Steps that are done, those of an earlier process included."""

    note: str = ""
    """What the caller says of the last step, such as its loss; the rate of steps where it says nothing."""

    def resume(self, done: int) -> None:
        """Go on from the steps that an earlier process had done; they took no time of this one."""
        self.first, self.done, self.began = done, done, now()
        if done:
            self.display.resume(self)

    def add(self, count: int = 1) -> None:
        """Count steps that are now done."""
        self.update(self.done + count)

    def update(self, done: int, note: str = "") -> None:
        """Say how many steps are done, and what is worth telling of the last one."""
        self.done, self.note = done, note
        self.display.update(self)

    @property
    def full_title(self) -> str:
        """The title behind those of the stages that it is part of."""
        return f"{self.inside}, {self.title}" if self.inside else self.title

    @property
    def seconds(self) -> float:
        """Since this process began to work at it."""
        return now() - self.began

    @property
    def figures(self) -> str:
        """The caller's note, or how many steps are done a second; empty before the first step."""
        taken = self.done - self.first
        if self.note or not taken or self.seconds <= 0:
            return self.note
        rate = taken / self.seconds
        return f"{rate:.0f} {plural(self.unit)}/s" if rate >= 10 else f"{rate:.2g} {plural(self.unit)}/s"

    @property
    def seconds_left(self) -> float | None:
        """Until the last step, at the mean pace of this process; None where it cannot be known."""
        taken = self.done - self.first
        if self.total is None or not taken:
            return None
        return self.seconds / taken * max(0, self.total - self.done)


@runtime_checkable
class Display(Protocol):
    """Where stages are shown; the innermost one begins last and ends first."""

    def begin(self, stage: Progress) -> None:
        """A stage begins."""
        ...

    def resume(self, stage: Progress) -> None:
        """It goes on from where an earlier process stopped."""
        ...

    def update(self, stage: Progress) -> None:
        """Steps were done."""
        ...

    def end(self, stage: Progress, *, failed: bool) -> None:
        """It is over; `failed` if an error ended it."""
        ...


class PlainLines:
    """A line on stderr at the start and end of a stage, and every `INTERVAL` seconds between them.

    Args:
        mute: Write nothing, because another process does.
    """

    def __init__(self, *, mute: bool = False) -> None:
        self._mute = mute
        self._last = -math.inf

    def begin(self, stage: Progress) -> None:
        """Say what begins and how long it is."""
        if not stage.minor:
            self._write(f"{stage.full_title}: {_counted(stage.total, stage.unit) or 'begins'}")
        elif self._last == -math.inf:
            self._last = now()

    def resume(self, stage: Progress) -> None:
        """Say where it goes on."""
        self._write(f"{stage.full_title}: goes on after {_position(stage)}")

    def update(self, stage: Progress) -> None:
        """Say how far it is, if nothing was said for a while."""
        if now() - self._last < INTERVAL:
            return
        left = stage.seconds_left
        parts = (_position(stage), stage.figures, "" if left is None else f"{duration(left)} left")
        self._write(f"{stage.full_title}: {', '.join(part for part in parts if part)}")

    def end(self, stage: Progress, *, failed: bool) -> None:
        """Say how long it took."""
        if not stage.minor and not failed:
            parts = (
                _counted(stage.done - stage.first, stage.unit) or "done",
                f"of {stage.total}" if stage.total not in (None, stage.done) else "",
                f"in {duration(stage.seconds)}",
            )
            said = " ".join(part for part in parts if part)
            self._write(f"{stage.full_title}: {said}{f', {stage.note}' if stage.note else ''}")

    def announce(self, text: str) -> None:
        """Say what begins now, of which no steps can be counted."""
        self._write(text)

    def _write(self, text: str) -> None:
        """One line; work goes on where it cannot be written."""
        self._last = now()
        if self._mute:
            return
        with contextlib.suppress(AttributeError, OSError, ValueError):
            sys.stderr.write(one_line(text) + "\n")
            sys.stderr.flush()


_LINES, _SILENT = PlainLines(), PlainLines(mute=True)
_open: list[Progress] = []


@contextmanager
def progress(
    title: str, total: int | None = None, *, unit: str = "row", minor: bool = False
) -> Iterator[Progress]:
    """Show how far the block is, on stderr; in several processes the first one speaks.

    Args:
        title: What is done.
        total: Steps of the whole block, >= 0; None where they are not known.
        unit: What one step is called, in the singular.
        minor: Whether it is part of something else, or so short that its start and end need no line.

    Yields:
        The stage, to be told of the steps that are done.
    """
    outer = _open[-1] if _open else None
    display = _display() if outer is None else outer.display
    inside = "" if outer is None else outer.full_title
    stage = Progress(title=title, inside=inside, total=total, unit=unit, minor=minor, display=display)
    _open.append(stage)
    display.begin(stage)
    failed = True
    try:
        yield stage
        failed = False
    finally:
        if stage in _open:  # else one around it has ended first, by an error
            del _open[_open.index(stage) :]
        display.end(stage, failed=failed)


def track(
    items: Iterable[Item], title: str, total: int | None = None, *, unit: str = "batch", minor: bool = True
) -> Iterator[Item]:
    """The items, with how many of them were taken shown as in `progress`."""
    with progress(title, total, unit=unit, minor=minor) as stage:
        for item in items:
            yield item
            stage.add()


def announce(text: str) -> None:
    """One plain line before long work whose steps cannot be counted; nothing on a terminal."""
    display = _open[-1].display if _open else _display()
    if isinstance(display, PlainLines):
        display.announce(text)


def duration(seconds: float) -> str:
    """A time span with one or two units.

    Examples:
        >>> [duration(seconds) for seconds in (3.21, 75.0, 400.0, 9000.0)]
        ['3.2 s', '75 s', '7 min', '2 h 30 min']
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def plural(noun: str) -> str:
    """Several of what a regular English noun names.

    Examples:
        >>> [plural(noun) for noun in ("step", "batch", "pass")]
        ['steps', 'batches', 'passes']
    """
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"


def _display() -> Display:
    """Where this process shows its stages."""
    if not is_first_process():
        return _SILENT
    if on_terminal():
        from lmdistill.core.progress_bar import TerminalBars  # rich is not needed for lines

        return TerminalBars()
    return _LINES


def _counted(number: int | None, unit: str) -> str:
    """So many steps; empty where their number is not known."""
    return "" if number is None else f"{number} {unit if number == 1 else plural(unit)}"


def _position(stage: Progress) -> str:
    """Which step was the last."""
    whole = "" if stage.total is None else f" of {stage.total}"
    return f"{stage.unit} {stage.done}{whole}"
