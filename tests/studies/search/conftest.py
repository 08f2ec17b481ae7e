"""A search whose runs are done by a program without networks: a run scores what it was given as a weight."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from lmdistill.studies.schema import read_study
from lmdistill.studies.search.runner import run_search
from lmdistill.studies.search.search_folder import SearchFolder
from lmdistill.studies.study_folder import StudyFolder
from tests.studies.conftest import CHILD

RATE, EPOCHS = "training.optimizer.learning_rate", "training.epochs"
TABLE = {
    "study": "small",
    "base": {"task": "synthetic", "method": {"name": "kd"}},
    "seeds": [0],
    "search": {
        "fields": {RATE: {"low": "1e-5", "high": 0.5}, EPOCHS: {"low": 1, "high": 9}},
        "trials": 4,
    },
}


@dataclass(frozen=True)
class SearchBench:
    """Where a search is tried."""

    folder: Path

    def prepared(self, out="out", search=None, **keys):
        """The study with these keys, its folder."""
        table = {**TABLE, **keys, "search": {**TABLE["search"], **(search or {})}}
        file = self.folder / "study.yaml"
        file.write_text(yaml.safe_dump(table, sort_keys=False))
        return read_study(file), StudyFolder(path=self.folder / out)

    def run(self, out="out", watch=lambda board: None, search=None, **keys):
        """All of it; the findings."""
        study, place = self.prepared(out, search, **keys)
        return run_search(study, place, command=CHILD, watch=watch)

    def trials(self, *arguments, **settings):
        """All of it; the trials of its only branch."""
        (finding,) = self.run(*arguments, **settings)
        return finding.trials

    def known(self, out="out", search=None, **keys):
        """What the database has, without running anything."""
        study, place = self.prepared(out, search, **keys)
        (finding,) = SearchFolder(study=study, place=place).findings()
        return finding.trials

    def steps(self, name, out="out"):
        """Numbers of the steps of a run, and the processes that did them."""
        path = self.folder / out / name / "steps.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        return [tuple(map(int, line.split())) for line in lines]


@pytest.fixture
def bench(bench, monkeypatch):
    pytest.importorskip("optuna", reason="a search needs optuna: pip install lmdistill[sweep]")
    monkeypatch.setenv("STUDY_FIELD", RATE)
    monkeypatch.setattr("lmdistill.studies.search.runner.LOOK", 0.05)
    return SearchBench(bench.folder)


@pytest.fixture
def nats(bench, monkeypatch):
    """Runs are those of language models, and score nats."""
    path = bench.folder / "record.json"
    record = json.loads(path.read_text())
    record["task"]["metrics"] = ["nats"]
    path.write_text(json.dumps(record))
    return bench
