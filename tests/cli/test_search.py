"""The command `study` with a search: mistakes in one line, lists, the table of trials, the best again."""

import sys
from pathlib import Path

import pytest
import yaml

from tests.cli.cli_project import files_in
from tests.cli.test_bad_input import refused
from tests.studies.conftest import CHILD, bench  # noqa: F401

EPOCHS = "training.epochs"
STUDY = {
    "study": "small",
    "base": {"task": "synthetic", "method": {"name": "kd"}},
    "seeds": [0],
    "search": {"fields": {EPOCHS: {"low": 1, "high": 9}, "method.alpha": [0.1, 0.5]}, "trials": 3},
}


def write(search=None, **keys):
    table = {**STUDY, **keys, "search": {**STUDY["search"], **(search or {})}}
    Path("study.yaml").write_text(yaml.safe_dump(table, sort_keys=False))


@pytest.fixture
def searching(bench, place, monkeypatch):  # noqa: F811
    """Runs are done by a program without networks, which scores the number of epochs."""
    pytest.importorskip("optuna", reason="a search needs optuna: pip install lmdistill[sweep]")
    monkeypatch.setenv("STUDY_FIELD", EPOCHS)
    monkeypatch.setattr("lmdistill.cli.study.RUN", CHILD)
    return place


def rows(said):
    """Number and state of the trials in a table, and its score."""
    cells = [[cell.strip() for cell in line.split("│")] for line in said.out.splitlines() if "│" in line]
    return [row[:3] for row in cells if row[0].isdigit()]


def test_without_optuna_nothing_is_done_and_the_extra_is_named(place, lmdistill, monkeypatch):
    write()
    before = files_in(place)
    monkeypatch.setitem(sys.modules, "optuna", None)
    message = r"^a search needs optuna, which is not installed\. Run: pip install lmdistill\[sweep\]$"
    refused(lmdistill("study", "study.yaml"), message)
    refused(lmdistill("study", "study.yaml", "--list"), message)
    assert files_in(place) == before


MISTAKES = {
    "an unknown field": ({"fields": {"training.epoch": [1]}}, r"^search\.fields\.training\.epoch: no setting of training is called 'epoch'\. Did you mean 'epochs'\?"),
    "an unknown sampler": ({"sampler": "randm"}, r"^no choice for search\.sampler is called 'randm'\. Did you mean 'random'\?"),
    "no address": ({"storage": "trials"}, r"^search\.storage trials cannot be opened: .*Check the address"),
    "an unknown database": ({"storage": "oracl://me:secret@host/db"}, r"^search\.storage oracl://me:\*\*\*@host/db cannot be opened: .*oracl"),
    "a missing driver": ({"storage": "postgresql+asyncpg9://me:secret@host/db"}, r"^search\.storage postgresql\+asyncpg9://me:\*\*\*@host/db cannot be opened: "),
    "no such folder": ({"storage": "sqlite:///none/trials.db"}, r"^search\.storage sqlite:///none/trials\.db cannot be opened: .*unable to open database file"),
}  # fmt: skip


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_one_line_and_leaves_nothing_behind(what, searching, lmdistill):
    search, message = MISTAKES[what]
    write(search)
    before = files_in(searching)
    said = lmdistill("study", "study.yaml")
    refused(said, message)
    assert "secret" not in said.err
    assert files_in(searching) == before


def test_a_search_ends_with_its_trials_best_first_and_the_command_that_repeats_the_best(searching, lmdistill):
    write()
    said = lmdistill("study", "study.yaml")
    assert said.code == 0, said.err
    scores = [float(score.split()[0]) for _, _, score in rows(said)]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 3
    lines = said.out.splitlines()
    assert "repeat the best: lmdistill distill runs/small/best.yaml --out runs/small-best" in lines
    assert "selected on dev" in said.out
    assert "optuna" not in (said.out + said.err).lower()
    listed = lmdistill("study", "study.yaml", "--list")
    assert [(number, state) for number, state, _ in rows(listed)] == [
        (f"00{number}", "done") for number in range(3)
    ]
    assert sorted(rows(listed)) == sorted(rows(said))
    assert "(dev accuracy, %)" in listed.out
    report = lmdistill("report", "runs/small")
    assert "the best one is selected on dev" in report.out


def test_a_list_of_trials_runs_none(searching, lmdistill):
    write()
    before = files_in(searching)
    said = lmdistill("study", "study.yaml", "--list")
    assert said.code == 0
    assert "0 of 3 trials are done" in said.out
    assert files_in(searching) == before


def test_another_search_is_refused_and_a_longer_one_is_not(searching, lmdistill):
    write({"trials": 1})
    assert lmdistill("study", "study.yaml").code == 0
    before = files_in(searching)
    for search, what in (
        (
            {"fields": {EPOCHS: [1, 2]}},
            r"search\.fields\.training\.epochs is {'low': 1, 'high': 9} there and \[1, 2\] here",
        ),
        ({"sampler": "random"}, r"search\.sampler is 'tpe' there and 'random' here"),
        ({"seed": 4}, r"search\.seed is 0 there and 4 here"),
    ):
        write(search)
        refused(
            lmdistill("study", "study.yaml", "--set", "search.trials=1"),
            rf"holds another search called small: {what}",
        )
    write(seeds=[0, 1])
    refused(lmdistill("study", "study.yaml"), r"seeds is \[0\] there and \[0, 1\] here")
    write(study="other")
    refused(
        lmdistill("study", "study.yaml", "--out", "runs/small"),
        r"holds another study: study is 'small' there",
    )
    assert files_in(searching) == before
    write()
    assert lmdistill("study", "study.yaml").code == 0


def test_failing_trials_are_listed_with_their_log_and_their_exit_code(searching, lmdistill, monkeypatch):
    write()
    monkeypatch.setenv("STUDY_KD trial-002", "mistake")
    said = lmdistill("study", "study.yaml")
    assert said.code == 2, said
    errors = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert errors == [
        "error: trial-002: the teacher is ill. See a doctor. Log: runs/small/logs/trial-002-seed0.log",
        "error: 1 of 3 trials failed. The same command tries them once more; failed trials count towards search.trials.",
    ]
    assert [state for _, state, _ in rows(said)] == ["done", "done", "failed"]
    monkeypatch.setenv("STUDY_KD trial-002", "crash")
    assert lmdistill("study", "study.yaml").code == 1
