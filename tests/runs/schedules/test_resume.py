"""`kill -9` inside a joint run, and inside the stage after it; then the same command."""

import os
import signal
import time

import pytest
import torch

from lmdistill.core.atomic_io import read_json
from lmdistill.recipes.files import read_recipe
from lmdistill.runs.run_recipe import run_recipe
from tests.runs.schedules.test_run_schedule import given as given
from tests.runs.schedules.test_run_schedule import recipe_at
from tests.tiny_recipe import history, start

JOINT = "stages/candidates-1"


def lines(folder):
    path = folder / "history.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.fixture(scope="module")
def whole(tmp_path_factory, given):
    """A run that nobody stopped; killed ones are compared with it."""
    folder = tmp_path_factory.mktemp("whole")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as a process of its own has
    run_recipe(prepared(folder, given), folder / "out", command="whole")
    torch.set_num_threads(threads)
    return folder / "out"


def prepared(folder, given):
    schedule = {"name": "minidisc", "grid": [0.75, 0.5, 0.25], "largest": 0.75}
    training = {
        "epochs": 8, "batch_size": 8, "checkpoint_every": 7, "eval_every": 5, "optimizer": {"learning_rate": 1e-3},
    }  # fmt: skip
    return recipe_at(folder, given, schedule=schedule, training=training)


@pytest.mark.slow
@pytest.mark.parametrize("stage", [JOINT, "."])
def test_a_killed_schedule_gives_the_student_of_one_that_was_not(tmp_path, given, whole, stage):
    recipe, out = prepared(tmp_path, given), tmp_path / "out"
    process = start("distill", tmp_path / "recipe.yaml", "--out", out)
    try:
        while lines(out / stage) < 20 and process.poll() is None:
            time.sleep(0.001)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    finally:
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not (out / "record.json").exists()
    assert (out / JOINT / "candidates.json").exists() is (stage == ".")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    run_recipe(recipe, out, command="whole")
    torch.set_num_threads(threads)
    for place in ("student", f"{JOINT}/candidates/0.5"):
        weights = [(folder / place / "model.safetensors").read_bytes() for folder in (out, whole)]
        assert weights[0] == weights[1]
    assert history(out) == history(whole)
    assert history(out / JOINT) == history(whole / JOINT)
    facts = [read_json(folder / "record.json") for folder in (out, whole)]
    chosen = [[one["chosen"] for one in fact["schedule"]["candidates"]] for fact in facts]
    assert chosen[0] == chosen[1]
    assert facts[0]["metrics"] == facts[1]["metrics"]
    assert not (out / JOINT / "checkpoints").exists()


def test_the_recipe_is_the_one_that_was_written(tmp_path, given):
    assert prepared(tmp_path, given) == read_recipe(tmp_path / "recipe.yaml")
