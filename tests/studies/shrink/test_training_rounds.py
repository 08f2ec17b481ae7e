"""Rounds of training in processes of their own: the best go on, what is done stays, hours end it."""

import json
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from lmdistill.core.errors import ConfigError, RunError
from lmdistill.studies.shrink import training_rounds
from lmdistill.studies.shrink.halving import Round
from lmdistill.studies.shrink.hours import Hours
from lmdistill.studies.shrink.shapes import Shape, grid
from lmdistill.studies.shrink.training_rounds import LARGE_GAP, Plan, RoundScores, shape_recipe, train
from tests.report.factory import plain_record

CHILD = (sys.executable, str(Path(__file__).parents[1] / "child.py"))
TABLE = {"task": "synthetic", "methods": {"KD": {"name": "kd"}}, "training": {"min_steps": 500}}
SHAPES = grid(10, range(1, 11), [1.0])[::-1]  # the worst first


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A folder of runs whose score is a tenth of their layers."""
    record = tmp_path / "record.json"
    record.write_text(json.dumps(plain_record()))
    monkeypatch.setenv("STUDY_RECORD", str(record))
    monkeypatch.setenv("STUDY_FIELD", "student.layers")
    monkeypatch.setattr("lmdistill.studies.runner.PAUSE", 0.01)
    return tmp_path / "runs"


def plan(**changes):
    """What the rounds share."""
    fields = {"table": TABLE, "steps": 900, "min_steps": 500, "seed": 0, "jobs": 2, "command": CHILD}
    return Plan(**{**fields, **changes})


class Clock(Hours):
    """Hours that a test sets."""

    def __init__(self, folder, share=0.0):
        super().__init__(folder, 1.0)
        self.now = share

    @property
    def share(self):
        return self.now


def test_the_best_of_each_round_go_on_and_two_are_trained_in_full(runs, tmp_path):
    found = train(plan(), SHAPES, runs, Hours(tmp_path, None))
    assert [len(one.scores) for one in found] == [len(SHAPES), 4, 2]
    assert [one.steps for one in found] == [100, 300, None]
    assert all(one.left_out == () for one in found)
    for before, after in pairwise(found):
        rest = [score for name, score in before.scores.items() if name not in after.scores]
        assert min(after.scores.values()) >= max(rest)
    full = sorted(found[-1].folders.values())
    assert [path.name for path in full] == ["10-layers-full", "9-layers-full"]
    assert json.loads((full[0] / "record.json").read_text())["seed"] == 0


def test_a_search_that_was_ended_goes_on_and_finds_the_same(runs, tmp_path):
    seen = []

    def end(board):
        if sum(one.state == "done" for one in board) >= 3:
            seen.append(1)
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            train(plan(), SHAPES, runs, Hours(tmp_path, None), watch=end)
    before = {path: path.stat().st_mtime_ns for path in runs.glob("*/record.json")}
    assert seen
    found = train(plan(), SHAPES, runs, Hours(tmp_path, None))
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())
    assert sorted(found[-1].scores) == ["10-layers", "9-layers"]
    again = train(plan(), SHAPES, runs, Hours(tmp_path, None))
    assert again == found


def test_a_round_whose_part_of_the_hours_is_used_up_leaves_shapes_out(runs, tmp_path):
    hours = Clock(tmp_path, 0.3)  # of two short rounds, each has a quarter
    found = train(plan(jobs=1), SHAPES, runs, hours)
    assert set(found[0].scores) | set(found[0].left_out) == {shape.name for shape in SHAPES}
    assert found[0].left_out
    assert len(found[0].scores) >= 2
    assert len(found[-1].scores) == 2


def test_no_hours_left_means_no_run(runs, tmp_path):
    found = train(plan(), SHAPES, runs, Clock(tmp_path, 1.0))
    assert [dict(one.scores) for one in found] == [{}]
    assert len(found[0].left_out) == len(SHAPES)


def test_what_was_trained_counts_when_the_hours_end(runs, tmp_path):
    hours = Clock(tmp_path)

    def tick(board):
        if sum(one.state == "done" for one in board) >= 4:
            hours.now = 1.0

    found = train(plan(), SHAPES, runs, hours, watch=tick)
    assert len(found) == 1
    assert 4 <= len(found[0].scores) < len(SHAPES)


def test_a_round_of_failures_is_one_line_with_the_reason(runs, tmp_path, monkeypatch):
    monkeypatch.setenv("STUDY_KD", "mistake")
    with pytest.raises(
        RunError, match=r"every run of the round failed; .*: the teacher is ill. See a doctor"
    ):
        train(plan(), SHAPES[:3], runs, Hours(tmp_path, None))


@pytest.mark.parametrize(
    ("score", "steps", "is_told"), [(0.5, 100, True), (0.51, 100, False), (0.5, None, False)]
)
def test_a_round_in_which_nobody_learns_is_told(score, steps, is_told, runs, caplog):
    each = Round(fraction=0.1, survivors=2, deadline=1.0)
    done = RoundScores(round=each, steps=steps, scores={"a": score, "b": 0.5}, constant=0.5)
    training_rounds._tell_nothing_learned(done)
    assert ("no shape is better than a constant answer after 100 steps" in caplog.text) is is_told


def test_a_rounds_losses_and_constant_are_those_of_the_records(runs, tmp_path):
    record = plain_record()
    (first, *_) = train(plan(), SHAPES[:3], runs, Hours(tmp_path, None))
    assert first.losses == dict.fromkeys(first.scores, record["risk"]["dev"])
    assert first.constant == record["majority"]["dev"]["accuracy"]


def test_a_short_training_has_its_steps_and_no_assistant():
    table = {**TABLE, "schedule": {"name": "minidisc"}, "student": {"keep": 0.1, "layers": "all"}}
    short = shape_recipe(plan(table=table), Shape(layers=3, keep=0.2), 100)
    assert (short.training.max_steps, short.training.min_steps) == (100, 100)
    assert type(short.schedule).__name__ == "Direct"
    assert (short.student.layers, short.student.keep, short.seeds) == (3, 0.2, (0,))


@pytest.mark.parametrize(
    ("keep", "schedule"), [(LARGE_GAP, "MiniDisc"), (0.2, "MiniDisc"), (0.5, "Direct"), (1.0, "Direct")]
)
def test_a_narrow_shape_is_taught_through_the_recipes_assistant(keep, schedule):
    table = {**TABLE, "schedule": {"name": "minidisc"}, "student": {"keep": 0.1, "layers": "all"}}
    full = shape_recipe(plan(table=table), Shape(layers=3, keep=keep))
    assert type(full.schedule).__name__ == schedule
    assert full.training.max_steps is None


def test_without_a_schedule_there_is_no_assistant():
    assert type(shape_recipe(plan(), Shape(layers=3, keep=0.1)).schedule).__name__ == "Direct"


def test_a_shape_that_the_recipe_refuses_is_an_error():
    with pytest.raises(ConfigError):
        shape_recipe(plan(), Shape(layers=3, keep=2.0))
