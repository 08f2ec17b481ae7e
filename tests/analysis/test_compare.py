"""Rows against their baseline: shares, tests, order."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lmdistill.analysis.compare import compare
from lmdistill.analysis.paired_comparison import compare_rows, judged
from lmdistill.analysis.significance import holm
from lmdistill.core.errors import UnknownNameError
from lmdistill.records.predictions import PREDICTIONS, Prediction, write_predictions
from tests.report.factory import latency, make_record, network, plain_record, write_run
from tests.report.fake_records import SCORE, language, rows_of, run


def test_seeds_are_one_row_and_the_teacher_and_the_baseline_come_first() -> None:
    rows = rows_of(
        run("MixKD", 0, 0.86), run("MixKD", 1, 0.88), run("KD"), run("FT", 0, 0.8), run("FT", 1, 0.82)
    )
    assert list(rows) == ["Teacher", "FT", "MixKD", "KD"]
    assert [row.role for row in rows.values()] == ["teacher", "baseline", "student", "student"]
    mixkd = rows["MixKD"].quality[SCORE]
    assert (mixkd.mean, mixkd.sd) == pytest.approx((np.mean([0.86, 0.88]), np.std([0.86, 0.88], ddof=1)))
    assert rows["Teacher"].quality[SCORE].count == 1  # five students, but one teacher


def test_shares_by_hand() -> None:
    # teacher 0.9, FT mean 0.81, MixKD mean 0.87: kept 0.87 / 0.9, closed 0.06 / 0.09
    rows = rows_of(run("FT", 0, 0.8), run("FT", 1, 0.82), run("MixKD", 0, 0.86), run("MixKD", 1, 0.88))
    assert rows["MixKD"].kept == pytest.approx(0.87 / 0.9)
    assert rows["MixKD"].closed == pytest.approx(2 / 3)
    assert rows["FT"].closed == 0
    assert rows["FT"].evidence.p_value is None


def test_the_gap_is_that_of_the_seeds_that_both_have() -> None:
    rows = rows_of(run("FT", 0, 0.80), run("FT", 1, 0.82), run("KD", 1, 0.86), run("KD", 7, 0.10))
    assert rows["KD"].closed == pytest.approx(0.04 / 0.08)
    apart = rows_of(run("FT", 0, 0.80), run("KD", 1, 0.86))
    assert apart["KD"].closed == pytest.approx(0.06 / 0.10)


def test_rows_follow_the_wanted_order() -> None:
    rows = rows_of(run("C"), run("B"), run("FT"), run("A"), order=["A", "B"])
    assert list(rows) == ["Teacher", "FT", "A", "B", "C"]


def test_a_teacher_below_the_baseline_leaves_no_gap() -> None:
    weak = {"dev": {"accuracy": 0.7}}
    rows = rows_of(run("FT", teacher_metrics=weak), run("KD", accuracy=0.85, teacher_metrics=weak))
    assert rows["KD"].closed is None
    assert rows["KD"].kept == pytest.approx(0.85 / 0.7)


def test_speed_up_is_measured_within_a_run() -> None:
    # 12 ms against 6 in one run, 36 against 12 on a busy machine: (2 + 3) / 2, not the ratio of the medians
    slow_student = network(3, "KD-1") | {"latency": {"1": latency(12.0, 1)}}
    slow_teacher = network(6, "teacher") | {"latency": {"1": latency(36.0, 1)}}
    rows = rows_of(run("KD", 0), run("KD", 1, student=slow_student, teacher=slow_teacher))
    assert rows["KD"].cost.speedup == pytest.approx(2.5)
    assert rows["KD"].cost.latency_ms == pytest.approx(9.0)


def test_an_unknown_baseline_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"no row is called 'MixK'\. Did you mean 'MixKD'"):
        compare([run("MixKD")], baseline="MixK")


def test_a_named_baseline_takes_the_place_of_fine_tuning() -> None:
    rows = rows_of(run("FT"), run("KD", accuracy=0.85), run("MixKD", accuracy=0.88), baseline="KD")
    assert rows["KD"].role == "baseline"
    assert rows["MixKD"].closed == pytest.approx(0.6)
    assert rows["FT"].closed == pytest.approx(-1.0)


def test_the_p_value_is_that_of_the_evidence_and_corrected_for_the_table(tmp_path: Path) -> None:
    names = {"FT": 0.8, "KD": 0.82, "MixKD": 0.9}
    runs = [
        write_run(tmp_path, make_record(name, accuracy=value), num_steps=1) for name, value in names.items()
    ]
    found = {label: row.evidence for label, row in rows_of(*runs).items()}
    known = {run.path: judged(run) for run in runs}
    for one in runs[1:]:
        alone = compare_rows([one], [runs[0]], known, teacher=0.9)
        assert found[one.record.name] == replace(alone, p_holm=found[one.record.name].p_holm)
    corrected = [found[name].p_holm for name in names]
    assert corrected == holm([found[name].p_value for name in names])
    assert corrected[0] is None
    assert corrected[2] == pytest.approx(2 * found["MixKD"].p_value)


def test_shares_have_intervals_around_them(tmp_path: Path) -> None:
    values = {"FT": 0.7, "KD": 0.86}
    runs = [
        write_run(tmp_path, make_record(name, seed, value + seed / 50), num_steps=1)
        for name, value in values.items()
        for seed in (0, 1)
    ]
    row = rows_of(*runs)["KD"]
    assert row.evidence.kept is not None
    assert row.evidence.kept.low < row.evidence.kept.value < row.evidence.kept.high


def test_a_named_baseline_need_not_stand_in_every_table() -> None:
    other = plain_record()["task"] | {"name": "rte"}
    tables = compare([run("KD"), run("MixKD"), run("PKD", task=other)], baseline="MixKD")
    assert [row.role for row in tables[0].rows] == ["teacher", "baseline", "student"]
    assert [row.role for row in tables[1].rows] == ["teacher", "student"]


def test_the_way_to_a_teacher_whose_answers_were_not_kept_is_that_to_its_score(tmp_path: Path) -> None:
    # SFT 2.5 nats, KD 2.0, teacher 1.5: half of the way
    runs = []
    for name, nats in (("SFT", 2.5), ("KD", 2.0)):
        scores = {"dev": {"nats": nats}}
        found = language(name, metrics=scores, teacher_metrics={"dev": {"nats": 1.5}})
        runs.append(write_run(tmp_path, found.record, num_steps=1))
        rows = [
            Prediction(example=i, split="dev", label=10.0, student=(10 * nats + (-1) ** (i // 2),))
            for i in range(40)
        ]
        write_predictions(runs[-1].path / PREDICTIONS, rows)
    row = rows_of(*runs)["KD"]
    assert row.closed == pytest.approx(0.5)
    assert row.evidence.closed is not None
    assert row.evidence.closed.value == pytest.approx(0.5)
