"""Two commands that write the same place: the second is told so at once, and a killed one is in nobody's way."""

import time
from pathlib import Path

import pytest

from lmdistill.commands.submit import submit
from lmdistill.core.errors import RunError
from lmdistill.core.file_lock import lock_of, sole_writer
from lmdistill.export.hugging_face import save
from tests.cli.cli_project import RECIPE
from tests.cli.cli_project import write_recipe as write_project_recipe
from tests.tiny_causal import tiny_language
from tests.tiny_recipe import start, write_recipe


def until(condition, process):
    while not condition() and process.poll() is None:
        time.sleep(0.01)


def test_a_second_distill_is_refused_while_the_first_runs_and_continues_it_after_it_was_killed(tmp_path):
    recipe, out = write_recipe(tmp_path / "given", epochs=5000), tmp_path / "out"
    first = start("distill", recipe, "--out", out)
    try:
        until(lambda: (out / "checkpoints" / "step-7").exists(), first)
        second = start("distill", recipe, "--out", out)
        _, said = second.communicate()
        assert first.poll() is None
        assert second.returncode == 2
        errors = [line for line in said.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1
        assert f"{out} is being written by another command (process {first.pid} on " in errors[0]
    finally:
        first.kill()
        first.communicate()
    assert lock_of(out).exists()
    third = start("distill", recipe, "--out", out)
    try:
        steps = len((out / "history.jsonl").read_bytes())
        until(lambda: len((out / "history.jsonl").read_bytes()) > steps + 5000, third)
        assert third.poll() is None
        assert lock_of(out).read_text().startswith(f"process {third.pid} on ")
    finally:
        third.kill()
        third.communicate()


@pytest.mark.parametrize(
    "arguments",
    [
        ("distill", "recipe.yaml", "--out", "here"),
        ("predict", "models/classifier", "dev.csv", "--out", "here.csv"),
        ("prune", "models/classifier", "--keep", "0.5", "--out", "here"),
        ("label", "dev.csv", "--choose", "2", "--student", "models/classifier", "--out", "here.jsonl"),
    ],
)
def test_what_another_command_writes_is_not_written_at_the_same_time(arguments, place, lmdistill):
    out = Path(arguments[-1])
    with sole_writer(out):
        said = lmdistill(*arguments)
        assert said.code == 2
        assert said.err.count("error: ") == 1
        assert f"error: {out} is being written by another command (process " in said.err
        assert not out.exists()
    assert lmdistill(*arguments).code == 0
    assert not lock_of(out).exists()


def test_completions_that_another_command_writes_are_left_alone(tmp_path, monkeypatch, lmdistill):
    monkeypatch.chdir(tmp_path)
    save(tiny_language(layers=1), Path("writer"))
    Path("asked.jsonl").write_text('{"prompt": "good film"}\n')
    command = ("generate", "writer", "asked.jsonl", "--out", "here.jsonl", "--max-new", "2")
    with sole_writer(Path("here.jsonl")):
        said = lmdistill(*command)
        assert said.code == 2
        assert said.err.count("error: ") == 1
        assert "error: here.jsonl is being written by another command (process " in said.err
        assert not [path for path in Path().iterdir() if path.name.startswith("here.jsonl")]
    assert lmdistill(*command).code == 0
    assert not lock_of(Path("here.jsonl")).exists()


def test_one_run_of_several_is_not_written_by_a_recipe_of_its_own_either(place, lmdistill):
    others = {key: value for key, value in RECIPE.items() if key != "method"}
    write_project_recipe("several.yaml", {**others, "methods": {"M": RECIPE["method"]}})
    Path("all").mkdir()
    Path("all/recipe.yaml").write_text("methods: {}\n")
    with sole_writer(Path("all/M-seed1")):
        said = lmdistill("distill", "several.yaml", "--set", "seeds=[0, 1]", "--out", "all")
        assert said.code == 2
        assert "all/M-seed1 is being written by another command" in said.err
        assert Path("all/M-seed0/record.json").exists()


def test_a_submission_that_another_command_writes_is_left_alone(tmp_path):
    out = tmp_path / "answers.zip"
    with sole_writer(out), pytest.raises(RunError, match=r"answers\.zip is being written by another command"):
        submit([], tmp_path, out)
