import pytest
from scipy import stats

from lmdistill.analysis.assistant_selection import trials
from tests.report.factory import exhaustive_schedule, make_record, schedule
from tests.report.schedule_runs import run


def test_correlation_is_that_of_scipy_and_the_regret_is_computed() -> None:
    worse = exhaustive_schedule(chosen=(0.2,))
    students = {0.7: 0.863, 0.6: 0.864, 0.5: 0.864, 0.4: 0.868, 0.3: 0.854, 0.2: 0.871}
    for one in worse["candidates"]:
        one["student_metric"] = students[one["kept"]]
    runs = [run("MiniDisc", 0, 0.8, schedule()), run("MaxiDisc", 0, 0.8, worse)]
    (trial,) = trials([one.record for one in runs])
    assert (trial.chosen, trial.best, trial.is_hit) == (0.3, 0.2, False)
    assert trial.regret == pytest.approx(0.871 - 0.854)
    order = sorted(students)
    expected = stats.spearmanr([trial.scores[one] for one in order], [students[one] for one in order])
    assert trial.correlation == pytest.approx(expected.statistic)


def test_another_lambda_takes_another_assistant() -> None:
    # m + lambda (1 - s): 0.915 + 0.3 l, 0.913 + 0.4 l, ..., 0.870 + 0.8 l
    runs = [run("MiniDisc", 0, 0.8, schedule()), run("MaxiDisc", 0, 0.8, exhaustive_schedule())]
    (trial,) = trials([one.record for one in runs])
    assert [trial.taken(weight) for weight in (0.0, 0.1, 0.3, 1.0)] == [0.7, 0.5, 0.2, 0.2]


def test_of_equally_good_students_each_is_the_best_and_a_random_choice_finds_them_more_often() -> None:
    even = exhaustive_schedule(chosen=(0.5,))
    for one in even["candidates"]:
        one["student_metric"] = {0.3: 0.875, 0.5: 0.875}.get(one["kept"], 0.86)
    runs = [run("MiniDisc", 0, 0.8, schedule()), run("MaxiDisc", 0, 0.8, even)]
    (trial,) = trials([one.record for one in runs])
    assert (trial.chosen, trial.best) == (0.3, 0.5)
    assert (trial.is_hit, trial.regret, trial.chance) == (True, 0.0, pytest.approx(2 / 6))


@pytest.mark.parametrize("change", ["size", "task"])
def test_another_task_or_size_makes_no_trial(change: str) -> None:
    other = "two" if change == "task" else "one"
    tried = exhaustive_schedule(keep=0.15 if change == "size" else 0.1)
    runs = [run("MiniDisc", 0, 0.8, schedule()), run("MaxiDisc", 0, 0.8, tried, fingerprint=other)]
    assert trials([one.record for one in runs]) == ()


def test_another_method_makes_no_trial() -> None:
    other = make_record("MiniDisc+MixKD", 0, method={"name": "kd"}, schedule=schedule())
    tried = make_record("MaxiDisc", 0, schedule=exhaustive_schedule())
    same = make_record("MiniDisc", 0, schedule=schedule())
    assert trials([other, tried]) == ()
    assert [trial.seed for trial in trials([other, tried, same])] == [0]


def test_a_record_without_a_schedule_is_ignored() -> None:
    assert trials([make_record("FT")]) == ()
