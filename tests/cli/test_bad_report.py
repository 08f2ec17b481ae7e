"""What `lmdistill report` makes of folders: of those it cannot use one line, exit code 2."""

import json
import re
import shutil
from pathlib import Path

import pytest

from lmdistill.core.checksums import object_checksum
from tests.report.factory import make_record, plain_record, write_run

BROKEN = {
    "a newer layout": ('{"schema": 2}', r"has schema 2, and this version reads schema 1\. Update lmdistill"),
    "an older layout": ('{"schema": 0}', r"has schema 0, and this version reads schema 1\. Read it with"),
    "another object": ('{"a": 1}', r"is no record of a run: it has no schema\. Name a folder"),
    "a list": ("[]", r"is no record of a run: it has no schema"),
    "a cut file": ('{"schema": 1,', r"is not JSON \(.*\)\. Run it again"),
    "an empty file": ("", r"is not JSON"),
    "a deep file": ("[" * 100_000, r"is not JSON"),
    "bytes": ("\udcff\x00", r"is not JSON"),
    "a missing field": ('{"schema": 1}', r"is damaged at lmdistill: Field required"),
}


@pytest.fixture
def finished(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write_run(Path("runs"), make_record("KD"), num_steps=5).path


def refused(said, match):
    """The only line."""
    assert said.code == 2, said.err
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert re.search(match, said.err), said.err


@pytest.mark.parametrize("what", BROKEN)
def test_a_record_that_cannot_be_read_is_named(what, finished, lmdistill):
    text, match = BROKEN[what]
    (finished / "record.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    refused(lmdistill("report", "runs", "--out", "page"), r"runs/kd-0/record\.json " + match)
    assert not Path("page").exists()


def test_a_field_of_a_newer_version_is_named_and_the_report_is_made(finished, lmdistill):
    known = lmdistill("report", "runs")
    value = json.loads((finished / "record.json").read_text())
    value |= {"from_tomorrow": 1}
    value["checksum"] = object_checksum(value)
    (finished / "record.json").write_text(json.dumps(value))
    said = lmdistill("report", "runs", "--out", "page")
    assert (said.code, known.code) == (0, 0)
    assert said.err.count("does not know: from_tomorrow. A newer version wrote them.") == 1
    assert Path("page/report.html").is_file()
    assert known.out.splitlines()[0] in said.out


@pytest.mark.parametrize("place", ["nowhere", "void", "notes", "runs/kd-0/record.json"])
def test_where_no_run_is_that_is_said_once(place, finished, lmdistill):
    Path("void").mkdir()
    Path("notes/deep").mkdir(parents=True)
    Path("notes/deep/text.txt").write_text("no run\n")
    said = rf"{place} does not exist\." if place == "nowhere" else rf"no record\.json below {place}\."
    refused(lmdistill("report", place), f"{said} Name a run folder")


def test_a_place_without_runs_beside_another_is_skipped_aloud(finished, lmdistill):
    said = lmdistill("report", "runs", "nowhere")
    assert said.code == 0
    assert said.err == "no record.json below nowhere; skipped.\n"


@pytest.mark.parametrize(
    ("out", "match"),
    [
        ("taken", r"taken/report\.html is a folder, so no page can be written there\. Move it"),
        ("file", r"file cannot be used"),
        ("file/below", r"file cannot be used: Not a directory"),
        ("file/page.html", r"file cannot be used"),
    ],
)
def test_a_page_that_something_stands_in_the_way_of_is_refused(out, match, finished, lmdistill):
    Path("taken/report.html").mkdir(parents=True)
    Path("file").write_text("mine")
    before = sorted(Path().rglob("*"))
    refused(lmdistill("report", "runs", "--out", out), match)
    assert sorted(Path().rglob("*")) == before
    assert Path("file").read_text() == "mine"


@pytest.mark.parametrize("name", ["history.jsonl", "predictions.jsonl", "disagreements.jsonl"])
@pytest.mark.parametrize("line", ['{"loss": 1}', '{"dev": 3, "step": 1}', "no json", "7"])
def test_a_line_that_no_run_wrote_is_named(name, line, finished, lmdistill):
    Path(finished, name).write_text(f"{line}\n")
    said = lmdistill("report", "runs", "--out", "page")
    refused(said, rf"{name}(, line 1, is not a JSON object|.* no run wrote)")


def test_runs_of_other_dev_examples_are_refused_or_stand_apart_and_that_is_said(finished, lmdistill):
    shutil.rmtree("runs")
    for name, dev in (("FT", "a" * 16), ("KD", "b" * 16)):
        task = plain_record()["task"] | {"dev_fingerprint": dev}
        write_run(Path("runs"), make_record(name, task=task), num_steps=5)
    said = lmdistill("report", "runs", "--out", "page")
    refused(
        said, rf"of sst2 .* different dev examples: runs/ft-0 on 200 of dev \({'a' * 16}\) and .* --apart"
    )
    assert said.out == ""
    assert not Path("page").exists()
    said = lmdistill("report", "runs", "--markdown", "--apart")
    assert said.code == 0
    assert said.out.count("in a separate table and are not compared with these") == 2
    assert "p against" not in said.out


def test_rows_stand_as_the_recipe_of_the_folder_has_them(finished, lmdistill):
    write_run(Path("runs"), make_record("B"), num_steps=5)
    Path("runs", "recipe.yaml").write_text("methods: {KD: {name: kd}, B: {name: kd}}\n")
    rows = [
        line.split("|")[1].strip() for line in lmdistill("report", "runs", "--markdown").out.splitlines()[4:7]
    ]
    assert rows == ["Teacher", "KD", "B"]


def test_any_row_can_be_the_baseline_and_a_wrong_name_is_one_line(finished, lmdistill):
    write_run(Path("runs"), make_record("FT", accuracy=0.7), num_steps=5)
    assert "p against FT" in lmdistill("report", "runs", "--markdown").out
    said = lmdistill("report", "runs", "--markdown", "--baseline", "KD", "--out", "page", "--files", "files")
    assert "p against KD" in said.out
    assert "p against KD" in Path("page", "report.html").read_text()
    assert "p against KD" in Path("files", "sst2-quality.md").read_text()
    refused(lmdistill("report", "runs", "--baseline", "KF"), r"no row is called 'KF'")
