"""What a run wrote is noticed to have changed: by a report, and by whoever loads its weights."""

import json
import logging

import pytest

from lmdistill.core.errors import RunError
from lmdistill.records.disagreements import DISAGREEMENTS
from lmdistill.records.history import HISTORY
from lmdistill.records.integrity import run_checksums
from lmdistill.records.model_integrity import model_damage, require_unchanged_model, run_damage
from lmdistill.records.predictions import PREDICTIONS
from lmdistill.records.predictions_parquet import PARQUET, write_parquet
from lmdistill.records.record import find_records, read_record, write_record
from tests.report.factory import make_record, write_run

STUDENT = ("config.json", "model.safetensors", "tokenizer.json")
REPORTED = (HISTORY, PREDICTIONS)


@pytest.fixture
def run(tmp_path):
    """A run folder as this version writes it."""
    folder = write_run(tmp_path / "runs", make_record("KD"), num_steps=5).path
    (folder / "student").mkdir()
    for name in (*STUDENT, "README.md"):
        (folder / "student" / name).write_text(f'{{"name": "{name}"}}')
    (folder / DISAGREEMENTS).write_text("")
    write_record(folder, make_record("KD").model_copy(update={"files": run_checksums(folder)}))
    return folder


def edit(path, old=b"0", new=b"1"):
    """Change some bytes of a file, not their number."""
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


def test_the_record_has_the_checksum_of_what_is_read_and_none_of_the_card(run):
    files = read_record(run).files
    assert sorted(files) == sorted([DISAGREEMENTS, *REPORTED, *(f"student/{name}" for name in STUDENT)])
    assert {len(digest) for digest in files.values()} == {64}
    assert run_damage(run) is None


@pytest.mark.parametrize("name", REPORTED)
def test_a_report_refuses_a_file_that_has_changed(name, run):
    edit(run / name)
    with pytest.raises(
        RunError, match=rf"kd-0 is not as its run wrote it: {name} has changed\. Restore the file"
    ):
        find_records([run])
    assert run_damage(run) == f"{name} has changed"


def test_a_report_warns_of_predictions_that_are_gone_but_not_of_those_kept_in_parquet(run, caplog):
    (run / PREDICTIONS).unlink()
    with caplog.at_level(logging.WARNING, "lmdistill"):
        assert len(find_records([run])) == 1
    (said,) = caplog.messages
    assert said.endswith("kd-0 has no predictions.jsonl any more; tests and tables of examples leave it out.")
    write_parquet(run.parent / PARQUET, {})
    caplog.clear()
    find_records([run])
    assert caplog.messages == []


def test_every_change_of_a_figure_in_the_record_is_refused(run):
    path = run / "record.json"
    before = path.read_text()
    for old, new in (('"accuracy": 0.86', '"accuracy": 0.87'), ('"seed": 0', '"seed": 1'), ("412.0", "41.0")):
        assert old in before
        path.write_text(before.replace(old, new, 1))
        with pytest.raises(RunError, match=r"record\.json is not as its run wrote it: its checksum differs"):
            read_record(run)
    path.write_text(json.dumps(json.loads(before)))  # other white space
    assert read_record(run).name == "KD"


def test_who_removes_the_checksum_may_edit_the_record(run):
    value = json.loads((run / "record.json").read_text())
    value |= {"name": "renamed"}
    del value["checksum"]
    (run / "record.json").write_text(json.dumps(value))
    assert read_record(run).name == "renamed"


@pytest.mark.parametrize("name", STUDENT)
def test_whoever_loads_the_weights_is_refused_when_a_file_of_the_student_has_changed_or_is_missing(name, run):
    require_unchanged_model(run / "student")
    edit(run / "student" / name, b"name", b"same")
    said = rf"student is not as its run wrote it: {name} has changed\. Restore it or run again; to use it as it is"
    with pytest.raises(RunError, match=said):
        require_unchanged_model(run / "student")
    (run / "student" / name).unlink()
    assert model_damage(run / "student") == f"{name} is missing"
    assert run_damage(run) == f"{name} is missing"


def test_a_copy_without_the_run_and_an_edited_card_are_not_checked(run, tmp_path):
    edit(run / "student" / "config.json", b"name", b"same")
    (run / "student").rename(tmp_path / "student")
    assert model_damage(tmp_path / "student") is None
    (tmp_path / "student").rename(run / "student")
    edit(run / "student" / "config.json", b"same", b"name")
    (run / "student" / "README.md").write_text("my words")
    assert model_damage(run / "student") is None


def test_a_record_that_changed_says_nothing_of_the_weights_so_they_are_refused(run):
    edit(run / "record.json", b"KD", b"KE")
    assert model_damage(run / "student") == "record.json has changed"
    (run / "record.json").write_text("{")
    assert model_damage(run / "student") == "record.json is not JSON"
    (run / "record.json").write_text('{"made": "by another program"}')
    assert model_damage(run / "student") is None


def test_a_report_does_not_miss_the_predictions_of_a_teacher_that_was_put_into_a_run(run, tmp_path, caplog):
    teacher = tmp_path / "out" / "teacher"
    (run / "student").rename(tmp_path / "student")
    (tmp_path / "out").mkdir()
    (tmp_path / "student").rename(teacher)
    (teacher / "record.json").write_bytes((run / "record.json").read_bytes())
    with caplog.at_level(logging.WARNING, "lmdistill"):
        assert [found.path for found in find_records([tmp_path / "out"])] == [teacher]
    assert caplog.text == ""


def test_a_teacher_in_a_run_folder_is_checked_by_the_record_beside_its_files(run, tmp_path):
    teacher = tmp_path / "other" / "teacher"
    teacher.parent.mkdir()
    (run / "student").rename(teacher)
    (teacher / "record.json").write_bytes((run / "record.json").read_bytes())
    assert model_damage(teacher) is None
    edit(teacher / "model.safetensors", b"name", b"same")
    assert model_damage(teacher) == "model.safetensors has changed"


def test_runs_of_version_0_1_are_not_checked(run):
    write_record(run, make_record("KD"))
    value = json.loads((run / "record.json").read_text())
    del value["checksum"], value["files"]
    (run / "record.json").write_text(json.dumps(value))
    edit(run / PREDICTIONS)
    edit(run / "student" / "config.json", b"name", b"same")
    assert len(find_records([run])) == 1
    assert model_damage(run / "student") is None
    assert run_damage(run) is None
