"""What a command has stored and reads again: checkpoints, caches, databases. A pickle in one of them is not run."""

import shutil
import sqlite3
from pathlib import Path

import datasets
import pytest
import yaml

from lmdistill.engine.checkpoint import Checkpoints
from tests.cli.cli_project import RECIPE, write_recipe
from tests.studies.conftest import CHILD, bench  # noqa: F401

STORED = (
    "optimizer.bin", "random_states_0.pkl", "custom_checkpoint_0.pkl", "scheduler.bin", "sampler.bin", "scaler.pt",
    "dl_state_dict.bin", "model.safetensors", "pytorch_model.bin",
)  # fmt: skip
DISTILL = ("distill", "recipe.yaml", "--out", "out")
EVERY_STEP = ("--set", "training.checkpoint_every=1")


def stopped(lmdistill, monkeypatch):
    """A run that was stopped after its first checkpoint; the folder of the checkpoint."""
    with monkeypatch.context() as patch:
        save = Checkpoints.save

        def save_and_stop(self, state):
            save(self, state)
            raise KeyboardInterrupt

        patch.setattr(Checkpoints, "save", save_and_stop)
        assert lmdistill(*DISTILL, *EVERY_STEP).code == 130
    (folder,) = Path("out/checkpoints").glob("step-*")
    return folder


@pytest.mark.parametrize("kind", [pytest.param("bare", marks=pytest.mark.slow), "archive"])
def test_pickles_of_a_checkpoint_are_not_run(kind, place, lmdistill, no_pages, monkeypatch, trap):
    folder = stopped(lmdistill, monkeypatch)
    shutil.copytree("out", "kept")
    for name in STORED:
        shutil.rmtree("out")
        shutil.copytree("kept", "out")
        if name == "pytorch_model.bin":
            (Path("out/checkpoints") / folder.name / "model.safetensors").unlink()
        path = Path("out/checkpoints") / folder.name / name
        path.write_bytes(trap.pickled)
        if kind == "archive":
            path.unlink()
            trap.archive(path)
        lmdistill(*DISTILL, *EVERY_STEP)
        assert not trap.mark.exists(), name


def test_a_teacher_that_was_kept_is_read_as_weights(sent, lmdistill, no_pages, trap):
    (teacher,) = (path for path in Path("runs/teachers").glob("*/student") if path.is_dir())
    trap.archive(teacher / "pytorch_model.bin")
    trap.model_code(teacher, "modeling_theirs")
    write_recipe(
        "again.yaml", {**RECIPE, "teacher": {**RECIPE["teacher"], "model": "models/encoder"}, "seeds": [1]}
    )
    lmdistill("distill", "again.yaml", "--out", "runs/two")
    (teacher / "model.safetensors").unlink()
    said = lmdistill("distill", "again.yaml", "--out", "runs/three")
    assert said.code == 0, said.err
    assert "model.safetensors is missing" in said.err
    assert (teacher / "model.safetensors").exists()
    assert not trap.mark.exists()


def test_the_cache_of_data_holds_no_code(place, lmdistill, no_pages, monkeypatch, trap, tmp_path):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    assert lmdistill(*DISTILL).code == 0
    files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert files
    for path in files:
        path.write_bytes(trap.pickled)
    lmdistill("distill", "recipe.yaml", "--out", "other")


BENIGN = """
from dataclasses import dataclass

@dataclass(frozen=True, kw_only=True)
class Mine:
    name = "mine"
    identity = "mine"
    varied = True
    def __call__(self, texts, copies=None):
        return [f"{text} good" for text in texts]
"""


def test_the_store_of_augmented_texts_holds_no_code(place, lmdistill, no_pages, trap):
    Path("mine.py").write_text(BENIGN)
    settings = ("--allow-code", "--set", "data.augmentation={augmenter: {name: mine.py:Mine}}")
    said = lmdistill("distill", "recipe.yaml", "--out", "runs/one", *settings)
    assert said.code == 0, said.err
    with sqlite3.connect("runs/augmented/texts.sqlite") as database:
        assert database.execute("UPDATE results SET result = ?", (trap.pickled,)).rowcount > 0
    lmdistill("distill", "recipe.yaml", "--out", "runs/two", *settings)


def test_a_database_of_trials_holds_no_code(bench, place, lmdistill, monkeypatch, trap):  # noqa: F811
    pytest.importorskip("optuna", reason="a search needs optuna")
    monkeypatch.setenv("STUDY_FIELD", "training.epochs")
    monkeypatch.setattr("lmdistill.cli.study.RUN", CHILD)
    study = {"study": "s", "base": {"task": "synthetic", "method": {"name": "kd"}}, "seeds": [0]}
    study["search"] = {"fields": {"training.epochs": {"low": 1, "high": 9}}, "trials": 1}
    Path("study.yaml").write_text(yaml.safe_dump(study))
    said = lmdistill("study", "study.yaml", "--out", "out")
    assert said.code == 0, said.err
    with sqlite3.connect("out/search.db") as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = [
            (table, row[1]) for table in tables for row in database.execute(f"PRAGMA table_info({table})")
        ]
        stored = [(table, column) for table, column in columns if "json" in column]
        assert stored
        for table, column in stored:
            database.execute(f"UPDATE {table} SET {column} = ?", (trap.pickled,))
    for command in (
        ("study", "study.yaml", "--out", "out", "--list"),
        ("study", "study.yaml", "--out", "out"),
    ):
        said = lmdistill(*command)
        assert said.code in (0, 2), said.err
        assert "Traceback" not in said.err


def test_a_folder_of_data_with_a_script_and_pickles_runs_neither(place, lmdistill, trap):
    folder = place / "theirs"
    folder.mkdir()
    (folder / "theirs.py").write_text(f"{trap.code}\nimport datasets\n")
    (folder / "train.pkl").write_bytes(trap.pickled)
    (folder / "train.pickle").write_bytes(trap.pickled)
    for task in ("own", "theirs", "sst2"):
        settings = ("--set", f"task={task}", "--set", "data.source=theirs", "--set", "data.dev=null")
        assert lmdistill("distill", "recipe.yaml", "--out", "out", *settings).code == 2
