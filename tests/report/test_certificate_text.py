"""What is said of a certificate: the numbers that are in it, and no more certainty than there is."""

from dataclasses import replace

import pytest

from lmdistill.report.certificate_text import certificate_grid, deferral_text, promise_text
from tests.serving.tiny_export import certificate

ONE = certificate(0.875)


def test_the_table_has_every_number():
    (row,) = certificate_grid({"onnx": ONE}).rows
    assert row == (
        "onnx",
        "0.875",
        "80.0 [70.0, 90.0]",
        "97.5 (at least 92.34)",
        "90",
        "100 (80 answered)",
        "teacher",
        "2026-11-30",
    )


def test_a_share_below_one_is_not_shown_as_one():
    (row,) = certificate_grid({"onnx": replace(ONE, texts=100_000, answered=90_000, agreed=89_999)}).rows
    assert row[3] == "99.9 (at least 99.99)"
    (row,) = certificate_grid({"onnx": replace(ONE, agreed=80)}).rows
    assert row[3].startswith("100.0 (at least ")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {},
            "it agrees with the teacher on at least 90 % of the texts. This holds for 95 of 100 draws of 100 ",
        ),
        ({"against": "labels"}, "it agrees with the label on at least 90 %"),
        (
            {"agreement": 0.985, "confidence": 0.999},
            "at least 98.5 % of the texts. This holds for 99.9 of 100 draws",
        ),
        ({}, "None of them is known to have trained or chosen the student."),
        ({"unseen": False}, "could not be checked; if they did, it does not hold."),
    ],
)
def test_the_promise_in_words(changes, said):
    assert said in promise_text("onnx", replace(ONE, **changes))
    assert promise_text("onnx", ONE).startswith("Where onnx is confident from 0.875 on, ")


def test_the_cost_of_asking_the_teacher():
    assert deferral_text(ONE, None) == "of 1,000 texts 200 are left to the teacher (100 to 300)"
    assert deferral_text(ONE, 0.02).endswith("(100 to 300), which costs 4 in place of 20 for all of them")
