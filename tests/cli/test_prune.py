"""lmdistill prune as a user meets it, and what distill says of a student that came through assistants."""

import json
from pathlib import Path

import pytest
import yaml
from transformers import AutoModelForSequenceClassification

from lmdistill.export.hugging_face import save
from lmdistill.records.record import find_records, write_record
from tests.cli.cli_project import LABELS, files_in
from tests.models.families import family
from tests.report.factory import exhaustive_schedule, make_record, schedule


def cells(said):
    """The cells of the tables, by the first of their line."""
    lines = [[cell.strip() for cell in line.split("│")] for line in said.out.splitlines() if "│" in line]
    return {line[0]: line[1:] for line in lines}


def test_a_model_is_pruned_and_said_how_to_be_loaded(place, lmdistill):
    said = lmdistill("prune", "models/classifier", "--keep", "0.5", "--out", "small")
    assert said.code == 0, said.err
    found = cells(said)
    assert found["before"][:2] == ["6", "96"]
    assert found["after"][:2] == ["3", "48"]
    assert "keep 0.5 by magnitude, all layers together; a text of 64 tokens" in said.out
    assert said.out.splitlines()[-1] == (
        "small: NarrowBertForSequenceClassification, a custom class whose code is in the folder: "
        "AutoModelForSequenceClassification.from_pretrained loads it with trust_remote_code=True, or after import "
        "lmdistill"
    )
    model = AutoModelForSequenceClassification.from_pretrained("small", trust_remote_code=True)
    assert sorted(model.config.id2label.values()) == sorted(LABELS)


def test_a_pruned_model_is_a_student_or_a_teacher_like_any_other(place, lmdistill):
    assert lmdistill("prune", "models/classifier", "--keep", "0.5", "--out", "small").code == 0
    again = lmdistill("prune", "small", "--keep", "0.5", "--out", "smaller")
    assert again.code == 0, again.err
    assert cells(again)["before"][:2] == ["3", "48"]
    assert lmdistill("predict", "smaller", "dev.csv").code == 0


def test_the_rows_of_a_run_are_known(finished, lmdistill, tmp_path):
    said = lmdistill("prune", "runs/one", "--keep", "0.5", "--out", tmp_path / "small", "--scope", "layer")
    assert said.code == 0, said.err
    assert "by gradient, each layer alone" in said.out
    assert cells(said)["after"][:2] == ["2", "32"]


MISTAKES = {
    "keep outside": (("models/classifier", "--keep", "1.5"), "keep must be in (0, 1], got 1.5"),
    "keep in words": (("models/classifier", "--keep", "half"), "Invalid value for '--keep'"),
    "no keep": (("models/classifier",), "Missing option '--keep'. See lmdistill prune --help."),
    "no head left": (("models/classifier", "--keep", "0.05"), "would keep a head"),
    "an unknown family": (("stranger", "--keep", "0.5"), "the heads and neurons of deberta-v2 models are not known; known families: bert"),
    "a score of rows without rows": (("models/classifier", "--keep", "0.5", "--score", "gradient"), "or take --score magnitude"),
    "a folder that is there": (("models/classifier", "--keep", "0.5", "--out", "models"), "models exists. Choose another --out"),
    "a run that is not finished": (("begun", "--keep", "0.5"), "the run in begun is not finished"),
}  # fmt: skip


@pytest.mark.parametrize(("words", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_one_line_and_leaves_nothing_behind(words, message, place, lmdistill):
    save(family("deberta-v2"), place / "stranger")
    Path("begun").mkdir()
    Path("begun/recipe.yaml").write_text("task: own\n")
    before = files_in(place)
    said = lmdistill("prune", *words, *(() if "--out" in words else ("--out", "out")))
    assert said.code == 2
    (line,) = [line for line in said.err.splitlines() if line.startswith("error")]
    assert message in line
    assert "Traceback" not in said.err + said.out
    assert files_in(place) == before


RECIPE = {
    "task": "own",
    "data": {"source": "texts.csv", "dev": "dev.csv", "max_length": 32},
    "teacher": {"model": "models/named-in-another-order"},
    "student": {"layers": "all", "keep": 0.25, "pruning": {"multiple": 4, "rows": 24, "scope": "layer"}},
    "methods": {"M": {"name": "hidden_kd"}},
    "schedule": {"name": "minidisc", "grid": [0.75, 0.5, 0.25], "largest": 0.75},
    "training": {"epochs": 1, "batch_size": 16},
}


def test_distill_shows_the_candidates_and_what_they_cost(place, lmdistill):
    Path("recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    said = lmdistill("distill", "recipe.yaml", "--out", "run")
    assert said.code == 0, said.err
    (run,) = find_records([Path("run")])
    facts = run.record.schedule
    found = cells(said)
    for one in facts.candidates:
        (name,) = [name for name in found if name.startswith(f"{100 * one.kept:g} %")]
        assert f"{100 * one.metric:.2f}" in found[name]
        assert ("chosen" in name) == one.chosen
        assert ("student's size" in name) == (one.kept == 0.25)
    assert "The schedule took" in said.out
    assert said.out.index("Teacher") < said.out.index("Schedule minidisc") < said.out.index("report: ")
    assert lmdistill("report", "run").out + "report: run/report.html\n" == said.out
    card, page = (Path(f"run/{name}").read_text() for name in ("student/README.md", "README.md"))
    assert "Pruning: by gradient on train rows, ranked within each layer." in card
    carried = "auto_map" in json.loads(Path("run/student/config.json").read_text())
    assert ("trust_remote_code=True" in card) == carried == ("its README says how to load it" in page)
    assert "Pruning and assistants" in Path("run/report.html").read_text()


def test_several_runs_are_a_line_each(tmp_path, lmdistill):
    values = {"MiniDisc": schedule(), "MaxiDisc": exhaustive_schedule(), "KD": None}
    for name, value in values.items():
        write_record(tmp_path / name, make_record(name, schedule=value))
    said = lmdistill("report", tmp_path)
    assert said.code == 0, said.err
    found = cells(said)
    assert found["MiniDisc, seed 0"] == ["minidisc", "10 %", "30 %", "200", "6.7 min", "500"]
    assert found["MaxiDisc, seed 0"] == ["maxidisc", "10 %", "30 %", "200", "6.7 min", "–"]
    assert "Schedule minidisc" not in said.out
    as_markdown = lmdistill("report", tmp_path, "--markdown").out
    assert "| MiniDisc, seed 0 | minidisc | 10 % | 30 % | 200 | 6.7 min | 500 |" in as_markdown
    single = lmdistill("report", tmp_path / "MiniDisc", "--markdown").out
    assert "| 30 %, chosen |" in single
    assert "2.50 times as much" in single
    assert "Schedule" not in lmdistill("report", tmp_path / "KD").out
