import itertools

from lmdistill.analysis.assistant_selection import trials
from lmdistill.report.tables.schedules import schedule_grids
from tests.report.factory import exhaustive_schedule, schedule
from tests.report.schedule_runs import direct, run, three_schedules


def test_every_cell_of_the_schedules_by_hand() -> None:
    found, *_ = schedule_grids(three_schedules())
    lines = {row[0]: row[1:] for row in found.rows}
    # 85 and 86 %: mean 85.5, sample deviation sqrt(0.5) = 0.71
    assert lines["MiniDisc"] == ("minidisc", "85.50 ± 0.71", "2", "30 %", "200", "6.7 min")
    assert lines["direct"] == ("direct", "80.00 ‡", "1", "–", "200", "6.7 min")


def test_seeds_with_different_assistants_are_listed_one_by_one() -> None:
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


def test_the_notes_have_the_regret_and_the_correlation() -> None:
    worse = exhaustive_schedule(chosen=(0.2,))
    for one in worse["candidates"]:
        one["student_metric"] = {0.3: 0.854}.get(one["kept"], one["student_metric"])
    runs = [run("MiniDisc", 0, 0.8, schedule()), run("MaxiDisc", 0, 0.8, worse)]
    (trial,) = trials([one.record for one in runs])
    _, found, _ = schedule_grids(runs)
    assert "In 0 of 1 seeds" in found.notes[0]
    assert "has 1.70 less" in found.notes[0]  # 87.1 - 85.4
    assert f"{trial.correlation:.2f}" in found.notes[1]


def test_choices_of_other_lambdas_from_the_pilot_figure_by_hand() -> None:
    # m + lambda (1 - s): 0.915 + 0.3 l, 0.913 + 0.4 l, ..., 0.870 + 0.8 l. At 0.1 the best is 0.913 + 0.05 of
    # a half, at 0.3 it is 0.870 + 0.24 of a fifth. Students 86.3, 86.4 and 87.1
    *_, found = schedule_grids(three_schedules())
    lines = {row[0]: row[1:] for row in found.rows}
    assert lines["lambda 0"] == ("70 %", "86.30 ± 0.00")
    assert lines["lambda 0.1"] == ("50 %", "86.40 ± 0.00")
    assert lines["lambda 0.3"] == lines["lambda 1"] == ("20 %", "87.10 ± 0.00")


def test_the_order_of_runs_does_not_matter_for_the_scores() -> None:
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


def test_a_seed_with_only_one_of_both_has_no_table_of_scores() -> None:
    runs = [run("MiniDisc", 0, 0.8, schedule()), run("MaxiDisc", 1, 0.8, exhaustive_schedule())]
    assert len(schedule_grids(runs)) == 1
