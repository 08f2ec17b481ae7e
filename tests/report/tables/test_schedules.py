import itertools
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from lmdistill.records.record import RecordedRun
from lmdistill.report.tables.schedules import schedule_grids, trials
from tests.report.factory import exhaustive_schedule, make_record, schedule


def run(
    name: str, seed: int, accuracy: float, value: dict[str, Any], fingerprint: str = "one"
) -> RecordedRun:
    record = make_record(name, seed, accuracy, schedule=value | {"metric": "accuracy"})
    task = record.task.model_copy(update={"fingerprint": fingerprint})
    return RecordedRun(path=Path(f"{name}-{seed}"), record=record.model_copy(update={"task": task}))


def direct(**changes: Any) -> dict[str, Any]:
    return schedule("direct", candidates=[], lam=None, exhaustive=None, **changes)


def three_schedules() -> list[RecordedRun]:
    return [
        *(run("MiniDisc", seed, 0.85 + 0.01 * seed, schedule()) for seed in (0, 1)),
        *(run("MaxiDisc", seed, 0.86, exhaustive_schedule(chosen=(0.3,))) for seed in (0, 1)),
        run("direct", 0, 0.80, direct()),
    ]


def test_every_cell_of_the_schedules_by_hand() -> None:
    found, *_ = schedule_grids(three_schedules())
    lines = {row[0]: row[1:] for row in found.rows}
    # 85 and 86 %: mean 85.5, sample deviation sqrt(0.5) = 0.71
    assert lines["MiniDisc"] == ("minidisc", "85.50 ± 0.71", "2", "30 %", "200", "6.7 min")
    assert lines["direct"] == ("direct", "80.00 ‡", "1", "–", "200", "6.7 min")


def test_seeds_that_went_different_ways_are_told_one_by_one() -> None:
    runs = [
        run("MiniDisc", 0, 0.8, schedule()),
        run("MiniDisc", 1, 0.8, schedule(chosen=(0.5,))),
        run("direct", 0, 0.8, direct()),
    ]
    (found,) = schedule_grids(runs)
    assert found.rows[0][4] == "30 %; 50 %"


def test_scores_stand_beside_the_students_of_the_pilot_figure() -> None:
    _, found, _ = schedule_grids(three_schedules())
    lines = {row[0]: row[1:] for row in found.rows}
    assert list(lines) == ["70 %", "60 %", "50 %", "40 %", "30 %", "20 %"]
    assert lines["30 %"] == ("102.90 ± 0.00", "87.40 ± 0.00", "2", "2")
    assert lines["70 %"] == ("97.50 ± 0.00", "86.30 ± 0.00", "0", "0")
    assert "In 2 of 2 seeds" in found.notes[0]
    assert "has 0.00 less" in found.notes[0]


def test_correlation_is_that_of_scipy_and_the_loss_is_counted() -> None:
    worse = exhaustive_schedule(chosen=(0.2,))
    students = {0.7: 0.863, 0.6: 0.864, 0.5: 0.864, 0.4: 0.868, 0.3: 0.854, 0.2: 0.871}
    for one in worse["candidates"]:
        one["student_metric"] = students[one["kept"]]
    runs = [run("MiniDisc", 0, 0.8, schedule()), run("MaxiDisc", 0, 0.8, worse)]
    (trial,) = trials([one.record for one in runs])
    assert (trial.chosen, trial.best) == (0.3, 0.2)
    order = sorted(students)
    expected = stats.spearmanr([trial.scores[one] for one in order], [students[one] for one in order])
    assert trial.correlation == pytest.approx(expected.statistic)
    _, found, _ = schedule_grids(runs)
    assert "In 0 of 1 seeds" in found.notes[0]
    assert "has 1.70 less" in found.notes[0]  # 87.1 - 85.4
    assert f"{expected.statistic:.2f}" in found.notes[1]


def test_other_lambdas_are_told_from_the_pilot_figure_by_hand() -> None:
    # m + lambda (1 - s): 0.915 + 0.3 l, 0.913 + 0.4 l, ..., 0.870 + 0.8 l. At 0.1 the best is 0.913 + 0.05 of
    # a half, at 0.3 it is 0.870 + 0.24 of a fifth. Students 86.3, 86.4 and 87.1
    *_, found = schedule_grids(three_schedules())
    lines = {row[0]: row[1:] for row in found.rows}
    assert lines["lambda 0"] == ("70 %", "86.30 ± 0.00")
    assert lines["lambda 0.1"] == ("50 %", "86.40 ± 0.00")
    assert lines["lambda 0.3"] == lines["lambda 1"] == ("20 %", "87.10 ± 0.00")


def test_of_equally_good_students_each_is_the_best_and_a_lot_finds_them_more_often() -> None:
    even = exhaustive_schedule(chosen=(0.5,))
    for one in even["candidates"]:
        one["student_metric"] = {0.3: 0.875, 0.5: 0.875}.get(one["kept"], 0.86)
    runs = [run("MiniDisc", 0, 0.8, schedule()), run("MaxiDisc", 0, 0.8, even)]
    (trial,) = trials([one.record for one in runs])
    assert (trial.chosen, trial.best) == (0.3, 0.5)
    assert (trial.is_hit, trial.chance) == (True, pytest.approx(2 / 6))
    _, found, _ = schedule_grids(runs)
    assert "In 1 of 1 seeds" in found.notes[0]


@pytest.mark.parametrize("change", ["size", "task"])
def test_scores_foretell_nothing_of_another_task_or_size(change: str) -> None:
    other = "two" if change == "task" else "one"
    tried = exhaustive_schedule(keep=0.15 if change == "size" else 0.1)
    runs = [run("MiniDisc", 0, 0.8, schedule()), run("MaxiDisc", 0, 0.8, tried, fingerprint=other)]
    assert trials([one.record for one in runs]) == ()


def test_the_order_of_runs_does_not_matter_for_what_was_foretold() -> None:
    runs = three_schedules()
    first = schedule_grids(runs)[1]
    for other in itertools.permutations(runs, len(runs)):
        assert schedule_grids(other)[1] == first


def test_other_sizes_and_other_data_are_not_compared() -> None:
    small = run("MiniDisc", 0, 0.8, schedule())
    assert schedule_grids([small]) == ()
    assert schedule_grids([small, run("direct", 0, 0.8, direct(keep=0.2))]) == ()
    assert schedule_grids([small, run("direct", 0, 0.8, direct(), fingerprint="two")]) == ()
    assert len(schedule_grids([small, run("direct", 0, 0.8, direct())])) == 1


def test_a_seed_with_only_one_of_both_foretells_nothing() -> None:
    runs = [run("MiniDisc", 0, 0.8, schedule()), run("MaxiDisc", 1, 0.8, exhaustive_schedule())]
    assert len(schedule_grids(runs)) == 1


def test_scores_by_one_method_foretell_nothing_of_students_by_another() -> None:
    other = make_record("MiniDisc+MixKD", 0, method={"name": "kd"}, schedule=schedule())
    tried = make_record("MaxiDisc", 0, schedule=exhaustive_schedule())
    same = make_record("MiniDisc", 0, schedule=schedule())
    assert trials([other, tried]) == ()
    assert [trial.seed for trial in trials([other, tried, same])] == [0]
