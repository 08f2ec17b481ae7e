import json
import logging
import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lmdistill.core.checksums import object_checksum
from lmdistill.core.errors import RunError
from lmdistill.records.parsing import _warn_of_unknown
from lmdistill.records.record import Record, find_records, read_record, write_record
from tests.report.factory import make_record, plain_record


def write_plain(folder: Path, value: object) -> Path:
    folder.mkdir(parents=True)
    (folder / "record.json").write_text(json.dumps(value), encoding="utf-8")
    return folder


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = make_record(alarms=["Grüße 🎉 <script>"])
    write_record(tmp_path, record)
    read = read_record(tmp_path)
    assert read.checksum is not None
    assert read.model_copy(update={"checksum": None}) == record


def test_the_file_has_the_keys_of_the_contract(tmp_path: Path) -> None:
    value = plain_record()
    write_record(tmp_path, Record.model_validate(value))
    written = json.loads((tmp_path / "record.json").read_text(encoding="utf-8"))
    absent = {
        "changed": None,
        "tokens": None,
        "positions": [],
        "written": None,
        "schedule": None,
        "map": None,
        "answers": None,
        "teaching": None,
        "thresholds": None,
        "classes": {},
        "origin": None,
        "vocabulary": None,
        "teacher_terms": None,
        "class_weights": {},
        "teacher_classes": {},
        "linear": None,
        "files": None,
        "checksum": object_checksum(written),
    }  # not of every run
    value["task"] |= {"columns": [], "unlabelled_rows": 0, "multi_label": False}
    for side in ("calibration", "teacher_calibration"):
        value[side] |= {"by_label": []}
    value["risk"] |= {"sample_size": None, "train_interval": None}
    assert written == value | absent


def test_scores_that_do_not_exist_are_null(tmp_path: Path) -> None:
    record = make_record(metrics={"dev": {"accuracy": math.nan}}, recipe={"patience": math.inf})
    write_record(tmp_path, record)
    again = read_record(tmp_path)
    assert again.metrics == {"dev": {"accuracy": None}}
    assert again.recipe == {"patience": "Infinity"}


@pytest.mark.parametrize(("number", "way"), [(2, "Update lmdistill"), (0, "Read it with the version of")])
def test_another_schema_is_refused_with_both_numbers(tmp_path: Path, number: int, way: str) -> None:
    folder = write_plain(tmp_path / "run", plain_record(schema=number))
    said = rf"record\.json has schema {number}, and this version reads schema 1\. {way}"
    with pytest.raises(RunError, match=said):
        read_record(folder)


def newer(**fields: object) -> dict[str, Any]:
    """A record of a version that has more fields, at three depths."""
    value = plain_record(**fields)
    value["student"]["latency"]["1"]["joules"] = 2.5
    for one in value["calibration"]["bins"]:
        one["width"] = 0.1
    return value


def test_fields_of_a_newer_version_are_ignored_and_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _warn_of_unknown.cache_clear()
    names = ("one", "two", "three")
    for name in names:
        write_plain(tmp_path / name, newer(future={"deep": 1}))
    with caplog.at_level(logging.WARNING, "lmdistill"):
        found = find_records([tmp_path])
    known = Record.model_validate(plain_record())
    assert [run.record for run in found] == [known] * 3
    assert [record.getMessage() for record in caplog.records] == [
        "record.json: ignored fields that this version of lmdistill does not know: "
        "student.latency.1.joules, calibration.bins.width, future. A newer version wrote them."
    ]


def test_a_newer_record_that_is_damaged_too_is_refused_for_the_damage(tmp_path: Path) -> None:
    value = newer(future=1)
    value["training"]["steps"] = "many"
    with pytest.raises(RunError, match=r"damaged at training\.steps: Input should be"):
        read_record(write_plain(tmp_path / "run", value))


def test_a_record_of_version_0_1_has_defaults_for_what_was_added_later(tmp_path: Path) -> None:
    value = plain_record()
    for part, name in (("risk", "sample_size"), ("risk", "train_interval"), ("task", "dev_fingerprint")):
        value[part].pop(name, None)
    for name in ("changed", "tokens", "positions", "written", "map", "schedule"):
        value.pop(name, None)
    record = read_record(write_plain(tmp_path / "run", value))
    assert record.risk is not None
    assert (record.risk.sample_size, record.risk.train_interval, record.task.dev_fingerprint) == (None,) * 3
    assert (record.changed, record.positions, record.schedule) == (None, (), None)


def test_a_file_that_is_no_record_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is no record of a run: it has no schema"):
        read_record(write_plain(tmp_path / "list", []))


@pytest.mark.parametrize("text", ['{"schema": 1,', "", "[" * 100_000], ids=["cut", "empty", "deep"])
def test_broken_json_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "record.json").write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match=r"is not JSON \(.*\)\. Run it again\.$") as caught:
        read_record(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_damaged_field_is_named(tmp_path: Path) -> None:
    value = plain_record()
    value["student"]["parameters"]["total"] = "many"
    folder = write_plain(tmp_path / "run", value)
    with pytest.raises(RunError, match=r"damaged at student\.parameters\.total: Input should be"):
        read_record(folder)


def test_a_misspelt_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="metrcs"):
        Record.model_validate(plain_record(metrcs={}))


def test_a_folder_without_a_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no record\.json in .*nowhere"):
        read_record(tmp_path / "nowhere")


def test_an_empty_folder_is_refused_and_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(RunError, match=r"no record\.json below .*Name a run folder"):
        find_records([tmp_path])
    assert caplog.text == ""


def test_runs_are_found_in_natural_order_each_once_and_not_inside_runs(tmp_path: Path) -> None:
    for name in ("kd/seed-10", "kd/seed-2", "ft", "ft/teacher", ".half"):
        write_record(tmp_path / name, make_record(name))
    found = find_records([tmp_path, tmp_path / "kd" / ".." / "ft"])
    assert [run.path.relative_to(tmp_path).as_posix() for run in found] == ["ft", "kd/seed-2", "kd/seed-10"]
    assert [run.record.name for run in found] == ["ft", "kd/seed-2", "kd/seed-10"]


def test_an_unfinished_run_beside_a_finished_one_is_skipped_aloud(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_record(tmp_path / "done", make_record())
    (tmp_path / "open").mkdir()
    with caplog.at_level(logging.WARNING, "lmdistill"):
        assert len(find_records([tmp_path / "open", tmp_path / "done"])) == 1
    assert "open; skipped" in caplog.text


def test_a_folder_may_have_a_digit_in_its_name_that_counts_nothing(tmp_path: Path) -> None:
    for name in ("²", "seed-10", "seed-2"):
        write_record(tmp_path / name, make_record())
    assert {run.path.name for run in find_records([tmp_path])} == {"²", "seed-10", "seed-2"}
