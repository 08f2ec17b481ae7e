"""lmdistill theory as a user meets it: symbols, a run, and every symbol out of range."""

import re

import pytest

from lmdistill.records.record import write_record
from tests.report.factory import make_record, plain_record

SYMBOLS = ("theory", "--log-class", "8", "--original", "500")


def cells(said):
    """The value of each line of the table, by what it is."""
    lines = [[cell.strip() for cell in line.split("│")] for line in said.out.splitlines() if "│" in line]
    return {line[0]: line[-1] for line in lines}


@pytest.fixture
def run(tmp_path):
    """A run folder with a record, and nothing else."""
    risk = {"train": 0.2, "dev": 0.4, "gap": 0.2, "train_error": 0.05, "dev_error": 0.15}
    folder = tmp_path / "run"
    folder.mkdir()
    write_record(folder, make_record(risk=risk))
    return folder


def test_symbols_give_a_table_and_a_sentence(lmdistill):
    said = lmdistill(*SYMBOLS, "--augmented", "750", "--shift", "0.02", "--confidence", "0.8646647167633873")
    assert said.code == 0, said.err
    found = cells(said)
    assert found["bound without mixed samples"] == "0.1"
    assert found["mixed samples needed"] == "282"
    assert said.out.splitlines()[-1].startswith("282 mixed samples are enough")


def test_parameters_and_bits_are_a_class(lmdistill):
    said = lmdistill("theory", "--parameters", "1000", "--bits", "8", "--original", "500")
    assert cells(said)["log size of the class, in nats"] == "5,545"
    said = lmdistill("theory", "--parameters", "1000", "--original", "500", "--bound", "2")
    assert cells(said)["log size of the class, in nats"] == "22,181"
    assert cells(said)["largest loss"] == "2"


def test_a_run_gives_its_samples_its_parameters_and_its_gap(run, lmdistill):
    said = lmdistill("theory", run)
    assert said.code == 0, said.err
    found = cells(said)
    assert found["original samples"] == "6,735"
    assert found["mixed samples"] == "20,205"
    assert found["log size of the class, in nats"] == "385,735,718"
    assert found["measured gap, 0/1 loss"] == "0.1"
    assert "times as large. The bound is vacuous, because it is not below the largest loss, 1." in said.out


def test_options_stand_over_the_run(run, lmdistill):
    said = lmdistill(
        "theory", run, "--original", "100", "--augmented", "0", "--rademacher", "0.1", "--bound", "4"
    )
    found = cells(said)
    assert found["original samples"] == "100"
    assert found["mixed samples"] == "0"
    assert found["Rademacher complexity"] == "0.1"
    assert found["measured gap, cross-entropy, not clipped"] == "0.2"
    assert "log size of the class, in nats" not in found


MISTAKES = {
    "nothing": (("theory",), "the number of original samples is missing. Give --original, or name a run."),
    "no class": (("theory", "--original", "5"), "the size of the class is missing. Give --parameters, --log-class or"),
    "confidence above one": ((*SYMBOLS, "--confidence", "1.5"), "the confidence must be in (0, 1), got 1.5."),
    "confidence of one": ((*SYMBOLS, "--confidence", "1"), "the confidence must be in (0, 1), got 1."),
    "no loss": ((*SYMBOLS, "--bound", "0"), "the loss bound must be > 0 and below 1e+100, got 0."),
    "loss below zero": ((*SYMBOLS, "--bound", "-1"), "the loss bound must be > 0 and below 1e+100, got -1."),
    "no originals": (("theory", "--log-class", "8", "--original", "0"), "original samples must be a number >= 1, got 0"),
    "mixed below zero": ((*SYMBOLS, "--augmented", "-1"), "mixed samples must be a number >= 0, got -1"),
    "shift below zero": ((*SYMBOLS, "--shift", "-0.1"), "the shift must be a number >= 0, got -0.1"),
    "no gap": ((*SYMBOLS, "--target-gap", "0"), "the target gap must be > 0 and below 1e+100, got 0."),
    "a gap in words": ((*SYMBOLS, "--target-gap", "small"), "See lmdistill theory --help."),
    "two classes": ((*SYMBOLS, "--rademacher", "0.1"), "--log-class 8.0 and --rademacher 0.1 each say how large the class is"),
    "a class twice": ((*SYMBOLS, "--parameters", "9"), "--parameters 9 and --log-class 8.0 each say"),
    "bits of nothing": ((*SYMBOLS, "--bits", "8"), "--bits 8 has no effect beside --log-class 8.0. Leave it out."),
    "no parameters": (("theory", "--parameters", "0", "--original", "5"), "parameters must be a number >= 1, got 0"),
    "no bits": (("theory", "--parameters", "9", "--bits", "0", "--original", "5"), "bits must be a number >= 1, got 0"),
    "too many parameters": (("theory", "--parameters", "9" * 400, "--original", "5"), "parameters must be below 1e+100"),
    "no run": (("theory", "nowhere"), "no record.json in nowhere."),
}  # fmt: skip


def refused(said, message):
    """One line on stderr, and nothing on stdout."""
    assert said.code == 2, said.err
    assert len(said.err.splitlines()) == 1
    assert re.search(rf"^error: .*{re.escape(message)}", said.err)
    assert said.out == ""


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line(name, lmdistill):
    command, message = MISTAKES[name]
    refused(lmdistill(*command), message)


def test_runs_that_the_theorems_do_not_speak_of_are_refused(tmp_path, lmdistill):
    for kind, message in {"language": "trained a language model", "regression": "Set --bound"}.items():
        folder = tmp_path / kind
        folder.mkdir()
        write_record(folder, make_record(task={**plain_record()["task"], "kind": kind, "labels": []}))
        refused(lmdistill("theory", folder), message)
