import math
import re
import xml.etree.ElementTree as ET
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from lmdistill.analysis.compare import compare
from lmdistill.records.calibration_facts import Calibration
from lmdistill.records.history import Evaluation, History, Step
from lmdistill.report.html import TEMPLATES
from lmdistill.report.plots.curves import loss_plot, reliability_plot, score_plot, smoothed
from lmdistill.report.plots.gallery import curves
from lmdistill.report.plots.svg import COLOURS, INK, Plot
from tests.report.factory import calibration, make_record, network, write_run


def history(num_steps: int = 10) -> History:
    return History(
        steps=tuple(
            Step(step=i, loss=3.0 / i, parts={"label": 1.0 / i, "teacher": 2.0 / i})
            for i in range(1, num_steps + 1)
        ),
        evaluations=(
            Evaluation(step=5, scores={"accuracy": 0.7}),
            Evaluation(step=10, scores={"accuracy": math.nan}),
            Evaluation(step=15, scores={"accuracy": 0.8}),
        ),
    )


def plots() -> list[Plot]:
    bins = Calibration.model_validate(calibration(0.05))
    found = [
        loss_plot(history(), name="a"),
        score_plot({"KD": [history()]}, "accuracy", name="b", teacher=0.9, majority=0.68),
        reliability_plot(bins, bins, name="c"),
    ]
    assert None not in found
    return [plot for plot in found if plot is not None]


def test_pictures_are_well_formed_and_refer_only_to_themselves() -> None:
    for plot in plots():
        root = ET.fromstring(plot.svg)
        names = {node.get("id") for node in root.iter()} - {None}
        text = plot.svg
        assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text)) <= {(n, "") for n in names} | {
            ("", n) for n in names
        }
        assert "http" not in text
        assert "<style" not in text


def test_pictures_share_no_id() -> None:
    names = [name for plot in plots() for name in re.findall(r'\bid="([^"]+)"', plot.svg)]
    assert len(names) > 6
    assert len(names) == len(set(names))


def test_pictures_use_the_ink_of_the_page() -> None:
    for plot in plots():
        assert "currentColor" in plot.svg
        assert INK not in plot.svg


def test_the_same_history_gives_the_same_bytes() -> None:
    assert loss_plot(history(), name="a") == loss_plot(history(), name="a")


def test_every_term_and_their_sum_are_in_the_legend() -> None:
    plot = loss_plot(history(), name="a")
    assert plot is not None
    assert [mark.label for mark in plot.legend] == ["sum", "label", "teacher"]
    assert plot.alt == "The loss goes from 3 to 0.3 in 10 steps."


def test_a_long_curve_does_not_make_a_large_picture() -> None:
    short, long = loss_plot(history(200), name="a"), loss_plot(history(20_000), name="a")
    assert short is not None
    assert long is not None
    assert len(long.svg) < 1.5 * len(short.svg)
    assert "mean of about 100 steps" in long.alt


def test_smoothing_keeps_the_mean() -> None:
    values = np.arange(1000.0)
    assert len(smoothed(values)) == 200
    assert smoothed(values).mean() == pytest.approx(values.mean())


def test_the_teacher_and_a_near_constant_prediction_are_level_lines() -> None:
    near = score_plot({"KD": [history()]}, "accuracy", name="b", teacher=0.9, majority=0.68)
    far = score_plot({"KD": [history()]}, "accuracy", name="b", teacher=0.9, majority=0.5)
    assert near is not None
    assert far is not None
    assert [mark.label for mark in near.legend] == ["KD", "teacher", "constant prediction"]
    assert [mark.label for mark in far.legend] == ["KD", "teacher"]
    assert near.alt == "KD ends at 80.00; the teacher scores 90.00; the constant prediction scores 68.00."


def test_nothing_to_show_is_no_picture() -> None:
    assert loss_plot(History(), name="a") is None
    assert score_plot({"KD": [History()]}, "accuracy", name="b") is None
    assert reliability_plot(Calibration(ece=None, brier=None, nll=None), None, name="c") is None


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_colour_stands_out_on_both_pages() -> None:
    pages = re.findall(r"--page: (#\w{6})", (TEMPLATES / "style.html.j2").read_text(encoding="utf-8"))
    assert len(pages) == 2
    for colour in COLOURS:
        for page in pages:
            low, high = sorted((luminance(colour), luminance(page)))
            assert (high + 0.05) / (low + 0.05) >= 3, f"{colour} on {page}"


def test_words_know_what_is_no_number() -> None:
    whole = History(evaluations=(Evaluation(step=1, scores={"accuracy": 0.8}),))
    gone = History(evaluations=(Evaluation(step=1, scores={"accuracy": math.nan}),))
    found = score_plot({"KD": [whole, gone], "FT": [gone]}, "accuracy", name="a")
    assert found is not None
    assert found.alt == "KD ends at 80.00; FT ends at a non-finite value."
    steps = (
        Step(step=1, loss=0.5, parts={"label": 0.5}),
        Step(step=2, loss=math.nan, parts={"label": math.nan}),
    )
    lost = loss_plot(History(steps=steps), name="b")
    assert lost is not None
    assert lost.alt == "The loss goes from 0.5 to a non-finite value in 2 steps."


def test_of_several_teachers_none_is_the_level(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / str(layers), make_record("KD", seed, teacher=network(layers, str(layers))))
        for seed, layers in enumerate((6, 12))
    ]
    words = [
        next(plot.alt for _, plot in curves(table, map(str, count())) if plot.title.startswith("Dev"))
        for (table,) in (compare(runs), compare(runs[:1]))
    ]
    assert ["the teacher scores" in alt for alt in words] == [False, True]
