"""`kill -9` in the middle of a command, then the same command."""

import os
import signal
import time

import pytest
import torch

from lmdistill.core.atomic_io import read_json, write_json
from lmdistill.core.errors import RunError
from lmdistill.recipes.files import read_recipe
from lmdistill.runs.run_recipe import run_recipe
from tests.tiny_recipe import history, start, write_recipe


def lines(folder):
    path = folder / "history.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_a_killed_command_gives_the_student_of_one_that_was_not(tmp_path):
    recipe = write_recipe(tmp_path / "given", method={"name": "mixkd"})
    cut, whole = tmp_path / "cut", tmp_path / "whole"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the process has
    try:
        run_recipe(read_recipe(recipe), whole, command="whole")
    finally:
        torch.set_num_threads(threads)
    process = start("distill", recipe, "--out", cut)
    try:
        while lines(cut) < 30 and process.poll() is None:
            time.sleep(0.001)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert not (cut / "record.json").exists()
        assert not (cut / "student").exists()
        run_recipe(read_recipe(recipe), cut, command="whole")
    finally:
        process.kill()
    weights = [(folder / "student" / "model.safetensors").read_bytes() for folder in (cut, whole)]
    assert weights[0] == weights[1]
    assert history(cut) == history(whole)
    records = [read_json(folder / "record.json") for folder in (cut, whole)]
    resumed = records[0]["training"]["resumed"]
    assert resumed >= 7
    assert resumed % 7 == 0
    assert records[1]["training"]["resumed"] == 0
    assert records[0]["metrics"] == records[1]["metrics"]
    assert not (cut / "checkpoints").exists()
    assert sorted(path.name for path in cut.iterdir()) == sorted(path.name for path in whole.iterdir())


def test_a_run_killed_after_its_record_gets_its_pages_and_loses_its_checkpoints(tmp_path, no_pages):
    recipe, out = read_recipe(write_recipe(tmp_path / "given", epochs=1)), tmp_path / "run"
    run_recipe(recipe, out, command="run")
    files = sorted(path.relative_to(out) for path in out.rglob("*"))
    before = (out / "README.md").read_bytes()
    (out / "checkpoints" / "step-3").mkdir(parents=True)
    (out / "checkpoints" / "step-3" / "state.json").write_text("{}")
    (out / "README.md").unlink()
    run_recipe(recipe, out, command="run")
    assert sorted(path.relative_to(out) for path in out.rglob("*")) == files
    assert (out / "README.md").read_bytes() == before


def test_a_run_whose_mixup_pairs_an_older_version_drew_is_not_continued(tmp_path):
    recipe = read_recipe(write_recipe(tmp_path / "given", method={"name": "mixkd"}, epochs=1))
    run_recipe(recipe, tmp_path / "run", command="run")
    inputs = read_json(tmp_path / "run/inputs.json")
    (tmp_path / "run/record.json").unlink()
    assert inputs.pop("mixup_pairs") == "0.2"
    write_json(tmp_path / "run/inputs.json", inputs)
    with pytest.raises(RunError, match=r"holds another run: mixup_pairs is None there and '0\.2' here"):
        run_recipe(recipe, tmp_path / "run", command="run")
