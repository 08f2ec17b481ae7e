import csv

import pytest
import torch

from benchmarks import head_losses
from benchmarks.head_losses import LOSSES, Sizes, make_case, step
from benchmarks.language_loss import main

TINY = Sizes(positions=12, student=6, teacher=8, vocabulary=40)
FLAGS = [
    "--positions",
    "12",
    "--student-width",
    "6",
    "--teacher-width",
    "8",
    "--vocabulary",
    "40",
    "--rounds",
    "2",
]


def run(path, *more):
    main([*FLAGS, "--threads", str(torch.get_num_threads()), "--results", str(path), *more], measure=pretend)
    with path.open() as file:
        return {(row["way"], row["measure"]): float(row["value"]) for row in csv.DictReader(file)}


def pretend(work):
    """Memory without a process: all of plain's logits, and little of any other's."""
    if not work.keywords["loss"]:
        return 10.0
    return 90.0 if work.args[2] == "plain" else 20.0


def test_it_appends_times_memory_and_ratios(tmp_path, capsys):
    found = run(tmp_path / "results.csv")
    ways = {way for way, _ in found}
    assert {"plain", "ours", "ours, ATKD", "products"} <= ways
    assert found["ours", "memory, share of plain"] == pytest.approx(10 / 80, rel=1e-3)
    assert found["ours", "rounds"] == 2
    assert found["ours, ATKD", "time, times that of ours"] > 0
    assert ("products", "peak MB") not in found
    out = capsys.readouterr().out
    assert "12 positions, widths 6 and 8, vocabulary 40" in out
    assert ("trl is not installed" in out) == ("trl" not in ways)


def test_memory_can_be_left_out(tmp_path):
    assert not any("MB" in measure for _, measure in run(tmp_path / "results.csv", "--no-memory"))


def test_nothing_is_timed_where_the_ways_differ(tmp_path, monkeypatch):
    wrong = {**LOSSES, "ours": lambda case: 1.1 * LOSSES["ours"](case)}
    monkeypatch.setattr(head_losses, "LOSSES", wrong)
    with pytest.raises(SystemExit, match="do not compute the same"):
        run(tmp_path / "results.csv")
    assert not (tmp_path / "results.csv").exists()


def test_every_step_leaves_both_gradients():
    for key in ("plain", "ours", "ours, ATKD"):
        case = make_case(TINY)
        step(key, case)
        assert case.states.grad.abs().sum() > 0
        assert case.weight.grad.abs().sum() > 0
