from pathlib import Path

from lmdistill.analysis.compare import compare
from lmdistill.records.record import RecordedRun
from lmdistill.report.tables.details import details, measured
from tests.report.factory import calibration, latency, make_record, network


def run(name: str, seed: int = 0, **changes: object) -> RecordedRun:
    return RecordedRun(path=Path(f"{name}-{seed}"), record=make_record(name, seed, **changes))


def test_figures_are_means_over_seeds_and_the_teacher_has_its_own() -> None:
    runs = [
        run("KD", 0),
        run("KD", 1, calibration=calibration(0.08), agreement={"top_agreement": 0.95, "same_answer": 0.95}),
    ]
    (table,) = compare(runs)
    found = details(table)
    lines = {line[0]: line[1:] for line in found.rows}
    assert found.header == ("", "Teacher", "KD")
    assert lines["calibration error, %"] == ("3.00", "7.00")
    assert lines["same answer"] == ("–", "0.94")
    assert lines["agreement with teacher, %"] == ("–", "95.00")
    assert lines["training time"] == ("–", "6.9 min")
    assert lines["latency p95, batch 16"] == ("144 ms", "72.0 ms")
    assert lines["FLOPs per example"] == ("0.68 G", "0.34 G")


def test_figures_that_nobody_has_are_left_out() -> None:
    (table,) = compare([run("KD", risk=None, calibration=None, teacher_calibration=None, agreement=None)])
    titles = {line[0] for line in details(table).rows}
    assert not titles & {"gap", "Brier", "same answer"}
    assert "steps" in titles


def test_a_teacher_of_many_students_is_one_network() -> None:
    # of two teachers the first taught three students: 1 % and 5 %, and their mean is 3 %
    runs = [run("KD", seed, teacher_calibration=calibration(0.01)) for seed in range(3)]
    other = network(6, "other")
    (table,) = compare([*runs, run("KD", 3, teacher=other, teacher_calibration=calibration(0.05))])
    lines = {line[0]: line[1:] for line in details(table).rows}
    assert lines["calibration error, %"][0] == "3.00"
    values = list(measured(table)["calibration error, %"](table.rows[0]))
    assert values == [0.01, 0.05]


def test_a_teacher_is_timed_beside_every_student() -> None:
    slow = network(6, "teacher") | {"latency": {"1": latency(18.0, 1)}}
    (table,) = compare([run("KD", 0), run("KD", 1, teacher=slow)])
    lines = {line[0]: line[1:] for line in details(table).rows}
    assert lines["latency p50, batch 1"][0] == "15.0 ms"  # 12 and 18, not the last one


def test_a_teacher_whose_students_say_nothing_has_what_its_own_run_says() -> None:
    own = run(
        "own", kind="finetune", student=network(6, "teacher"), teacher=None, calibration=calibration(0.02)
    )
    (table,) = compare([own, run("KD", teacher_calibration=None)])
    lines = {line[0]: line[1:] for line in details(table).rows}
    assert lines["calibration error, %"] == ("2.00", "6.00")
