"""Lines come often enough and never too often, and say what a bar on a terminal says."""

import contextlib
import io
import re
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core import progress
from lmdistill.core.progress import INTERVAL, PlainLines, announce, is_first_process, on_terminal, track
from lmdistill.core.progress import progress as shown_progress

ESCAPE, HIDDEN, SHOWN = "\x1b", "\x1b[?25l", "\x1b[?25h"
"""What begins a command to a terminal, and those that hide and show its cursor."""

ROUNDING = 1e-6


class Clock:
    """A clock that goes only when it is told to."""

    def __init__(self):
        self.time = 1000.0

    def __call__(self):
        return self.time


class Recorder(io.StringIO):
    """A stderr that is no terminal, and remembers when each line was written."""

    def __init__(self, clock):
        super().__init__()
        self.clock, self.lines = clock, []

    def write(self, text):
        assert text.endswith("\n")
        assert "\n" not in text[:-1]
        self.lines.append((self.clock(), text[:-1]))
        return len(text)

    @property
    def said(self):
        return [text for _, text in self.lines]


@contextlib.contextmanager
def at(stderr):
    """This stderr in place of the real one, in the only process that there is; capturing is over by then."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "_LINES", PlainLines())
        patch.setattr(progress, "_open", [])
        patch.setattr(sys, "stderr", stderr)
        for name in (*progress.RANKS, "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
            patch.delenv(name, raising=False)
        patch.setenv("TERM", "xterm")
        patch.setenv("COLUMNS", "120")
        yield patch


@contextlib.contextmanager
def recorded():
    """A clock, and a stderr that remembers when each line was written."""
    clock = Clock()
    stderr = Recorder(clock)
    with at(stderr) as patch:
        patch.setattr(progress, "now", clock)
        yield clock, stderr


class Terminal(io.StringIO):
    """A stderr that is a terminal."""

    def isatty(self):
        return True


durations = st.lists(st.floats(0.01, 3 * INTERVAL), max_size=60)


def gaps(times):
    return [after - before for before, after in pairwise(times)]


@given(steps=durations)
def test_lines_of_a_stage_are_an_interval_apart_and_no_further_than_that_and_one_step(steps):
    with recorded() as (clock, stderr), shown_progress("KD", len(steps), unit="step") as stage:
        for seconds in steps:
            clock.time += seconds
            stage.add()
    assert stderr.said[0].startswith("KD: ")
    assert re.match(r"KD: \d+ steps? in ", stderr.said[-1])
    *within, last = gaps([time for time, _ in stderr.lines])
    assert all(gap >= INTERVAL for gap in within)
    assert all(gap <= INTERVAL + max(steps) + ROUNDING for gap in (*within, last) if steps)


@given(stages=st.lists(st.tuples(st.booleans(), durations), max_size=8))
def test_stages_one_after_another_inside_another_are_never_silent_for_longer(stages):
    with recorded() as (clock, stderr), shown_progress("study", unit="stage") as outer:
        for minor, steps in stages:
            with shown_progress("part", len(steps), minor=minor) as inner:
                for seconds in steps:
                    clock.time += seconds
                    inner.add()
            outer.add()
    longest = max((seconds for _, steps in stages for seconds in steps), default=0)
    assert all(gap <= INTERVAL + longest + ROUNDING for gap in gaps([time for time, _ in stderr.lines]))


@given(steps=durations)
def test_many_short_minor_stages_are_not_silent_either_and_no_chatter(steps):
    with recorded() as (clock, stderr):
        began = clock.time
        for seconds in steps:
            with shown_progress("evaluating", 1, minor=True) as stage:
                clock.time += seconds
                stage.add()
    times = [began, *(time for time, _ in stderr.lines)]
    assert all(gap >= INTERVAL for gap in gaps(times))
    assert all(gap <= INTERVAL + max(steps) + ROUNDING for gap in gaps([*times, clock.time]) if steps)


def test_a_line_says_the_step_the_note_and_the_time_left():
    with recorded() as (clock, stderr), shown_progress("MixKD (seed 0)", 600, unit="step") as stage:
        clock.time += 60
        stage.update(120, "loss 0.412, 85 examples/s")
        clock.time += 240
        stage.update(600, "loss 0.400, 85 examples/s")
    assert stderr.said == [
        "MixKD (seed 0): 600 steps",
        "MixKD (seed 0): step 120 of 600, loss 0.412, 85 examples/s, 4 min left",  # 480 steps at 2 a second
        "MixKD (seed 0): step 600 of 600, loss 0.400, 85 examples/s, 0.0 s left",
        "MixKD (seed 0): 600 steps in 5 min, loss 0.400, 85 examples/s",
    ]


def test_without_a_note_a_line_says_the_rate():
    with recorded() as (clock, stderr), shown_progress("predict", 4000) as stage:
        clock.time += 40
        stage.add(1000)
        clock.time += 1000
        stage.add(40)
    assert stderr.said[1:] == [
        "predict: row 1000 of 4000, 25 rows/s, 2 min left",
        "predict: row 1040 of 4000, 1 rows/s, 49 min left",
        "predict: 1040 rows of 4000 in 17 min",
    ]


def test_what_an_earlier_process_did_is_no_speed_of_this_one():
    with recorded() as (clock, stderr), shown_progress("KD", 600, unit="step") as stage:
        clock.time += 5
        stage.resume(500)
        clock.time += 40
        stage.update(510)
        stage.update(600)
    assert stderr.said == [
        "KD: 600 steps",
        "KD: goes on after step 500 of 600",
        "KD: step 510 of 600, 0.25 steps/s, 6 min left",
        "KD: 100 steps in 40 s",
    ]


def test_a_stage_that_begins_anew_resumes_nothing():
    with recorded() as (_, stderr), shown_progress("KD", 2, unit="step") as stage:
        stage.resume(0)
    assert stderr.said == ["KD: 2 steps", "KD: 0 steps of 2 in 0.0 s"]


def test_a_stage_that_fails_says_no_end():
    with recorded() as (_, stderr):
        with pytest.raises(RuntimeError), shown_progress("KD", 2):
            raise RuntimeError("no")
        assert stderr.said == ["KD: 2 rows"]
        with shown_progress("next", 1):
            pass
    assert stderr.said[1] == "next: 1 row"  # not inside the one that failed


def test_a_stage_inside_another_names_both():
    with (
        recorded() as (clock, stderr),
        shown_progress("KD", 2, unit="step"),
        shown_progress("evaluating", 10, minor=True) as inner,
    ):
        clock.time += 31
        inner.add(5)
    assert stderr.said[1] == "KD, evaluating: row 5 of 10, 0.16 rows/s, 31 s left"


def test_a_stage_whose_length_is_not_known_says_no_time_left():
    with recorded() as (clock, stderr):
        for _ in track(iter("abc"), "reading", unit="row"):
            clock.time += 40
    assert stderr.said == [f"reading: row {number}, 0.025 rows/s" for number in (1, 2, 3)]


def test_a_tracked_sequence_gives_its_items_and_ends_when_it_is_left():
    assert list(track([1, 2, 3], "x")) == [1, 2, 3]
    for _ in track([1, 2], "x"):
        break
    assert progress._open == []


def test_titles_stay_on_one_line():
    with recorded() as (_, stderr):
        with shown_progress("my\n  method", 1):
            pass
        announce("a\tb\nc")
    assert [line.split(":")[0] for line in stderr.said] == ["my method", "my method", "a b c"]


class Full(io.StringIO):
    """A file on a full disk."""

    def write(self, text):
        raise OSError(28, "No space left on device")


def closed():
    file = io.StringIO()
    file.close()
    return file


@pytest.mark.parametrize("stderr", [Full(), closed(), None], ids=["full", "closed", "none"])
def test_work_goes_on_where_nothing_can_be_written(stderr):
    with at(stderr), shown_progress("KD", 2) as stage:
        stage.add()
    assert stage.done == 1


@pytest.mark.parametrize("name", progress.RANKS)
def test_only_the_first_of_several_processes_speaks(monkeypatch, name):
    with recorded() as (clock, stderr):
        monkeypatch.setenv(name, "1")
        assert not is_first_process()
        with shown_progress("KD", 2) as stage:
            clock.time += 99
            stage.resume(1)
            stage.update(2)
            announce("evaluating")
        announce("evaluating")
        assert stderr.said == []
        monkeypatch.setenv(name, "0")
        assert is_first_process()
        announce("evaluating")
    assert stderr.said == ["evaluating"]


def test_a_terminal_shows_bars_and_no_lines():
    terminal = Terminal()
    with at(terminal):
        assert on_terminal()
        with shown_progress("KD [bold]x", 4, unit="step") as stage:
            stage.resume(1)
            stage.update(2, "loss 0.5 [red]")
            with shown_progress("evaluating", 3, minor=True) as inner:
                inner.add(3)
            announce("evaluating")
            stage.update(4, "loss 0.4")
    said = terminal.getvalue()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said)
    assert ESCAPE in said
    assert "KD [bold]x" in plain
    assert "loss 0.4" in plain
    assert "100%" in plain
    assert "KD [bold]x: " not in plain
    assert said.count(HIDDEN) == said.count(SHOWN) == 1


def test_the_cursor_comes_back_when_work_fails_on_a_terminal():
    terminal, rows = Terminal(), track([1, 2, 3], "reading")
    with at(terminal):
        with pytest.raises(ZeroDivisionError), shown_progress("outer", 1):
            print(next(rows) / 0, file=terminal)
        assert terminal.getvalue().count(SHOWN) == 1
        with shown_progress("another", 1) as stage:
            stage.add()
        rows.close()
        assert terminal.getvalue().count(SHOWN) == terminal.getvalue().count(HIDDEN) == 2
        assert progress._open == []


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_a_terminal_that_cannot_redraw_gets_lines(monkeypatch, term):
    terminal = Terminal()
    with at(terminal):
        monkeypatch.setenv("TERM", term)
        with shown_progress("KD", 1):
            pass
    assert terminal.getvalue().splitlines()[0] == "KD: 1 row"
    assert ESCAPE not in terminal.getvalue()


def test_colours_that_are_forced_make_no_terminal(monkeypatch):
    with recorded() as (_, stderr):
        monkeypatch.setenv("FORCE_COLOR", "1")
        with shown_progress("KD", 1):
            pass
    assert stderr.said[0] == "KD: 1 row"
