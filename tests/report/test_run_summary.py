from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.records.record import Record, RecordedRun
from lmdistill.report.run_summary import MANY, listed, run_summary
from tests.report.factory import make_record, network, plain_record, schedule
from tests.report.language_factory import write_language_run


def said(*records: Record) -> str:
    return " ".join(
        run_summary([RecordedRun(path=Path(f"run-{i}"), record=one) for i, one in enumerate(records)])
    )


def rows(train: int) -> dict[str, object]:
    return plain_record()["task"] | {"rows": {"train": train, "dev": 200}}


def test_what_the_names_of_all_runs_hold_is_said_once_and_many_teachers_are_counted() -> None:
    records = [
        make_record(
            f"{name} layers=3",
            method={"name": kind},
            teacher=network(6, f"teacher-{task}"),
            task=rows(10) | {"name": task},
        )
        for name, kind in (("FT", "finetune"), ("KD", "kd"))
        for task in ("rte", "mrpc")
    ]
    text = said(*records)
    assert text.startswith("4 runs compare FT (finetune) and KD. They share: layers=3; ")
    assert "teacher 6 layers and 22.71 M parameters (2 networks); student" in text
    assert "teacher-rte" not in text


def test_a_run_says_who_learned_what_from_whom_and_how_long() -> None:
    assert said(make_record(changed={"alpha": 1.0})) == (
        "A student of 3 layers and 17.39 M parameters was trained on sst2 with a teacher of 6 layers and "
        "22.71 M parameters (runs/teacher), by MixKD (alpha 1.0); all other settings of the method have their "
        "defaults. Training took 600 steps (3 epochs) on 6,735 training examples with seed 0, and the student "
        "was evaluated on 200 dev examples."
    )


def test_only_what_differs_from_the_defaults_is_named_where_that_is_known() -> None:
    method = {"name": "pkd", "beta": 10.0, "kd": {"alpha": 0.5, "temperature": 4.0}}
    text = said(make_record("PKD", method=method, changed={"kd": {"temperature": 4.0}}))
    assert "by PKD (kd.temperature 4.0); all other" in text
    text = said(make_record("PKD", method=method, changed={}))
    assert "by PKD; all other settings of the method have their defaults" in text
    text = said(make_record("PKD", method=method))
    assert "by PKD (beta 10.0, kd.alpha 0.5, kd.temperature 4.0)." in text


def test_a_label_of_its_own_names_the_method_behind_it() -> None:
    assert "by ours (mixkd, alpha 1.0)." in said(make_record("ours"))


def test_what_is_missing_is_not_said() -> None:
    assert "was trained on sst2 without a teacher, by FT (finetune, alpha 1.0)." in said(
        make_record("FT", teacher=None, teacher_metrics=None)
    )
    task = plain_record()["task"] | {"rows": {}}
    text = said(make_record(task=task))
    assert "an unknown number of training examples" in text
    assert "evaluated" not in text


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ({"data": {"fraction": 0.1, "rows": None}}, "6,735 training examples (from 10 % of the data) with"),
        ({"data": {"fraction": 1.0, "rows": 6735}}, "6,735 training examples sampled from a larger set with"),
        ({"data": {"fraction": 1.0, "rows": None}}, "6,735 training examples with"),
        ({"data": "odd"}, "6,735 training examples with"),
    ],
)
def test_the_share_of_the_data_is_that_of_the_recipe(recipe: dict[str, object], expected: str) -> None:
    assert expected in said(make_record(recipe=recipe))


def test_a_schedule_and_what_it_keeps_are_named() -> None:
    text = said(make_record("KD", schedule=schedule()))
    assert "parameters (10 % of the teacher's heads and neurons) was trained" in text
    assert "by KD (alpha 1.0) with the schedule minidisc." in text


def test_folders_of_the_machine_are_not_named() -> None:
    text = said(make_record(teacher=network(6, "t") | {"source": "/opt/models/bert"}))
    assert "(bert)" in text
    assert "/opt" not in text


def test_language_models_learn_passages(tmp_path: Path) -> None:
    text = " ".join(run_summary([write_language_run(tmp_path)]))
    assert "2,000 training passages" in text
    assert "40 dev passages" in text
    assert "completions.student 1.0" in text


def test_one_epoch_is_singular() -> None:
    training = plain_record()["training"]
    assert " steps (1 epoch) on " in said(make_record(training=training | {"epochs": 1.0}))


def test_several_runs_say_what_they_share_and_in_what_they_differ() -> None:
    records = [make_record(name, seed) for name in ("FT", "KD") for seed in (0, 1)]
    assert said(*records) == (
        "4 runs compare FT (finetune, alpha 1.0) and KD (alpha 1.0). They share: task sst2; teacher 6 layers "
        "and 22.71 M parameters (runs/teacher); student 3 layers and 17.39 M parameters; data 6,735 training "
        "examples; training 600 steps (3 epochs). They differ in: seed (0 or 1)."
    )


def test_a_setting_that_differs_is_told_once_with_all_its_values() -> None:
    methods = [{"name": "pkd", "alpha": alpha, "beta": 1} for alpha in (0.1, 0.5, 0.1)]
    text = said(*(make_record("PKD", seed, method=one) for seed, one in enumerate(methods)))
    assert text.startswith("3 runs of PKD (beta 1).")
    assert "alpha (0.1 or 0.5)" in text
    assert text.count("0.5") == 1


SEEDS, SIZES, DEPTHS = st.integers(0, 2), st.sampled_from([100, 1000]), st.sampled_from([2, 3])


@given(st.lists(st.tuples(SEEDS, SIZES, DEPTHS), min_size=2, max_size=5))
def test_each_fact_is_shared_or_differs_and_never_both(runs: Sequence[tuple[int, int, int]]) -> None:
    text = said(
        *(
            make_record("KD", seed, task=rows(size), student=network(layers, f"{seed}-{size}-{layers}"))
            for seed, size, layers in runs
        )
    )
    shared, _, differing = text.partition("They differ in: ")
    for place, name in enumerate(("seed", "data", "student")):
        alike = len({run[place] for run in runs}) == 1
        assert (f"; {name} " in shared, f"{name} (" in differing) == (alike, not alike)


@given(st.lists(st.text(alphabet="abc", min_size=1), min_size=1, max_size=20))
def test_a_long_list_is_cut_and_counted(items: list[str]) -> None:
    text = listed(items)
    if len(items) > MANY + 1:
        assert text.endswith(f" and {len(items) - MANY} more")
    else:
        assert text.replace(" and ", ", ").split(", ") == items


def test_what_the_label_holds_is_not_said_again_and_the_run_of_the_teacher_is_its_teacher() -> None:
    teacher = network(6, "teacher") | {"source": "/data/runs/sst2-teacher/student"}
    learners = [
        make_record(
            f"MixKD alpha_sm={weight:g}", method={"name": "mixkd", "alpha_sm": weight}, teacher=teacher
        )
        for weight in (1.0, 0.5)
    ]
    own = make_record("teacher", kind="finetune", student=teacher, teacher=None)
    text = said(*learners, own)
    assert text.startswith(
        "2 runs compare MixKD alpha_sm=1 and MixKD alpha_sm=0.5. They share: task sst2; teacher"
    )
    assert "(sst2-teacher); student" in text
    assert said(learners[0], own) == said(learners[0])


ANSWERS = {
    "source": "runs/answers.jsonl", "fingerprint": "f", "kind": "probabilities", "texts": 90, "answered": 80, "unanswered": 10,
}  # fmt: skip


def test_a_file_that_taught_is_named_and_texts_without_labels_are_counted() -> None:
    task = plain_record()["task"] | {"unlabelled_rows": 1200}
    text = said(make_record("KD", task=task, teacher=None, answers=ANSWERS))
    assert "with a teacher's answers in runs/answers.jsonl (probabilities), by KD" in text
    assert "without a teacher" not in text
    assert "6,735 training examples and 1,200 texts without labels" in text
    several = said(*(make_record(name, teacher=None, answers=ANSWERS) for name in ("FT", "KD")))
    assert "teacher answers in runs/answers.jsonl (probabilities)" in several
