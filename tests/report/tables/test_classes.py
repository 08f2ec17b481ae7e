"""Tables of precision, recall and F1 by class."""

from typing import Any

from lmdistill.analysis.compare import compare
from lmdistill.report.model_card import model_card
from lmdistill.report.tables.classes import MOST_CLASSES, class_tables
from tests.report.factory import make_record, plain_record
from tests.report.fake_records import run

NAMES = ("negative", "positive")


def facts(*f1: float, predicted: int = 3) -> list[dict[str, Any]]:
    names = NAMES if len(f1) == 2 else tuple(f"c{number}" for number in range(len(f1)))
    return [
        {"label": name, "precision": 0.5, "recall": 0.25, "f1": one, "support": 7, "predicted": predicted}
        for name, one in zip(names, f1, strict=True)
    ]


def test_a_line_has_the_means_over_seeds_of_one_class_and_row() -> None:
    runs = [
        run("KD", 0, classes={"dev": facts(0.4, 0.8)}, teacher_classes={"dev": facts(0.9, 1.0)}),
        run("KD", 1, classes={"dev": facts(0.6, 0.8, predicted=4)}, teacher_classes={"dev": facts(0.9, 1.0)}),
        run("FT", 0, classes={}),
    ]
    (grid,) = class_tables(compare(runs)[0])
    assert grid.header == ("", "precision, %", "recall, %", "F1, %", "examples", "predicted")
    assert grid.rows == (
        ("Teacher: negative", "50.00", "25.00", "90.00", "7", "3"),
        ("Teacher: positive", "50.00", "25.00", "100.00", "7", "3"),
        ("KD: negative", "50.00", "25.00", "50.00", "7", "3.5"),
        ("KD: positive", "50.00", "25.00", "80.00", "7", "3.5"),
    )


def test_older_records_have_no_table() -> None:
    assert class_tables(compare([run("KD")])[0]) == ()


def test_of_many_classes_those_with_the_lowest_f1_are_shown_in_order() -> None:
    f1 = [0.5 + (number % 7) / 100 for number in range(MOST_CLASSES + 3)]
    task = plain_record()["task"] | {"labels": [f"c{number}" for number in range(len(f1))]}
    (grid,) = class_tables(compare([run("KD", task=task, classes={"dev": facts(*f1)})])[0])
    left_out = {f"KD: c{number}" for number in (6, 13, 12)}  # the highest; the later one of two equals
    assert [line[0] for line in grid.rows] == [
        name for number in range(len(f1)) if (name := f"KD: c{number}") not in left_out
    ]
    assert grid.notes == (
        f"The 12 of {len(f1)} classes with the lowest F1 of each row; record.json has all.",
    )


def test_a_model_card_has_the_scores_by_class() -> None:
    card = model_card(make_record(classes={"dev": facts(0.4, 0.8)}))
    assert "## Classes" in card
    assert "| negative | 50.00 | 25.00 | 40.00 | 7 | 3 |" in card
    assert "## Classes" not in model_card(make_record())
