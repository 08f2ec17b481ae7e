"""Commands with other settings in one folder: what has begun stays as it is, what has not may change."""

import shutil
import signal
import sys

import pytest
import yaml

from lmdistill.core.errors import RunError
from lmdistill.studies.runner import exit_code
from lmdistill.studies.subprocesses import launcher
from tests.studies.test_runner import NAMES, states

IDLE = (sys.executable, "-c", "import time; time.sleep(60)")
"""A run that has not come as far as its folder."""

OTHER = {"set": {"training.epochs": 9}}


def everything(folder):
    """All files, and when they were written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def epochs(file):
    """What a recipe says."""
    return yaml.safe_load(file.read_text())["training"]["epochs"]


@pytest.fixture
def at_work(bench):
    """A cell whose process was started just now."""
    study, cells, place = bench.prepared()
    place.claim(study)
    with launcher(IDLE, place, 1) as start:
        job = start.start(cells[0])
        yield place.recipe(cells[0])
        job.end(signal.SIGKILL)
        job.process.wait()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (OTHER, "FT-seed0 is running with other settings: training.epochs is 4 there and 9 here. Stop the "),
        ({"seeds": [1]}, "holds another study: FT-seed0 was run there and is no cell of this one"),
    ],
)
def test_the_recipe_of_a_cell_that_was_just_started_is_not_changed_by_another_command(
    bench, at_work, keys, message
):
    before = everything(bench.folder / "out")
    with pytest.raises(RunError, match=message):
        bench.run(**keys)
    assert everything(bench.folder / "out") == before
    assert epochs(at_work) == 4


def test_what_was_started_and_left_no_folder_may_change(bench):
    study, cells, place = bench.prepared()
    place.claim(study)
    with launcher(IDLE, place, 1) as start:
        job = start.start(cells[0])
        job.end(signal.SIGKILL)
        job.process.wait()
    assert states(bench.run(**OTHER)) == dict.fromkeys(NAMES, "done")
    assert {epochs(place.recipe(cell)) for cell in cells} == {9}
    assert {epochs(cell.folder / "recipe.yaml") for cell in cells} == {9}


def test_to_look_whether_a_folder_may_be_used_writes_nothing(bench):
    study, cells, place = bench.prepared()
    place.require(study, cells)
    assert not place.path.exists()
    bench.run(seeds=[0])
    for cell in cells:
        shutil.rmtree(cell.folder, ignore_errors=True)
        (place.path / "cells" / f".{cell.name}.lock").unlink(missing_ok=True)
    before = everything(place.path)
    other, others, _ = bench.prepared(**OTHER)
    place.require(other, others)
    assert everything(place.path) == before


@pytest.mark.parametrize("left", ["record.json", "steps.txt"])
def test_a_cell_that_another_command_has_begun_meanwhile_with_other_settings_has_failed(bench, left):
    bench.run(out="there", seeds=[0], **OTHER)
    _, cells, place = bench.prepared()
    held = place.hold(cells[0])

    def watch(board):
        if not held.closed and all(state == "done" for state in list(states(board).values())[1:]):
            shutil.copytree(bench.folder / "there" / "FT-seed0", cells[0].folder)
            if left != "record.json":
                (cells[0].folder / "record.json").unlink()
            held.close()

    board = bench.run(watch=watch)
    assert states(board) == {**dict.fromkeys(NAMES, "done"), "FT-seed0": "failed"}
    assert "FT-seed0 holds another run: training.epochs is 9 there and 4 here" in board[0].message
    assert exit_code(board) == 2
    assert not place.recipe(cells[0]).exists()
