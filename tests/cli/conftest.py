"""The command line in this process, in a folder of its own."""

import contextlib
import io
import logging
import os
import warnings
from dataclasses import dataclass
from unittest import mock

import datasets
import pytest

from lmdistill.cli.main import main
from lmdistill.runs.classification import evaluation
from tests.cli.cli_project import RECIPE, furnish, write_models, write_recipe


@dataclass(frozen=True)
class Said:
    """What a command left behind on the terminal."""

    code: int
    out: str
    err: str


def run(*arguments):
    """One command: its exit code, stdout and stderr."""
    log = logging.getLogger("lmdistill")
    kept = log.handlers[:], log.level, log.propagate
    out, err = io.StringIO(), io.StringIO()
    with (
        warnings.catch_warnings(),
        mock.patch.dict(os.environ),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as left:
            code = left.code
        finally:
            log.handlers[:], log.propagate = kept[0], kept[2]
            log.setLevel(kept[1])
    return Said(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_models(folder)
    return folder


@pytest.fixture(scope="session")
def examples_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("examples")


@pytest.fixture
def place(tmp_path, models, examples_cache, monkeypatch):
    """A working directory with models, texts and a recipe."""
    furnish(tmp_path, models, examples_cache, monkeypatch)
    return tmp_path


@pytest.fixture
def lmdistill():
    """Run a command in this process."""
    return run


@pytest.fixture(scope="session")
def workplace(tmp_path_factory, models, examples_cache):
    """Another such directory, with a finished distillation in `runs/one`: its teacher was fine-tuned first."""
    folder = tmp_path_factory.mktemp("workplace")
    with pytest.MonkeyPatch.context() as monkeypatch:
        furnish(folder, models, examples_cache, monkeypatch)
        write_recipe("recipe.yaml", {**RECIPE, "teacher": {**RECIPE["teacher"], "model": "models/encoder"}})
        said = run("distill", "recipe.yaml", "--out", "runs/one")
    assert said.code == 0, said.err
    return folder


@pytest.fixture
def finished(workplace, examples_cache, monkeypatch):
    """The directory with the finished run, as working directory."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", examples_cache)
    monkeypatch.setattr(evaluation, "LATENCY_RUNS", 1)
    monkeypatch.chdir(workplace)
    return workplace
