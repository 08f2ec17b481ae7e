"""lmdistill monitor: tables on stdout, each alarm one line on stderr, and exit codes for a scheduler."""

import json

import numpy as np
import pytest

from tests.commands.audits import certified, rows, texts, write_rows


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A certified export, an audit without drift, and one in which a class fell in a week."""
    place = tmp_path_factory.mktemp("monitored")
    folder = certified(place / "out", texts(np.random.default_rng(0), 1000))
    usual = rows(folder, texts(np.random.default_rng(1), 400))
    write_rows(place / "usual.jsonl", usual)
    drift = [{**row, "teacher": "red"} if row["predicted"] == "green" else row for row in usual]
    write_rows(place / "drift.jsonl", drift)
    write_rows(
        place / "undated.jsonl", [{"review": row["review"], "teacher": row["teacher"]} for row in usual]
    )
    return place


def test_no_alarm_is_exit_code_0(world, lmdistill):
    said = lmdistill("monitor", world / "out", world / "usual.jsonl")
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    names = {line.partition("│")[0].strip() for line in lines}
    assert {"class green", "week 2026-W46", "texts with an unknown piece"} <= names
    assert lines[-1].startswith("no alarm in ")
    assert "alarm:" not in said.err


def test_an_alarm_is_exit_code_3_and_names_the_slice_first(world, lmdistill, tmp_path):
    page, numbers = tmp_path / "audit.html", tmp_path / "audit.json"
    said = lmdistill("monitor", world / "out", world / "drift.jsonl", "--out", page, "--json", numbers)
    assert said.code == 3
    alarms = [line for line in said.err.splitlines() if line.startswith("alarm: ")]
    assert alarms[0].startswith("alarm: class green: the student agrees with the teacher on ")
    assert [f"alarm: {one}" for one in json.loads(numbers.read_text())["alarms"]] == alarms
    assert "error" not in said.err
    assert f"written: {page}" in said.out
    assert page.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("out", "nowhere.csv"), "nowhere.csv does not exist"),
        (("out", "undated.jsonl"), "has no column of dates"),
        (("usual.jsonl", "usual.jsonl"), "holds no exported model"),
        (("nowhere", "usual.jsonl"), "holds no exported model"),
        (("out", "usual.jsonl", "--graph", "openvino"), "has no graph 'openvino'"),
        (("out", "usual.jsonl", "--alpha", "2"), "--alpha must be between 0 and 1, got 2"),
        (("out", "usual.jsonl", "--date", "when"), "there is no column 'when'"),
        (("out", "usual.jsonl", "--answer", "who"), "there is no column 'who'"),
        (("out", "usual.jsonl", "--text", "what"), "there is no column 'what'"),
        (("out", "usual.jsonl", "--out", "out"), "out is a folder"),
        (("out", "usual.jsonl", "--json", "usual.jsonl"), "must be different files"),
    ],
    ids=lambda value: " ".join(value[2:]) if isinstance(value, tuple) else "",
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, message, world, lmdistill, monkeypatch):
    monkeypatch.chdir(world)
    before = {path: path.stat().st_mtime_ns for path in world.rglob("*") if path.is_file()}
    said = lmdistill("monitor", *arguments)
    assert said.code == 2
    error = said.err.splitlines()[-1]
    assert error.startswith("error: "), said.err
    assert message in error
    assert said.out == ""
    assert {path: path.stat().st_mtime_ns for path in world.rglob("*") if path.is_file()} == before
