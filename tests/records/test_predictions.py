import math
from pathlib import Path

import pytest

from lmdistill.core.errors import RunError
from lmdistill.records.predictions import PREDICTIONS, Prediction, read_predictions, write_predictions
from tests.report.factory import answers


def test_predictions_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = [
        *answers([True, False]),
        Prediction(example=7, split="dev_mismatched", label=2.5, student=(0.25,)),
    ]
    write_predictions(tmp_path / PREDICTIONS, rows)
    assert read_predictions(tmp_path / PREDICTIONS) == rows


def test_a_logit_that_is_no_number_stays_none(tmp_path: Path) -> None:
    row = Prediction(example=0, split="dev", label=0, student=(math.nan, 1.0))
    write_predictions(tmp_path / PREDICTIONS, [row])
    assert math.isnan(read_predictions(tmp_path / PREDICTIONS)[0].student[0])


def test_a_file_that_was_cut_or_is_empty_is_refused(tmp_path: Path) -> None:
    path = tmp_path / PREDICTIONS
    write_predictions(path, answers([True] * 9))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(RunError, match=r"predictions\.jsonl was cut, so answers are missing\. Copy it"):
        read_predictions(path)
    for nothing in (b"", b"\n"):
        path.write_bytes(nothing)
        with pytest.raises(
            RunError, match=r"predictions\.jsonl is empty, so all answers are missing\. Copy it"
        ):
            read_predictions(path)
