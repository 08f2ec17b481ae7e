"""The benchmark of texts without labels: what it times, and what it writes."""

import csv

import pytest

from benchmarks import transfer
from benchmarks.transfer import WAYS, Setting, collators, draws_of, encoded, main, network, write_files


@pytest.fixture
def task(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(transfer, "LABELLED", 20)
    return encoded(write_files(tmp_path, 60), tmp_path, network(32, 1), lambda stage: None)


def test_the_labelled_texts_are_left_out_of_those_without_labels(task):
    assert len(task.train.lengths) == 20 + 60
    assert task.train.labelled.sum() == 20


def test_every_way_gets_the_same_texts_and_only_its_own_answers(task):
    (draw, *_) = draws_of(task, 2)
    batches = {name: collator[draw] for name, collator in collators(task).items()}
    assert set(batches) == set(WAYS)
    ids = [batch.inputs.ids.tolist() for batch in batches.values()]
    assert ids[0] == ids[1] == ids[2]
    assert batches["without a teacher"].labelled is None
    assert batches["stored answers"].stored is not None
    assert batches["live teacher"].stored is None


def test_it_prints_tables_and_appends_to_the_results(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(transfer, "LABELLED", 20)
    monkeypatch.setattr(transfer, "DEV_ROWS", 10)
    results = tmp_path / "results.csv"

    def here(work):
        work()
        return 0.0

    sizes = ["--rows", "40", "90", "--width", "32", "--batches", "2", "--rounds", "1"]
    main([*sizes, "--results", str(results)], measure=here)
    assert "times without a teacher" in capsys.readouterr().out
    with results.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert {line["setting"].partition(",")[0] for line in lines} == {"40 texts", "90 texts"}
    assert {line["way"] for line in lines} == {*transfer.STAGES, *WAYS}
    stored = [float(line["value"]) for line in lines if line["measure"] == "bytes a row"]
    assert all(8 <= value < 12 for value in stored)  # two float32, and the head of the file
    alone = [line["value"] for line in lines if line["measure"] == "times without a teacher"]
    assert alone[0] == "1"


def test_texts_are_long_enough_to_tell_the_ways_apart():
    assert Setting().name == "width 384, student of 3 layers, batch 32"
