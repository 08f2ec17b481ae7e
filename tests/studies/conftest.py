"""A study of two methods and two seeds, whose runs are done by a program without networks."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from lmdistill.core.atomic_io import write_text
from lmdistill.studies.grid import study_cells
from lmdistill.studies.runner import run_study
from lmdistill.studies.schema import read_study
from lmdistill.studies.study_folder import StudyFolder
from tests.report.factory import plain_record
from tests.run_fixtures import examples_cache as examples_cache
from tests.run_fixtures import models as models
from tests.run_fixtures import no_pages as no_pages
from tests.run_fixtures import place as place

CHILD = (sys.executable, str(Path(__file__).with_name("child.py")))
TABLE = {
    "study": "small",
    "base": {"task": "synthetic"},
    "axes": {"method": {"FT": {"name": "finetune"}, "KD": {"name": "kd"}}},
    "seeds": [0, 1],
}


@dataclass(frozen=True)
class Bench:
    """Where the study is tried."""

    folder: Path

    def prepared(self, out="out", **keys):
        """The study with these keys, its cells, its folder."""
        file = self.folder / "study.yaml"
        text = yaml.safe_dump({**TABLE, **keys}, sort_keys=False)
        write_text(file, text)  # whole, since two threads may prepare at once
        study = read_study(file)
        place = StudyFolder(path=self.folder / out)
        return study, study_cells(study, place.path), place

    def run(self, out="out", watch=lambda board: None, **keys):
        """All of it; how far every cell is in the end."""
        study, cells, place = self.prepared(out, **keys)
        return run_study(study, cells, place, command=CHILD, watch=watch)

    def steps(self, name, out="out"):
        """Numbers of the steps of a cell, and the processes that did them."""
        path = self.folder / out / name / "steps.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        return [tuple(map(int, line.split())) for line in lines]


@pytest.fixture
def bench(tmp_path, monkeypatch):
    record = tmp_path / "record.json"
    record.write_text(json.dumps(plain_record()))
    monkeypatch.setenv("STUDY_RECORD", str(record))
    monkeypatch.setattr("lmdistill.runs.write_report.write_report", lambda *a, **k: None)  # takes seconds
    monkeypatch.setattr("lmdistill.studies.runner.PAUSE", 0.01)
    return Bench(tmp_path)
