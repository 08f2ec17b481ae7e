from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lmdistill.core.errors import UnknownNameError
from lmdistill.report.comparison import compare
from lmdistill.report.evidence import judged, weigh
from lmdistill.report.predictions import PREDICTIONS, Prediction, write_predictions
from lmdistill.report.record import RunFolder
from lmdistill.report.rows import Row
from lmdistill.report.statistics import holm
from lmdistill.report.tables import grid
from tests.report.factory import latency, make_record, network, plain_record, write_run

SCORE = ("dev", "accuracy")


def run(name: str, seed: int = 0, accuracy: float = 0.8, **changes: object) -> RunFolder:
    return RunFolder(path=Path(f"{name}-{seed}"), record=make_record(name, seed, accuracy, **changes))


def rows_of(*runs: RunFolder, **options: object) -> dict[str, Row]:
    (table,) = compare(runs, **options)  # type: ignore[arg-type]
    return {row.label: row for row in table.rows}


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
    def taught(name: str, teacher: str, score: float, rows: int, seed: int = 0) -> RunFolder:
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


def test_rows_of_one_name_are_told_apart_by_what_differs() -> None:
    few = plain_record()["task"] | {"rows": {"train": 673, "dev": 200}}
    settings = {"method": {"name": "mixkd", "alpha": 2.0}}
    rows = rows_of(run("MixKD"), run("MixKD", task=few), run("MixKD", **settings))
    names = ["(6,735 examples, alpha=1.0)", "(673 examples, alpha=1.0)", "(6,735 examples, alpha=2.0)"]
    assert list(rows) == ["Teacher", *(f"MixKD {name}" for name in names)]


def test_settings_of_all_students_are_said_once_and_not_in_every_label() -> None:
    runs = [
        run("FT layers=3 ratio=1"),
        run("KD layers=3 ratio=1"),
        run("KD layers=3 ratio=2", task=plain_record()["task"] | {"name": "rte"}),
    ]
    tables = compare(runs)
    assert [[row.label for row in table.rows] for table in tables] == [
        ["Teacher", "FT ratio=1", "KD ratio=1"],
        ["Teacher", "KD ratio=2"],
    ]
    assert {table.shared for table in tables} == {("layers=3",)}
    assert all("All students: layers=3." in grid(table).notes for table in tables)
    (one,) = compare(runs[:1])
    assert [row.label for row in one.rows] == ["Teacher", "FT layers=3 ratio=1"]


@pytest.mark.parametrize("name", ["KD", "KD layers=3"])
def test_rows_are_named_with_or_without_what_all_share(name: str) -> None:
    rows = rows_of(
        run("FT layers=3"), run("KD layers=3"), run("A layers=3"), baseline=name, order=["A layers=3"]
    )
    assert [(label, row.role) for label, row in rows.items()] == [
        ("Teacher", "teacher"),
        ("KD", "baseline"),
        ("A", "student"),
        ("FT", "student"),
    ]


def test_each_task_has_its_own_comparison() -> None:
    other = plain_record()["task"] | {"name": "rte"}
    tables = compare([run("KD"), run("KD", task=other), run("FT")])
    assert [table.task.name for table in tables] == ["sst2", "rte"]
    assert len(tables[0].rows) == 3


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
    for run in runs[1:]:
        alone = weigh([run], [runs[0]], known, teacher=0.9)
        assert found[run.record.name] == replace(alone, p_holm=found[run.record.name].p_holm)
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


def test_runs_on_other_dev_examples_stand_apart(tmp_path: Path) -> None:
    def runs(name: str, **changes: object) -> RunFolder:
        task = plain_record()["task"] | changes
        return write_run(tmp_path / name, make_record(name, task=task), num_steps=1)

    few = plain_record()["task"]["rows"] | {"dev": 100}
    same, fewer = [runs("FT"), runs("KD")], runs("MixKD", rows=few)
    tables = compare([*same, fewer, runs("PKD", dev_fingerprint="a" * 16)])
    assert [[run.record.name for run in table.runs] for table in tables] == [["FT", "KD", "PKD"], ["MixKD"]]
    assert all(table.apart for table in tables)
    known = [runs("A", dev_fingerprint="a" * 16), runs("B", dev_fingerprint="b" * 16)]
    assert [table.apart for table in compare(known)] == [True, True]
    assert [table.apart for table in compare(same)] == [False]
    # what is not known of the first run does not bring together what is known of the others
    mixed = compare([*same, *known])
    assert [[run.record.name for run in table.runs] for table in mixed] == [["FT", "KD", "A"], ["B"]]


def test_other_labels_tell_other_dev_examples(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, make_record(name), num_steps=1) for name in ("FT", "KD", "PKD")]
    lines = (runs[1].path / PREDICTIONS).read_text(encoding="utf-8")
    (runs[1].path / PREDICTIONS).write_text(lines.replace('"label": 1', '"label": 0'), encoding="utf-8")
    assert [[run.record.name for run in table.runs] for table in compare(runs)] == [["FT", "PKD"], ["KD"]]
    (runs[1].path / PREDICTIONS).unlink()  # what is not known speaks for no other set
    assert [len(table.runs) for table in compare(runs)] == [3]


def test_a_named_baseline_need_not_stand_in_every_table() -> None:
    other = plain_record()["task"] | {"name": "rte"}
    tables = compare([run("KD"), run("MixKD"), run("PKD", task=other)], baseline="MixKD")
    assert [row.role for row in tables[0].rows] == ["teacher", "baseline", "student"]
    assert [row.role for row in tables[1].rows] == ["teacher", "student"]


def language(name: str, seed: int = 0, *, taught: bool = True, **changes: object) -> RunFolder:
    metrics = ["nats", "accuracy_of_tokens", *(["agreement"] if taught else [])]
    task = plain_record()["task"] | {"kind": "language", "labels": [], "metrics": metrics}
    scores = {"nats": 2.0, "accuracy_of_tokens": 0.6} | ({"agreement": 0.7} if taught else {})
    alone = {} if taught else {"teacher": None, "teacher_metrics": None}
    facts = {"task": task, "metrics": {"dev": scores}, "teacher_metrics": {"dev": scores}, **alone}
    return run(name, seed, **facts | changes)


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
