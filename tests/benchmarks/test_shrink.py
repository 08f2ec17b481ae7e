"""The benchmark of searches: what it measures, and what it writes."""

import csv

import pytest

from benchmarks import shrink

pytestmark = pytest.mark.filterwarnings("ignore")  # the exporters' own, which differ between versions


@pytest.mark.slow
def test_it_prints_tables_and_appends_to_the_results(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(shrink, "SETTINGS", (*shrink.SETTINGS, "data.rows=64", "teacher.training.epochs=1"))
    monkeypatch.setattr(shrink, "TRAINED", ((2, 0.5),))
    sizes = ["--texts", "2", "--steps", "1", "--layers", "1", "2", "--widths", "1"]
    shrink.main([*sizes, "--results", str(tmp_path / "results.csv")])
    assert "trained / untrained p50" in capsys.readouterr().out
    lines = list(csv.DictReader((tmp_path / "results.csv").read_text().splitlines()))
    seconds = {line["way"]: float(line["value"]) for line in lines if line["measure"] == "s"}
    assert seconds["again"] < 0.2 * seconds["first time"]
    ratios = [float(line["value"]) for line in lines if line["measure"] == "trained / untrained p50"]
    assert len(ratios) == 2
    assert all(0.2 < ratio < 5 for ratio in ratios)
