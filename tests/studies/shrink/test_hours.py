"""Hours of a search add up over its commands."""

import json
import logging
import time

import pytest

from lmdistill.core.errors import ConfigError
from lmdistill.studies.shrink.hours import FILE, Hours, require_hours


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test moves."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_the_hours_of_several_commands_add_up(tmp_path, clock):
    for _ in range(2):
        hours = Hours(tmp_path, 4.0)
        clock[0] += 3600
        hours.save(now=True)
    assert hours.used == pytest.approx(2.0)
    assert hours.share == pytest.approx(0.5)
    assert hours.text == "2.00 of 4 hours used"
    assert Hours(tmp_path, None).share == 0.0


def test_a_kill_loses_the_seconds_since_the_last_write_alone(tmp_path, clock):
    hours = Hours(tmp_path, None)
    for _ in range(100):
        clock[0] += 1.0
        hours.save()
    kept = json.loads((tmp_path / FILE).read_text())["seconds"]
    assert 94 <= kept <= 100


def test_a_line_every_two_minutes_says_how_much_is_gone(tmp_path, clock, caplog):
    hours = Hours(tmp_path, 0.5)
    with caplog.at_level(logging.INFO):
        for _ in range(900):
            clock[0] += 1.0
            hours.tell()
    assert len(caplog.messages) == 7
    assert caplog.messages[-1] == "0.23 of 0.5 hours used"


def test_a_damaged_file_counts_from_nothing(tmp_path):
    (tmp_path / FILE).write_text("{")
    assert Hours(tmp_path, 1.0).used < 0.01


@pytest.mark.parametrize("hours", [0.0, -1.0, float("inf"), float("nan")])
def test_hours_that_are_none_are_refused(hours):
    with pytest.raises(ConfigError, match="--hours must be above 0"):
        require_hours(hours)
