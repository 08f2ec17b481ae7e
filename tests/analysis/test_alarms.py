from dataclasses import replace
from pathlib import Path

import pytest

from lmdistill.analysis.alarms import DIVERGED, LEARNED_NOTHING, SCATTERED, remarks, row_alarms
from lmdistill.analysis.compare import compare
from lmdistill.analysis.paired_comparison import ComparisonStats
from lmdistill.records.record import RecordedRun
from tests.report.factory import make_record, network, plain_record, write_run


def run(name: str, seed: int = 0, accuracy: float | None = 0.8, **changes: object) -> RecordedRun:
    found = make_record(name, seed, **{"metrics": {"dev": {"accuracy": accuracy}}, **changes})
    return RecordedRun(path=Path(f"{name}-{seed}"), record=found)


def alarms_of(*runs: RecordedRun) -> dict[str, tuple[str, ...]]:
    (table,) = compare(runs)
    return {row.label: row_alarms(row, table) for row in table.rows}


def remarks_of(*runs: RecordedRun) -> str:
    (table,) = compare(runs)
    return " ".join(remarks(table))


def test_alarms_of_runs_come_first_and_once() -> None:
    found = alarms_of(run("KD", 0, alarms=["too low"]), run("KD", 1, None, alarms=["too low"]))
    assert found["KD"] == ("too low", DIVERGED)


def test_seeds_that_differ_by_more_than_the_effect_ring() -> None:
    # differences to FT, seed by seed: KD +3, -1 (mean 1, deviation 2.8); MixKD +3, +2 (2.5, 0.7)
    floor = [run("FT", 0, 0.80), run("FT", 1, 0.82)]
    found = alarms_of(
        *floor, run("KD", 0, 0.83), run("KD", 1, 0.81), run("MixKD", 0, 0.83), run("MixKD", 1, 0.84)
    )
    assert found == {"Teacher": (), "FT": (), "KD": (SCATTERED,), "MixKD": ()}


def test_a_seed_that_is_there_twice_rings_and_says_what_differs() -> None:
    recipe = make_record("KD").recipe
    other = {**recipe, "training": {"precision": "bf16", "seed": 1}, "seeds": [1]}
    (twice,) = alarms_of(run("KD", 0), run("KD", 1), run("KD", 1, recipe=other))["KD"]
    assert twice.startswith("the row has several runs with the same seed (1), and their recipes differ in")
    assert "training.precision" in twice
    assert "seeds" not in twice
    (copied,) = alarms_of(run("KD", 0), run("KD", 0))["KD"]
    assert "a run may be listed twice" in copied
    assert alarms_of(run("KD", 0), run("KD", 1))["KD"] == ()


def floor(metric: str, value: float) -> dict[str, object]:
    return {"majority": {"dev": {metric: value}}}


@pytest.mark.parametrize(("score", "rings"), [(0.4, True), (0.5, True), (0.51, False)])
def test_a_score_at_or_below_a_constant_answer_rings(score: float, rings: bool) -> None:
    (alarm, *_) = (*alarms_of(run("FT", 0, 0.9), run("KD", 0, score, **floor("accuracy", 0.5)))["KD"], "")
    assert (LEARNED_NOTHING in alarm) == rings
    if rings:
        assert alarm.startswith("the mean accuracy, % is no better than that of a constant answer")


@pytest.mark.parametrize(("nats", "rings"), [(6.3, True), (6.2, False)])
def test_a_language_model_worse_than_uniform_guessing_rings(nats: float, rings: bool) -> None:
    task = plain_record()["task"] | {"kind": "language", "labels": [], "metrics": ["nats"]}
    facts = {
        "task": task,
        "teacher_metrics": None,
        "metrics": {"dev": {"nats": nats}},
        **floor("nats", 6.238),
    }
    alarms = alarms_of(run("SFT", **facts))["SFT"]
    assert [LEARNED_NOTHING in alarm for alarm in alarms] == ([True] if rings else [])
    assert not rings or "guessing uniformly" in alarms[0]


def test_f1_is_judged_by_accuracy_and_records_without_a_floor_by_nothing() -> None:
    task = plain_record()["task"] | {"metrics": ["f1", "accuracy"]}
    both = {"dev": {"f1": 0.80, "accuracy": 0.75}}
    facts = {"task": task, "teacher_metrics": None, "metrics": both}
    above = {"majority": {"dev": {"f1": 0.81, "accuracy": 0.68}}}
    assert alarms_of(run("KD", **facts, **above))["KD"] == ()
    assert alarms_of(run("KD", **facts, majority={"dev": {"f1": 0.81, "accuracy": 0.75}}))["KD"] != ()
    assert alarms_of(run("KD", 0, 0.1, majority={}))["KD"] == ()


def test_what_a_run_said_is_not_said_twice_and_what_it_says_of_the_teacher_stands_in_its_row() -> None:
    said = [f"the student has {LEARNED_NOTHING}", f"the teacher has {LEARNED_NOTHING}"]
    found = alarms_of(run("KD", 0, 0.4, alarms=said, **floor("accuracy", 0.5)))
    assert found == {"Teacher": (said[1],), "KD": (said[0],)}


def test_seeds_that_move_together_do_not_ring() -> None:
    floor = [run("FT", 0, 0.70), run("FT", 1, 0.80)]
    assert alarms_of(*floor, run("KD", 0, 0.72), run("KD", 1, 0.82))["KD"] == ()


def test_one_seed_or_none_in_common_cannot_ring() -> None:
    assert alarms_of(run("FT", 0, 0.8), run("KD", 0, 0.8), run("KD", 1, 0.9))["KD"] == ()
    assert alarms_of(run("KD", 0, 0.8), run("KD", 1, 0.9))["KD"] == ()


def test_many_seeds_that_settle_the_question_do_not_ring(tmp_path: Path) -> None:
    # differences of 13 and -1 points, in turn: mean 6, deviation 7.3, t(11) = 2.8
    values = [
        (name, seed, value)
        for seed in range(12)
        for name, value in (("FT", 0.6), ("KD", 0.59 + seed % 2 * 0.14))
    ]
    plain = [run(name, seed, value) for name, seed, value in values]
    assert alarms_of(*plain)["KD"] == (SCATTERED,)
    answered = [
        write_run(
            tmp_path,
            make_record(name, seed, value),
            right=[i < round(200 * value) for i in range(200)],
            num_steps=1,
        )
        for name, seed, value in values
    ]
    assert alarms_of(*answered)["KD"] == ()


@pytest.mark.parametrize("layers", [4, 6])
def test_a_student_better_than_its_own_teacher_is_a_remark(layers: int) -> None:
    weak = {"teacher": network(layers, "weak"), "teacher_metrics": {"dev": {"accuracy": 0.7}}}
    text = remarks_of(run("FT", 0, 0.8), run("KD", 0, 0.75, **weak), run("MixKD", 0, 0.91))
    assert "Better mean than the teacher: KD, MixKD." in text
    assert not any(alarms_of(run("FT", 0, 0.95)).values())
    assert remarks_of(run("FT", 0, 0.8)) == ""


def test_a_lower_score_is_the_better_one_where_the_metric_says_so() -> None:
    task = plain_record()["task"] | {"kind": "language", "labels": [], "metrics": ["nats"]}
    scores = {"task": task, "majority": {}, "teacher_metrics": {"dev": {"nats": 1.5}}}
    found = remarks_of(
        run("SFT", metrics={"dev": {"nats": 2.0}}, **scores),
        run("KD", metrics={"dev": {"nats": 1.4}}, **scores),
    )
    assert "Better mean than the teacher: KD." in found


def test_a_seed_that_only_others_have_is_a_remark() -> None:
    both = [run("FT", 0), run("FT", 1), run("FT", 2)]
    assert "Missing seeds that other rows have: KD (1, 2)." in remarks_of(*both, run("KD", 0))
    assert "Missing seeds" not in remarks_of(*both)


def test_other_dev_examples_are_said_in_one_line() -> None:
    few = plain_record()["task"] | {"rows": {"train": 6735, "dev": 100}}
    tables = compare([run("FT"), run("KD", task=few)])
    assert len(tables) == 2
    for table in tables:
        assert "Other runs of sst2 were evaluated on other dev examples" in " ".join(remarks(table))


def test_the_deviation_is_that_of_a_sample() -> None:
    # differences +2 and 0 points: mean 1, deviation 1.4; divided by two seeds it would be 1
    floor = [run("FT", 0, 0.80), run("FT", 1, 0.80)]
    assert alarms_of(*floor, run("KD", 0, 0.82), run("KD", 1, 0.80))["KD"] == (SCATTERED,)


def test_seeds_that_agree_on_a_loss_do_not_ring() -> None:
    # differences to FT -6 and -4 points: mean -5, deviation 1.4
    floor = [run("FT", 0, 0.80), run("FT", 1, 0.80)]
    assert alarms_of(*floor, run("KD", 0, 0.74), run("KD", 1, 0.76))["KD"] == ()


def test_the_seed_of_the_run_that_made_the_teacher_is_none_that_students_lack() -> None:
    own = run("own", 7, 0.9, kind="finetune", student=network(6, "teacher"), teacher=None)
    assert "Missing seeds" not in remarks_of(own, run("FT", 0), run("KD", 0))


def test_only_a_corrected_p_settles_the_question() -> None:
    (table,) = compare([run("FT", 0, 0.80), run("FT", 1, 0.82), run("KD", 0, 0.83), run("KD", 1, 0.81)])
    row = table.rows[-1]
    for p_holm, expected in ((0.06, (SCATTERED,)), (0.04, ())):
        found = replace(row, evidence=ComparisonStats(p_value=0.03, p_holm=p_holm))
        assert row_alarms(found, table) == expected


def test_an_alarm_about_the_teacher_stands_in_its_row_and_not_in_those_of_students() -> None:
    told = ["the teacher is at or below the majority class on dev", "the student is at or below it too"]
    found = alarms_of(run("KD", 0, alarms=told), run("FT", 0))
    assert found == {"Teacher": (told[0],), "FT": (), "KD": (told[1],)}


def test_an_alarm_of_the_run_that_made_the_teacher_is_about_the_teacher() -> None:
    student = run("KD", 0)
    assert student.record.teacher is not None
    own = run("teacher", 0, alarms=["the student is at or below the majority class on dev"], kind="finetune")
    made = replace(
        own, record=own.record.model_copy(update={"student": student.record.teacher, "teacher": None})
    )
    assert alarms_of(made, student)["Teacher"] == ("the teacher is at or below the majority class on dev",)
