"""The command `study`: mistakes in one line, a list that runs nothing, and real runs that are killed."""

import errno
import hashlib
import signal
import subprocess
import time

import pytest
import torch
import yaml

from lmdistill.cli.study import RUN
from lmdistill.core.atomic_io import read_json
from lmdistill.export.hugging_face import save
from lmdistill.runs.run_recipe import run_recipe
from lmdistill.studies.grid import study_cells
from lmdistill.studies.runner import exit_code, run_study
from lmdistill.studies.schema import read_study
from lmdistill.studies.study_folder import StudyFolder
from tests.cli.cli_project import RECIPE, files_in
from tests.cli.test_bad_input import refused
from tests.studies.parent import ended, started
from tests.tiny import tiny
from tests.tiny_recipe import history

STUDY = {
    "study": "small",
    "base": "recipe.yaml",
    "axes": {"method": {"FT": {"name": "finetune"}, "KD": {"name": "kd"}}},
    "seeds": [0, 1],
}
MISTAKES = {
    "an unknown axis": ({"axes": {"student.layer": [1]}}, r"^axes\.student\.layer: no setting of student is called 'layer'\. Did you mean 'layers'\?"),
    "no seeds": ({"seeds": []}, r"^seeds is empty; give at least one, as in seeds: \[0, 1, 2\]\."),
    "seeds left out": ({"seeds": ...}, r"^the study has no seeds\. Give it, as in seeds: \[0, 1, 2\]\."),
    "duplicate cells": ({"axes": {"student.layers": {"a": 1, "b": 1}}}, r"^the cells a-seed0 and b-seed0 are the same run under two labels"),
    "a base that does not exist": ({"base": "recip.yaml"}, r"^there is no recipe file recip\.yaml"),
    "a built-in base that does not exist": ({"base": "dmo"}, r"^no recipe is called 'dmo'\. Did you mean 'demo'\?"),
    "an unknown key": ({"seed": [1]}, r"^no setting of a study is called 'seed'\. Did you mean 'seeds'\?"),
}  # fmt: skip


def write(**keys):
    table = {key: value for key, value in {**STUDY, **keys}.items() if value is not ...}
    with open("study.yaml", "w") as file:
        yaml.safe_dump(table, file, sort_keys=False)


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_one_line_and_leaves_nothing_behind(what, place, lmdistill):
    keys, message = MISTAKES[what]
    write(**keys)
    before = files_in(place)
    refused(lmdistill("study", "study.yaml"), message)
    assert files_in(place) == before


def test_other_files_and_other_commands_are_refused(place, lmdistill, monkeypatch):
    write()
    refused(lmdistill("study", "stdy.yaml"), r"^there is no study file stdy\.yaml")
    refused(lmdistill("study", "texts.csv"), r"^texts\.csv must be a table|^texts\.csv is not YAML")
    refused(lmdistill("study", "study.yaml", "--out", "models"), r"^models exists and is no study")
    for name in ("recipe.yaml", "demo"):
        refused(
            lmdistill("study", name), rf"^{name} is a recipe, and a study is needed here\. lmdistill distill "
        )
    for name in ("study.yaml", "mixkd-table1"):
        refused(
            lmdistill("distill", name, "--out", "runs/x"),
            rf"^{name} is a study, and a recipe is needed here\. lmdistill study runs it\.$",
        )
    (place / "runs").mkdir()
    (place / "study.yaml").rename(place / "runs/study.yaml")
    refused(
        lmdistill("study", "runs"), r"^runs is the folder of a study\. Name its file, as in runs/study\.yaml"
    )
    (place / "runs/study.yaml").rename(place / "study.yaml")
    refused(
        lmdistill("study", "study.yaml", "--set", "training.epoch=1"),
        r"^set: no setting of training is called 'epoch'",
    )
    monkeypatch.setenv("WORLD_SIZE", "2")
    refused(lmdistill("study", "study.yaml"), r"^a study starts its own processes, and this is one of 2")


def test_folders_that_cannot_be_written_are_one_line(place, lmdistill, monkeypatch):
    write()
    refused(lmdistill("study", "study.yaml", "--out", "x" * 300), r"^x+.* cannot be used: File name too long")
    refused(lmdistill("study", "x" * 300), r"^x+ cannot be used: File name too long")

    def sealed(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system", "sealed/out")

    monkeypatch.setattr("lmdistill.studies.study_folder.write_text", sealed)
    refused(lmdistill("study", "study.yaml"), r"^sealed/out cannot be used: Read-only file system")


def test_a_list_of_cells_runs_none(place, lmdistill):
    write()
    before = files_in(place)
    said = lmdistill("study", "study.yaml", "--list")
    assert said.code == 0
    lines = [line.split("│") for line in said.out.splitlines()[2:]]
    assert [(name.strip(), state.strip()) for name, state, _ in lines] == [
        (f"{method}-seed{seed}", "waiting") for method in ("FT", "KD") for seed in (0, 1)
    ]
    assert files_in(place) == before


def test_files_of_the_user_with_names_of_modules_do_not_stop_a_cell(tmp_path):
    (tmp_path / "queue.py").write_text("raise SystemExit('the wrong queue')\n")
    said = subprocess.run([*RUN, "--help"], cwd=tmp_path, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    assert "lmdistill distill" in said.stdout


def test_what_several_cells_say_alike_is_said_once(place, lmdistill):
    write(set={"data.source": "nowhere"}, seeds=[0])
    said = lmdistill("study", "study.yaml", "--set", "jobs=2")
    assert said.code == 2, said.err
    first, second = (line for line in said.err.splitlines() if line.startswith("error: "))
    assert first.startswith("error: FT-seed0 and 1 more: ")
    assert first.count("nowhere") >= 1
    assert second.startswith("error: 2 of 2 cells failed.")


@pytest.mark.slow
def test_a_failing_cell_leaves_the_others_and_the_teacher_is_trained_once(place, lmdistill):
    base = {**RECIPE, "teacher": {**RECIPE["teacher"], "model": "models/encoder"}}
    write(base=base, axes={"student.layers": [1, 9, 2], "method": {"KD": {"name": "kd"}}}, seeds=[0])
    said = lmdistill("study", "study.yaml", "--set", "jobs=2")
    assert said.code == 2, said.err
    errors = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert errors[0].startswith("error: layers=9-KD-seed0: layers must be between 1 and 3")
    assert errors[0].endswith("Log: runs/small/logs/layers=9-KD-seed0.log")
    assert errors[1].startswith("error: 1 of 3 cells failed.")
    assert "KD layers=1" in said.out
    assert "KD layers=2" in said.out
    logs = [path.read_text() for path in (place / "runs/small/logs").iterdir()]
    assert sum("fine-tuning it into" in log for log in logs) == 1
    assert len(list((place / "runs/small/teachers").iterdir())) == 1
    assert lmdistill("report", "runs/small").code == 0
    repeated = lmdistill(
        "distill", "runs/small/cells/layers=1-KD-seed0.yaml", "--out", "runs/small/layers=1-KD-seed0"
    )
    assert repeated.code == 0, repeated.err


def embedded(folder):
    """Two methods, two seeds, on the embedded task."""
    save(tiny(layers=2, seed=1, dropout=0.1, labels=("negative", "positive")), folder / "model")
    base = {
        "task": "synthetic", "data": {"rows": 64, "max_length": 32}, "teacher": {"model": str(folder / "model")},
        "student": {"layers": 1}, "training": {"epochs": 40, "batch_size": 8, "checkpoint_every": 7},
    }  # fmt: skip
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({**STUDY, "base": base}))
    return path


def table(folder):
    """The metrics of all runs, and their weights, as one number."""
    digest = hashlib.sha256()
    for name in ("FT-seed0", "FT-seed1", "KD-seed0", "KD-seed1"):
        digest.update(repr(read_json(folder / name / "record.json")["metrics"]).encode())
        digest.update((folder / name / "student" / "model.safetensors").read_bytes())
    return digest.hexdigest()


@pytest.mark.slow
def test_a_real_study_killed_twice_ends_with_the_table_of_runs_left_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    study = read_study(embedded(tmp_path))
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    cells, place = study_cells(study, cut), StudyFolder(path=cut)
    for name in ("FT-seed0", "KD-seed0"):
        process = started(run_study, study, cells, place, command=RUN)
        while not (cut / name / "checkpoints").exists() or len(history(cut / name)) < 30:
            assert process.is_alive()
            time.sleep(0.005)
        process.kill()
        assert ended(process) == -signal.SIGKILL
        assert not (cut / name / "record.json").exists()
    done = []
    board = run_study(study, cells, place, command=RUN, watch=lambda b: done.append([s.state for s in b]))
    assert done[0][:2] == ["done", "done"]
    assert exit_code(board) == 0
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the processes have
    for cell in cells:
        run_recipe(cell.recipe, whole / cell.name, command="whole")
    torch.set_num_threads(threads)
    assert table(cut) == table(whole)
    for name in ("FT-seed0", "KD-seed0"):
        assert read_json(cut / name / "record.json")["training"]["resumed"] >= 7
        assert history(cut / name) == history(whole / name)
    assert "| KD |" in (cut / "README.md").read_text()
