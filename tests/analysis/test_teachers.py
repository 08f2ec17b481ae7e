"""Each row has the teacher that taught it, and teachers of one kind are one row."""

import pytest

from lmdistill.records.record import RecordedRun
from tests.report.factory import network, plain_record
from tests.report.fake_records import SCORE, language, rows_of, run


def test_a_run_without_a_teacher_is_compared_with_the_only_one() -> None:
    rows = rows_of(run("FT", teacher=None, teacher_metrics=None, kind="finetune"), run("KD"))
    assert rows["FT"].role == "baseline"
    assert rows["FT"].kept == pytest.approx(0.8 / 0.9)
    assert rows["FT"].cost.speedup == pytest.approx(2.0)


def test_the_run_that_made_the_teacher_is_no_student() -> None:
    teacher = run("Fine-tuned", 0, 0.9, kind="finetune", student=network(6, "teacher"), teacher=None)
    rows = rows_of(teacher, run("KD"))
    assert list(rows) == ["Teacher", "KD"]
    assert rows["Teacher"].runs == (teacher,)


def test_a_fine_tuning_run_alone_is_a_row_without_a_teacher() -> None:
    rows = rows_of(run("FT", kind="finetune", teacher=None, teacher_metrics=None))
    assert list(rows) == ["FT"]
    assert rows["FT"].kept is None


def test_three_teachers_of_one_size_have_a_spread() -> None:
    runs = [
        run("KD", s, teacher=network(6, f"t{s}"), teacher_metrics={"dev": {"accuracy": 0.9 + s / 100}})
        for s in range(3)
    ]
    found = rows_of(*runs)["Teacher"].quality[SCORE]
    assert (found.mean, found.count) == (pytest.approx(0.91), 3)


def test_each_student_is_measured_against_its_own_teacher() -> None:
    large = {"teacher": network(12, "large"), "teacher_metrics": {"dev": {"accuracy": 0.96}}}
    rows = rows_of(run("KD"), run("MixKD", **large))
    assert list(rows) == ["Teacher (6 layers)", "Teacher (12 layers)", "KD", "MixKD"]
    assert rows["MixKD"].kept == pytest.approx(0.8 / 0.96)
    assert rows["MixKD"].cost.speedup == pytest.approx(4.0)


def test_of_two_teachers_of_one_kind_a_student_is_measured_against_its_own() -> None:
    # two studies in one table: the teachers have 0.9 and 0.6, and nobody learned from their mean
    good, poor = (
        {"teacher": network(6, name), "teacher_metrics": {"dev": {"accuracy": score}}}
        for name, score in (("good", 0.9), ("poor", 0.6))
    )
    rows = rows_of(run("FT", 0, 0.5, **poor), run("KD", 0, 0.54, **poor), run("PKD", 0, 0.72, **good))
    assert rows["Teacher"].quality[SCORE].mean == pytest.approx(0.75)
    assert (rows["KD"].kept, rows["PKD"].kept) == pytest.approx((0.54 / 0.6, 0.72 / 0.9))
    assert (rows["KD"].closed, rows["PKD"].closed) == pytest.approx((0.04 / 0.1, 0.22 / 0.4))


def test_teachers_as_deep_as_each_other_are_told_apart_by_their_weights() -> None:
    wide = network(6, "wide")
    wide["parameters"] = wide["parameters"] | {"total": 70_000_000}
    rows = rows_of(run("KD"), run("MixKD", teacher=wide), run("PKD", teacher=network(12, "deep")))
    assert list(rows)[:3] == [
        "Teacher (6 layers, 22.71 M)",
        "Teacher (6 layers, 70.00 M)",
        "Teacher (12 layers)",
    ]


def test_each_amount_of_data_has_its_own_teacher_and_seeds_and_new_rows_share_one() -> None:
    def taught(name: str, teacher: str, score: float, rows: int, seed: int = 0) -> RecordedRun:
        task = plain_record()["task"] | {"rows": {"train": rows, "dev": 200}}
        metrics = {"dev": {"accuracy": score}}
        return run(
            f"{name} {rows}", seed, 0.8, teacher=network(6, teacher), teacher_metrics=metrics, task=task
        )

    rows = rows_of(taught("KD", "all", 0.9, 9999), taught("KD", "tenth", 0.6, 1000))
    assert list(rows)[:2] == ["Teacher (9,999 examples)", "Teacher (1,000 examples)"]
    assert rows["KD 9999"].kept == pytest.approx(0.8 / 0.9)
    assert rows["KD 1000"].kept == pytest.approx(0.8 / 0.6)
    # a teacher of plain and of augmented rows holds the teachers of both together
    seeds = [taught("KD", "a", 0.9, 100), taught("KD", "b", 0.8, 200, 1), taught("KD", "a", 0.9, 200)]
    rows = rows_of(*seeds)
    assert next(iter(rows)) == "Teacher"
    assert rows["Teacher"].quality[SCORE].mean == pytest.approx(0.85)
    assert rows["Teacher"].quality[SCORE].count == 2


@pytest.mark.parametrize("first", [0, 1, 2])
def test_language_models_without_a_teacher_stand_beside_those_with_one(first: int) -> None:
    # only a run with a teacher has an agreement, which must not set the others apart
    teacher = language("own", taught=False, kind="finetune", student=network(6, "teacher"))
    runs = [teacher, language("SFT", taught=False), language("ATKD")]
    rows = rows_of(*runs[first:], *runs[:first])
    assert list(rows) == ["Teacher", "SFT", "ATKD"]
    assert rows["Teacher"].runs == (teacher,)
    assert list(rows["ATKD"].quality) == [("dev", m) for m in ("nats", "accuracy_of_tokens", "agreement")]
    assert ("dev", "agreement") not in rows["SFT"].quality


@pytest.mark.parametrize("score", [0.0, None])
def test_a_teacher_keeps_nothing_of_a_score_of_which_there_are_no_shares(score: float | None) -> None:
    rows = rows_of(run("KD", teacher_metrics={"dev": {"accuracy": score}}))
    assert (rows["Teacher"].kept, rows["KD"].kept) == (None, None)


def test_teachers_that_were_trained_in_other_ways_are_no_seeds_of_one() -> None:
    def taught(name: str, seed: int, rate: float, score: float) -> RecordedRun:
        asked = {"model": f"base-{seed}", "training": {"seed": seed, "rate": rate}}
        facts = {"teacher": network(6, f"{name}-{seed}"), "teacher_metrics": {"dev": {"accuracy": score}}}
        return run(name, seed, recipe={"teacher": asked}, **facts)

    rows = rows_of(taught("KD", 0, 1e-4, 0.90), taught("KD", 1, 1e-4, 0.92), taught("PKD", 0, 1e-6, 0.7))
    means = {label: row.quality[SCORE].mean for label, row in rows.items() if row.role == "teacher"}
    assert means == {"Teacher (6,735 examples)": pytest.approx(0.91), "Teacher (6,735 examples), 2": 0.7}
