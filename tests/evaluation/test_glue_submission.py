import gzip
import logging
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lmdistill.core.errors import DataError, MismatchError, UnknownNameError
from lmdistill.data.tasks.task_spec import SIZES, TASKS
from lmdistill.evaluation.glue_submission import TEST_FILES, write_submission

OFFICIAL_ROWS = {
    "CoLA": 1063,
    "SST-2": 1821,
    "MRPC": 1725,
    "STS-B": 1379,
    "QQP": 390965,
    "MNLI-m": 9796,
    "MNLI-mm": 9847,
    "QNLI": 5463,
    "RTE": 3000,
    "WNLI": 146,
    "AX": 1104,
}


RAW = Path(__file__).parents[2].parent / "shared" / "data" / "glue_raw"


def _predictions(seed=0, leave_out=()):
    random = np.random.default_rng(seed)
    return {
        key: random.integers(0, len(file.answers), file.rows)
        if file.answers
        else random.uniform(-1, 6, file.rows)
        for key, file in TEST_FILES.items()
        if key not in leave_out
    }


def _read(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode().splitlines() for name in archive.namelist()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("submission") / "glue.zip"
    predictions = _predictions()
    assert write_submission(path, predictions) == ()
    return path, predictions, _read(path)


def test_the_zip_holds_the_eleven_files_with_their_official_rows_and_indices(whole):
    _, _, files = whole
    assert {name: len(lines) - 1 for name, lines in files.items()} == {
        f"{k}.tsv": n for k, n in OFFICIAL_ROWS.items()
    }
    for lines in files.values():
        assert lines[0] == "index\tprediction"
        assert [line.split("\t")[0] for line in lines[1:]] == [str(row) for row in range(len(lines) - 1)]


@pytest.mark.parametrize(
    ("key", "name", "answers"),
    [
        ("cola", "CoLA", "0 1"),
        ("sst2", "SST-2", "0 1"),
        ("mrpc", "MRPC", "0 1"),
        ("qqp", "QQP", "0 1"),
        ("wnli", "WNLI", "0 1"),
        ("qnli", "QNLI", "entailment not_entailment"),
        ("rte", "RTE", "entailment not_entailment"),
        ("mnli_matched", "MNLI-m", "entailment neutral contradiction"),
        ("mnli_mismatched", "MNLI-mm", "entailment neutral contradiction"),
        ("ax", "AX", "entailment neutral contradiction"),
    ],
)
def test_classes_are_written_in_the_words_of_the_server(whole, key, name, answers):
    _, predictions, files = whole
    said = [line.split("\t")[1] for line in files[f"{name}.tsv"][1:]]
    assert said == [answers.split()[value] for value in predictions[key]]


def test_files_and_tasks_agree_on_splits_sizes_and_the_order_of_classes():
    splits = {
        name if split == "test" else f"{name}_{split.removeprefix('test_')}": (spec, SIZES[name][split])
        for name, spec in TASKS.items()
        for split in spec.test_splits
        if name in SIZES
    }
    assert TEST_FILES.keys() == splits.keys()
    for key, file in TEST_FILES.items():
        spec, rows = splits[key]
        assert file.rows == rows
        assert file.answers in (spec.labels, tuple(str(number) for number in range(len(spec.labels))))


@pytest.mark.skipif(not RAW.exists(), reason="../shared/data/glue_raw is not here")
def test_the_official_test_files_count_their_rows_from_zero():
    paths = {file.name: RAW / file.name / "test.tsv.gz" for file in TEST_FILES.values()}
    paths["AX"] = RAW / "diagnostic" / "diagnostic.tsv.gz"
    present = {name: path for name, path in paths.items() if path.exists()}
    assert present
    for name, path in present.items():
        with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
            indices = [line.split("\t")[0] for line in file][1:]
        assert indices == [str(row) for row in range(OFFICIAL_ROWS[name])]


def test_scores_are_cut_to_their_range_with_three_decimals(tmp_path):
    scores = np.full(1379, 2.0, dtype=np.float32)
    scores[:4] = [-0.3, 5.7, 3.14159, 4.9996]
    write_submission(tmp_path / "a.zip", {"stsb": scores}, fill=True)
    lines = _read(tmp_path / "a.zip")["STS-B.tsv"]
    assert lines[1:6] == ["0\t0.000", "1\t5.000", "2\t3.142", "3\t5.000", "4\t2.000"]


def test_the_same_predictions_give_the_same_bytes(whole, tmp_path):
    path, predictions, _ = whole
    write_submission(tmp_path / "again.zip", dict(reversed(predictions.items())))
    assert (tmp_path / "again.zip").read_bytes() == path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_missing_tasks_are_refused_by_name_and_nothing_is_written(tmp_path):
    with pytest.raises(
        MismatchError, match=r"needs 11 files, there are predictions for 9, missing: wnli, ax\. Predict"
    ):
        write_submission(tmp_path / "a.zip", _predictions(leave_out=("ax", "wnli")))
    assert list(tmp_path.iterdir()) == []


def test_filling_is_said_aloud_and_returned(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, logger="lmdistill"):
        filled = write_submission(
            tmp_path / "a.zip", _predictions(leave_out=("stsb", "ax", "wnli")), fill=True
        )
    assert filled == ("stsb", "wnli", "ax")
    assert "filled with constant answers, so not results: stsb, wnli, ax" in caplog.text
    files = _read(tmp_path / "a.zip")
    assert {line.split("\t")[1] for line in files["AX.tsv"][1:]} == {"entailment"}
    assert {line.split("\t")[1] for line in files["WNLI.tsv"][1:]} == {"0"}
    assert {line.split("\t")[1] for line in files["STS-B.tsv"][1:]} == {"0.000"}
    assert len(files["AX.tsv"]) == 1105


def test_replacing_an_older_zip_is_said_aloud(tmp_path, caplog):
    path = tmp_path / "a.zip"
    path.write_bytes(b"old")
    with caplog.at_level(logging.WARNING, logger="lmdistill"):
        write_submission(path, {"wnli": np.zeros(146, dtype=np.int64)}, fill=True)
    assert "replacing" in caplog.text
    assert zipfile.is_zipfile(path)


def test_an_older_zip_survives_a_failure_while_writing(tmp_path, monkeypatch):
    path = tmp_path / "a.zip"
    path.write_bytes(b"old")

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_submission(path, {}, fill=True)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("key", "values", "message"),
    [
        ("wnli", np.zeros(71, dtype=np.int64), "wnli has 71 predictions and its official test set 146 rows"),
        ("wnli", np.zeros(146), r"wnli needs class numbers \(integers\), got float64; take the argmax"),
        ("wnli", np.arange(146), "wnli has classes 0 to 1, got 2 in row 2; use a model of this task"),
        ("wnli", -np.ones(146, dtype=np.int64), "got -1 in row 0"),
        ("stsb", np.full(1379, np.nan), "stsb has 1379 scores that are not finite"),
    ],
)
def test_predictions_that_the_server_would_refuse_are_refused_before_writing(tmp_path, key, values, message):
    with pytest.raises(DataError, match=message):
        write_submission(tmp_path / "a.zip", {key: values}, fill=True)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_task_is_refused_with_the_nearest_name(tmp_path):
    with pytest.raises(
        UnknownNameError, match=r"no GLUE test file is called 'mnli-matched'. Did you mean 'mnli_match"
    ):
        write_submission(tmp_path / "a.zip", {"mnli-matched": np.zeros(9796, dtype=np.int64)}, fill=True)
