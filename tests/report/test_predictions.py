import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from lmdistill.report.predictions import (
    PREDICTIONS,
    Prediction,
    paired_test,
    read_predictions,
    write_predictions,
)
from lmdistill.report.record import RunFolder
from tests.report.factory import answers, make_record, plain_record, write_run


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


def test_rows_are_aligned_by_example_and_not_by_line(tmp_path: Path) -> None:
    # ours is right on examples 0 to 6, theirs on 0 and 1: five better, none worse, p = 2 / 2^5
    ours = write_run(tmp_path, make_record("KD"), right=[True] * 7 + [False], num_steps=1)
    theirs = write_run(tmp_path, make_record("FT"), right=[True] * 2 + [False] * 6, num_steps=1)
    assert paired_test([ours], [theirs]) == pytest.approx(2 / 32)
    lines = (theirs.path / PREDICTIONS).read_text(encoding="utf-8").splitlines(keepends=True)
    (theirs.path / PREDICTIONS).write_text("".join(reversed(lines)), encoding="utf-8")
    assert paired_test([ours], [theirs]) == pytest.approx(2 / 32)


def test_seeds_are_paired_by_number(tmp_path: Path) -> None:
    def runs(name: str, seeds: list[int], hits: int) -> list[RunFolder]:
        right = [True] * hits + [False] * (8 - hits)
        return [write_run(tmp_path, make_record(name, seed), right=right, num_steps=1) for seed in seeds]

    ours, theirs = runs("KD", [0, 1, 2], 8), runs("FT", [1, 3], 2)
    assert paired_test(ours, theirs) == pytest.approx(2 / 64)
    assert paired_test(ours[2:], theirs) is None


def test_other_examples_or_none_cannot_be_tested(tmp_path: Path) -> None:
    ours = write_run(tmp_path, make_record("KD"), right=[True] * 8, num_steps=1)
    theirs = write_run(tmp_path, make_record("FT"), right=[True] * 7, num_steps=1)
    assert paired_test([ours], [theirs]) is None
    (theirs.path / PREDICTIONS).unlink()
    assert paired_test([ours], [theirs]) is None
    assert paired_test([theirs], [ours]) is None


def test_scores_are_tested_by_resampling_the_headline_metric(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    labels = draw.normal(size=100)
    task = plain_record()["task"] | {"kind": "regression", "labels": [], "metrics": ["spearman"]}
    runs = []
    for name, noise in (("KD", 0.1), ("FT", 3.0)):
        scores = labels + noise * draw.normal(size=100)
        found = float(stats.spearmanr(labels, scores)[0])
        record = make_record(name, task=task, metrics={"dev": {"spearman": found}})
        runs.append(write_run(tmp_path, record, num_steps=1))
        rows = [
            Prediction(example=i, split="dev", label=float(label), student=(float(score),))
            for i, (label, score) in enumerate(zip(labels, scores, strict=True))
        ]
        write_predictions(runs[-1].path / PREDICTIONS, rows)
    p_value = paired_test([runs[0]], [runs[1]])
    assert p_value is not None
    assert p_value < 0.01
    assert paired_test([runs[0]], [runs[0]]) == 1.0
