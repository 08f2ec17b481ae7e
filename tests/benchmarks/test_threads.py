"""The benchmark of threads: each row is a fresh process with its own settings, and every number is a row."""

import csv
from contextlib import nullcontext

import pytest

from benchmarks import threads
from benchmarks.threads import BUSY, OPENMP, WAITING, Row, Timed, main, measure, rows_of


def test_a_single_thread_waits_for_nobody_and_has_one_row():
    rows = rows_of(["default", "passive"], [1, 2])
    assert [(row.threads, row.waiting) for row in rows] == [(1, "default"), (2, "default"), (2, "passive")]


@pytest.mark.parametrize("name", WAITING)
def test_the_environment_of_a_row_is_what_it_says_and_nothing_that_was_set_before(monkeypatch, name):
    for variable in OPENMP:
        monkeypatch.setenv(variable, "9")
    found = Row(waiting=name, threads=2).environment
    expected = {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2", **WAITING[name]}
    assert {key: value for key, value in found.items() if key in OPENMP} == expected


def test_a_process_trains_beside_each_number_of_busy_ones(monkeypatch):
    started = []
    monkeypatch.setattr(threads, "busy", lambda number: started.append(number) or nullcontext())
    found = measure(
        Row(waiting="passive", threads=1), ["--batch-size", "1", "--tokens", "4", "--seconds", "0.01"]
    )
    assert started == list(BUSY)
    assert all(one.wall_ms and min(one.wall_ms) > 0 and one.cpu_ms > 0 for one in found)


def test_the_median_over_rounds_is_printed_and_appended(tmp_path, capsys, monkeypatch):
    times = {"default": iter([100.0, 300.0]), "passive": iter([80.0, 90.0])}

    def measured(row, arguments):
        assert arguments == ["--batch-size", "16", "--tokens", "32", "--seconds", "6"]
        ms = next(times[row.waiting])
        return [Timed(wall_ms=[ms * (number + 1)] * 3, cpu_ms=2 * ms) for number in BUSY]

    monkeypatch.setattr(threads, "measure", measured)
    path = tmp_path / "results.csv"
    main(["--waiting", "default", "passive", "--threads", "2", "--rounds", "2", "--results", str(path)])
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[-5:] for line in printed[1:]] == [
        ["default", "200", "400", "600", "1800"],
        ["passive", "85", "170", "255", "765"],
    ]
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert {(line["benchmark"], line["threads"]) for line in lines} == {("threads", "2")}
    assert {line["setting"] for line in lines} == {"2 threads, batch 16 of 32 tokens"}
    found = {(line["way"], line["measure"]): float(line["value"]) for line in lines}
    assert len(found) == len(lines) == 2 * 2 * len(BUSY)
    assert found["default", "ms a step, alone"] == 200
    assert found["passive", "processor ms a step, beside 2 busy processes"] == 170
