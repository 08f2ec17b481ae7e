from dataclasses import replace

import pytest

from lmdistill.analysis.compare import compare
from lmdistill.analysis.paired_comparison import ComparisonStats
from lmdistill.analysis.result_table import Comparison, Row
from lmdistill.analysis.seed_and_example_variance import Estimate
from lmdistill.records.record import RecordedRun
from lmdistill.report.verdict import verdict
from tests.report.factory import make_record


def table_of(p_value: float | None, difference: float = 0.02, seeds: int = 3) -> tuple[Row, Comparison]:
    """FT and KD, with a difference and a p-value chosen by the test."""
    runs = [RecordedRun(path=place, record=make_record(name, accuracy=score)) for name, score, place in ROWS]
    (table,) = compare(runs)
    found = Estimate(value=difference, low=0.0, high=0.1, error=0.01, freedom=9.0, p_value=0.5)
    evidence = ComparisonStats(seeds=seeds, difference=found, p_value=p_value, p_holm=p_value)
    rows = tuple(replace(row, evidence=evidence) if row.label == "KD" else row for row in table.rows)
    return rows[-1], replace(table, rows=rows)


@pytest.fixture(autouse=True)
def _places(tmp_path, monkeypatch) -> None:
    rows = [("FT", 0.80, tmp_path / "ft"), ("KD", 0.82, tmp_path / "kd")]
    monkeypatch.setattr(f"{__name__}.ROWS", rows)


ROWS: list = []


@pytest.mark.parametrize("p_value", [0.05, 0.06, 0.3, 1.0])
def test_better_is_never_said_where_the_corrected_p_is_not_below_a_twentieth(p_value: float) -> None:
    said = verdict(*table_of(p_value))
    assert "better" not in said
    assert f"the difference to FT is not significant (p = {p_value:.3f})" in said


def test_better_is_said_with_its_size_and_its_p() -> None:
    assert "It is better than FT by 2.00 (accuracy, %; p = 0.012)." in verdict(*table_of(0.012))
    assert "p < 0.001" in verdict(*table_of(1e-9))


def test_one_seed_speaks_for_its_runs_only() -> None:
    assert "valid for these runs only, because they share one seed" in verdict(*table_of(0.01, seeds=1))


def test_without_a_test_nothing_is_claimed() -> None:
    assert verdict(*table_of(None)).endswith("Its mean is the best; it was not tested against FT.")


def test_the_baseline_is_not_better_than_itself() -> None:
    _, table = table_of(0.01)
    floor = next(row for row in table.rows if row.role == "baseline")
    assert verdict(floor, table).endswith("No row has a better mean than FT, the baseline.")


def test_a_run_alone_has_no_rival() -> None:
    (table,) = compare([RecordedRun(path=ROWS[0][2], record=make_record("KD"))])
    assert verdict(table.rows[-1], table).endswith("is 2.00 times as fast.")


@pytest.mark.parametrize(("accuracy", "learned"), [(0.5, False), (0.49, False), (0.52, True)])
def test_a_student_no_better_than_a_constant_answer_is_said_to_have_learned_nothing(
    tmp_path, accuracy: float, learned: bool
) -> None:
    record = make_record("KD", accuracy=accuracy, majority={"dev": {"accuracy": 0.5}})
    (table,) = compare([RecordedRun(path=tmp_path, record=record)])
    said = verdict(table.rows[-1], table)
    assert said.startswith("KD is no better than a constant answer: it has learned nothing of use") != learned
    assert "KD keeps" in said
