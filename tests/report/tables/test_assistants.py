import re
from pathlib import Path
from typing import Any

import pytest

from lmdistill.records.record import RecordedRun
from lmdistill.records.schema import ScheduleFacts
from lmdistill.report.grid import Grid
from lmdistill.report.tables.assistants import account, accounts, cost_text, route_text
from tests.report.factory import exhaustive_schedule, make_record, schedule


def facts(**changes: Any) -> ScheduleFacts:
    return ScheduleFacts.model_validate(schedule(**changes))


def candidates(*chosen: tuple[float, int]) -> list[dict[str, Any]]:
    """Two rounds of three, those of `chosen` chosen."""
    rounds = {1: (0.5, 0.25, 0.125), 2: (0.25, 0.125)}
    return [
        {"kept": kept, "round": number, "parameters": 10, "metric": kept, "score": kept,
         "chosen": (kept, number) in chosen}
        for number, sizes in rounds.items()
        for kept in sizes
    ]  # fmt: skip


def table_of(value: dict[str, Any]) -> Grid:
    found = account(make_record(schedule=value))
    assert found is not None
    assert found.table is not None
    return found.table


def test_every_cell_of_the_candidates_by_hand() -> None:
    # parameters: 10,646,784 x 0.3 = 3,194,035; trade-off: 88.9 + 20 x 0.7 = 102.9
    found = table_of(schedule())
    assert found.header == (
        "kept",
        "layer parameters",
        "latency p50, batch 1",
        "f1, %",
        "trade-off × 100",
    )
    lines = {row[0]: row[1:] for row in found.rows}
    assert list(lines) == ["70 %", "60 %", "50 %", "40 %", "30 %, chosen", "20 %", "10 %, student's size"]
    assert lines["30 %, chosen"] == ("3.19 M", "12.0 ms", "88.90", "102.90")
    assert "trade-off: f1 + 0.2 × (1 - kept)." in found.notes


def test_only_columns_that_a_record_fills_are_shown() -> None:
    assert table_of(exhaustive_schedule()).header[-2:] == ("f1, %", "student's f1, %")
    path = [{"kept": 0.5, "parameters": 10, "metric": 0.8, "chosen": True}]
    found = table_of(schedule("path", candidates=path, lam=None, exhaustive=None))
    assert found.header == ("kept", "layer parameters", "f1, %")
    assert not [note for note in found.notes if note.startswith("trade-off")]


def test_rounds_are_told_apart_where_there_are_several() -> None:
    found = table_of(schedule(keep=0.125, candidates=candidates((0.5, 1), (0.25, 2))))
    assert [row[:2] for row in found.rows] == [
        ("50 %, chosen", "1"), ("25 %", "1"), ("12.5 %, student's size", "1"),
        ("25 %, chosen", "2"), ("12.5 %, student's size", "2"),
    ]  # fmt: skip


ROUTES = {
    "one assistant": ({}, "keeps 10 % of the teacher's heads and neurons and learned through the assistant with "
                      "30 % of them, the best of 6 by trade-off score."),
    "two assistants": ({"keep": 0.125, "candidates": candidates((0.5, 1), (0.25, 2))},
                       "through assistants with 50 %, then 25 % of them, each the best of its round"),
    "cut from the joint network": ({"chosen": (0.1,)},
                                   "and neurons and was cut from the joint network without further training."),
    "an assistant, then cut": ({"keep": 0.125, "candidates": candidates((0.5, 1), (0.125, 2))},
                               "with 50 % of them, the best of 2 by trade-off score, and was cut from the joint network"),
    "no assistant": ({"candidates": []}, "keeps 10 % of the teacher's heads and neurons and learned from the "
                     "teacher itself."),
    "layers": ({"keep": 1.0, "candidates": [{"kept": 1 / 3, "parameters": 1, "metric": 0.5, "chosen": True}]},
               "The student learned through the assistant with 33.3 % of the teacher's layers."),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "said"), ROUTES.values(), ids=ROUTES.keys())
def test_the_way_is_one_sentence(changes: dict[str, Any], said: str) -> None:
    text = route_text(facts(**changes))
    assert said in text
    assert len(re.findall(r"\.(?:\s|$)", text)) == 1


def test_the_best_student_is_why_maxidisc_chose() -> None:
    assert "whose student was the best of 6 on dev" in route_text(
        ScheduleFacts.model_validate(exhaustive_schedule())
    )


def test_the_cost_is_compared_with_trying_every_assistant() -> None:
    # 500 / 200 = 2.5; 1000 s = 16.7 min; 400 s = 6.7 min
    assert cost_text(facts()) == (
        "The schedule took 200 teacher-steps and 6.7 min. Trying every assistant in turn (MaxiDisc) would have "
        "taken 500 teacher-steps and about 16.7 min, 2.50 times as much, estimated with the same number of "
        "steps per stage and the same time per teacher-step."
    )
    assert cost_text(facts(exhaustive=None)) == "The schedule took 200 teacher-steps and 6.7 min."
    untimed = {"teacher_steps": 12.5}
    assert cost_text(facts(work=untimed, exhaustive=None)) == "The schedule took 12.5 teacher-steps."
    nothing = cost_text(facts(work={"teacher_steps": 0.0}))
    assert "times as much" not in nothing


def test_a_student_of_the_teacher_itself_has_sentences_and_no_table() -> None:
    found = account(make_record(schedule=schedule("direct", candidates=[], lam=None, exhaustive=None)))
    assert found is not None
    assert found.table is None
    assert "A teacher-step is" in found.sentences[-1]
    assert account(make_record()) is None


def test_the_correlation_of_scores_and_students_is_said_where_there_are_three() -> None:
    found = account(make_record(schedule=exhaustive_schedule()))
    assert found is not None
    # scores rank .975 < .993 < 1.013 < 1.019 < 1.029 < 1.030; students 1, 2.5, 2.5, 4, 6, 5
    assert found.sentences[-1] == (
        "Over 6 assistants, the trade-off (lambda 0.2) and the f1 of their students have a rank correlation "
        "(Spearman) of 0.93."
    )
    without = account(make_record(schedule=schedule()))
    assert without is not None
    assert not [text for text in without.sentences if "Spearman" in text]


def test_several_runs_are_a_line_each_and_runs_without_a_schedule_are_none() -> None:
    runs = [
        RecordedRun(path=Path("a"), record=make_record("MiniDisc", 1, schedule=schedule())),
        RecordedRun(path=Path("b"), record=make_record("FT")),
        RecordedRun(path=Path("c"), record=make_record("Max", schedule=exhaustive_schedule())),
    ]
    found = accounts(runs)
    assert found is not None
    assert found.rows == (
        ("MiniDisc, seed 1", "minidisc", "10 %", "30 %", "200", "6.7 min", "500"),
        ("Max, seed 0", "maxidisc", "10 %", "30 %", "200", "6.7 min", "–"),
    )
    assert accounts(runs[1:2]) is None
