"""SECURITY.md says what each command executes, and the tests of this folder hold it."""

import re
import shutil
from pathlib import Path

import pytest
import typer
import yaml

from lmdistill.cli.main import app
from lmdistill.recipes.code_policy import FLAG
from tests.cli.cli_project import RECIPE
from tests.security.test_custom_classes import READING, RUNNING

REPO = Path(__file__).parents[2]
PAGE = (REPO / "SECURITY.md").read_text(encoding="utf-8")

REMOTE = "if the recipe sets `trust_remote_code`"
EXECUTES = {
    "distill": (f"with `{FLAG}`", REMOTE, "never"),
    "study": (f"with `{FLAG}`", REMOTE, "never"),
    "shrink": ("never", REMOTE, "never"),
    "study --list": ("never", "never", "never"),
    "demo": ("never", "if `--set` sets `trust_remote_code`", "never"),
    "finetune": ("never", REMOTE, "never"),
    "evaluate": ("never", "never", "with `--benchmark`"),
    **dict.fromkeys(
        (
            *("predict", "measure", "prune", "trim-vocabulary", "export", "certify", "serve", "monitor"),
            *("generate", "label", "submit", "report", "theory", "list"),
        ),
        ("never",) * 3,
    ),
}
"""Command to the Python of a recipe, the code of a model and the code of a task that it executes."""


def table():
    """The rows of the page."""
    rows = re.findall(r"^\| `([^`]+)` \| (.+?) \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)
    return {command: tuple(cells) for command, *cells in rows}


def test_the_page_says_what_the_tests_hold():
    assert table() == EXECUTES


def test_every_command_stands_in_the_table():
    commands = typer.main.get_command(app).commands
    assert {name.split()[0] for name in EXECUTES} == set(commands) == set(READING) | RUNNING
    with_flag = {
        name for name, command in commands.items() if any(FLAG in one.opts for one in command.params)
    }
    assert with_flag == {name for name, (python, *_) in EXECUTES.items() if FLAG in python}


@pytest.mark.parametrize("command", ["distill", "study", "finetune"])
def test_the_code_of_a_model_runs_only_if_the_recipe_says_so(command, place, lmdistill, trap):
    """The same folder without the setting is in test_models; here it does run, so the trap is no dud."""
    shutil.copytree(place / "models" / "encoder", place / "theirs")
    trap.model_code(place / "theirs", "configuration_theirs")
    recipe = {**RECIPE, "teacher": {"model": "theirs"}, "seeds": [0]}
    Path("own.yaml").write_text(yaml.safe_dump(recipe))
    target = {"distill": ["own.yaml", "--out", "out"], "finetune": ["own.yaml", "--out", "out"]}
    if command == "study":
        study = {
            "study": "s",
            "base": {key: value for key, value in recipe.items() if key != "seeds"},
            "seeds": [0],
        }
        Path("study.yaml").write_text(yaml.safe_dump(study))
        assert lmdistill("study", "study.yaml", "--list", "--set", "teacher.trust_remote_code=true").code == 0
        return
    lmdistill(command, *target[command])
    assert not trap.mark.exists()
    again = [*target[command][:-1], "other"]  # another folder: the first run may be finished
    lmdistill(command, *again, "--set", "teacher.trust_remote_code=true")
    assert trap.mark.exists()
    trap.mark.unlink()
