"""A Python file is run by `distill` and `study` alone, and only with --allow-code, whoever wrote the recipe."""

from pathlib import Path

import pytest
import typer
import yaml

from lmdistill.cli.main import app
from lmdistill.core.errors import ConfigError
from lmdistill.recipes.custom_classes import UnloadedClass, class_from_file
from lmdistill.recipes.files import read_recipe, read_recipe_without_code, recipe_text
from tests.cli.cli_project import RECIPE, write_recipe
from tests.record_files import edited_record
from tests.security.traps import works

REFUSED = r"'trap.py:Mine', a class in a Python file, which would be run"

READING = {
    "evaluate": ("runs/one",),
    "predict": ("runs/one", "dev.csv", "--out", "out.csv"),
    "measure": ("runs/one", "--runs", "1", "--tokens", "8"),
    "prune": ("runs/one", "--keep", "0.5", "--out", "small"),
    "trim-vocabulary": ("runs/one", "--out", "trimmed"),
    "export": ("runs/one", "--timed-texts", "0", "--out", "exported"),
    "serve": ("runs/one", "--port", "0"),
    "certify": ("runs/one", "dev.csv", "--agreement", "0.9"),
    "monitor": ("runs/one", "dev.csv", "--out", "page.html"),
    "report": ("runs", "--out", "page", "--files", "tables"),
    "theory": ("runs/one",),
    "submit": ("runs/one", "--data", "glue", "--out", "x.zip"),
    "generate": ("runs/one", "dev.csv"),
    "label": ("dev.csv", "--choose", "2", "--student", "runs/one", "--out", "chosen.jsonl"),
    "finetune": ("own.yaml", "--out", "teachers"),
    "list": ("recipes",),
}
"""Commands that run no recipe, on a folder that names a Python file wherever one can be named."""

RUNNING = {"distill", "study", "demo", "shrink"}


def named_everywhere(run: Path, name: str) -> None:
    """Let record, recipe and study of a finished run name a class of a file."""
    augmentation = {"augmenter": {"name": name}, "copies": 1}
    with edited_record(run) as record:
        record["recipe"]["data"]["augmentation"] = augmentation
        record["recipe"]["methods"] = {"Mine": {"name": name}}
        record["recipe"]["schedule"] = {"name": name}
    recipe = {**RECIPE, "data": {**RECIPE["data"], "augmentation": augmentation}, "schedule": {"name": name}}
    for file in (run / "recipe.yaml", run.parent / "recipe.yaml", Path("own.yaml")):
        write_recipe(file, {**recipe, "method": {"name": name}})
    study = {
        "study": "s",
        "base": recipe | {"method": {"name": name}},
        "seeds": [0],
        "axes": {"student.layers": [1, 2]},
    }
    for folder in (run, run.parent):
        (folder / "study.yaml").write_text(yaml.safe_dump(study))


@pytest.mark.parametrize("command", READING)
def test_reading_a_folder_imports_nothing(command, sent, lmdistill, trap, monkeypatch):
    monkeypatch.setattr("lmdistill.commands.measured.peak_memory_of", lambda work: float(work() is None))
    named_everywhere(sent, trap.module())
    said = lmdistill(command, *READING[command])
    assert said.code in (0, 2), said.err
    assert "Traceback" not in said.err
    if command in ("evaluate", "predict", "measure", "prune", "export", "label", "report", "list"):
        assert said.code == 0, said.err  # the class is not needed


def test_every_command_is_in_one_of_the_two_tables():
    commands = set(typer.main.get_command(app).commands)
    assert commands - RUNNING == set(READING)


def test_the_file_that_is_not_run_would_leave_its_mark(place, trap):
    works(trap, lambda: class_from_file(trap.module()))


@pytest.mark.parametrize("search", [False, True], ids=["grid", "search"])
def test_cells_are_listed_without_the_class(search, place, lmdistill, trap):
    if search:
        pytest.importorskip("optuna", reason="a search needs optuna")
    study = {"study": "s", "base": {**RECIPE, "method": {"name": trap.module()}}, "seeds": [0, 1]}
    more = (
        {"search": {"fields": {"training.epochs": [1, 2]}, "trials": 2}}
        if search
        else {"axes": {"student.layers": [1, 2]}}
    )
    Path("mine.yaml").write_text(yaml.safe_dump(study | more))
    for flags in ((), ("--allow-code",)):
        said = lmdistill("study", "mine.yaml", "--list", *flags)
        assert said.code == 0, said.err
        assert search or "layers=1-seed0" in said.out


def test_cells_that_were_run_with_the_class_are_listed_without_it(place, lmdistill, trap):
    """Their recipes hold defaults that only the class knows, which must not look like another study."""
    name = trap.module()
    Path("mine.yaml").write_text(
        yaml.safe_dump({"study": "s", "base": {**RECIPE, "method": {"name": name}}, "seeds": [0]})
    )
    write_recipe("base.yaml", {**RECIPE, "method": {"name": name}, "seeds": [0]})
    done = Path("runs/s/Mine-seed0")
    done.mkdir(parents=True)
    (done / "recipe.yaml").write_text(recipe_text(read_recipe("base.yaml", allow_code=True)))
    (done / "inputs.json").write_text("{}")
    (Path("runs/s") / "study.yaml").write_text(Path("mine.yaml").read_text())
    trap.mark.unlink()  # made above, on purpose
    said = lmdistill("study", "mine.yaml", "--list")
    assert said.code == 0, said.err
    assert "begun" in said.out


@pytest.mark.parametrize("field", ["method", "schedule", "data.augmentation.augmenter"])
@pytest.mark.parametrize("command", ["distill", "study", "demo"])
def test_running_needs_the_flag_whoever_wrote_the_recipe(command, field, place, lmdistill, trap):
    name = trap.module()
    Path("mine.yaml").write_text(yaml.safe_dump({"study": "s", "base": "recipe.yaml", "seeds": [0]}))
    path = "methods.Mine" if (command, field) == ("demo", "method") else field
    target = {"distill": ["recipe.yaml", "--out", "out"], "study": ["mine.yaml"], "demo": []}[command]
    said = lmdistill(command, *target, "--set", f"{path}={{name: {name}}}")
    assert said.code == 2
    assert said.err.count("\n") == 1, said.err
    assert REFUSED in said.err
    assert "--allow-code" in said.err
    assert not Path("out").exists()


@pytest.mark.parametrize("is_finished", [True, False])
def test_a_run_that_goes_on_runs_nothing_that_its_folder_names(is_finished, sent, lmdistill, no_pages, trap):
    named_everywhere(sent, trap.module())
    if not is_finished:
        (sent / "record.json").unlink()
    said = lmdistill("distill", "recipe.yaml", "--out", "runs/one")
    assert said.code == 2, said.err  # its recipe is another one
    assert "Traceback" not in said.err
    again = lmdistill("distill", "own.yaml", "--out", "runs/one")
    assert again.code == 2
    assert REFUSED in again.err


def test_with_the_flag_the_class_is_run(place, lmdistill, tmp_path, trap):
    name = trap.module()
    said = lmdistill(
        "distill",
        "recipe.yaml",
        "--set",
        f"method={{name: {name}, wieght: 1}}",
        "--out",
        "out",
        "--allow-code",
    )
    assert "Did you mean 'weight'?" in said.err  # its fields are known, so it was loaded
    trap.mark.unlink()


@pytest.mark.parametrize("search", [False, True], ids=["grid", "search"])
def test_the_processes_of_a_study_get_the_flag(search, place, lmdistill, monkeypatch, trap):
    if search:
        pytest.importorskip("optuna", reason="a search needs optuna")
    seen = []

    class Stop(ConfigError): ...

    def stop(*given, command, **named):
        seen.append((tuple(command), named.get("code")))
        raise Stop("seen")

    monkeypatch.setattr("lmdistill.cli.search.run_search", stop)
    monkeypatch.setattr("lmdistill.studies.runner.run_study", stop)
    more = {"search": {"fields": {"training.epochs": [1]}, "trials": 1}} if search else {}
    study = {"study": "s", "base": {**RECIPE, "method": {"name": trap.module()}}, "seeds": [0], **more}
    Path("mine.yaml").write_text(yaml.safe_dump(study))
    assert "seen" in lmdistill("study", "mine.yaml", "--allow-code").err
    ((command, code),) = seen
    assert command[-2:] == ("distill", "--allow-code")
    assert code == ("run" if search else None)
    trap.mark.unlink(missing_ok=True)


def test_from_python_a_recipe_needs_the_argument(place, trap):
    write_recipe("mine.yaml", {**RECIPE, "method": {"name": trap.module(), "weight": 2}})
    with pytest.raises(ConfigError, match=r"allow_code=True"):
        read_recipe("mine.yaml")
    named = read_recipe_without_code("mine.yaml")
    assert named.methods == {"Mine": UnloadedClass(name="trap.py:Mine", settings={"weight": 2})}
    assert "trap.py:Mine" in recipe_text(named)
    with pytest.raises(ConfigError, match=r"^trap\.py:Mine was not loaded"):
        named.methods["Mine"].losses(None, None, None)
    assert not trap.mark.exists()
    assert read_recipe("mine.yaml", allow_code=True).methods["Mine"].weight == 2
    trap.mark.unlink()
