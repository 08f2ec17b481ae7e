"""Metrics that are no percentage, and of which less is better."""

import pytest

from lmdistill.analysis.compare import compare
from lmdistill.analysis.metric_format import MANNERS, metric_format
from lmdistill.records.record import RecordedRun
from lmdistill.report.html import report_html
from lmdistill.report.tables.quality import grid
from tests.report.factory import make_record


def language_run(tmp_path, name, nats, teacher=1.5):
    task = {
        "name": "stories",
        "kind": "language",
        "labels": [],
        "metrics": ["nats", "perplexity"],
        "source": "s",
        "fingerprint": "f",
        "rows": {"train": 10, "dev": 5},
    }
    record = make_record(
        name,
        task=task,
        metrics={"dev": {"nats": nats, "perplexity": 2.0}},
        teacher_metrics={"dev": {"nats": teacher, "perplexity": 1.5}},
        majority={},
        calibration=None,
        teacher_calibration=None,
        risk=None,
        method={"name": "sft" if name == "SFT" else "token_kd"},
        tokens={
            "easy": {"count": 3, "nats": 0.5},
            "hard": {"count": 3, "nats": 3.0},
            "histogram": [3, 0, 0, 3],
        },
        written={"distinct_1": 0.5, "length": 12.0},
    )
    return RecordedRun(path=tmp_path / name, record=record)


@pytest.fixture
def runs(tmp_path):
    return [
        language_run(tmp_path, "SFT", 2.5),
        language_run(tmp_path, "KD", 2.0),
        language_run(tmp_path, "worse", 3.0),
    ]


def test_the_way_from_the_baseline_to_the_teacher_goes_down(runs):
    (table,) = compare(runs)
    rows = {row.label: row for row in table.rows}
    assert rows["SFT"].role == "baseline"
    assert rows["KD"].closed == pytest.approx(0.5)
    assert rows["worse"].closed == pytest.approx(-0.5)


def test_numbers_are_written_in_their_manner(runs):
    (table,) = compare(runs)
    found = grid(table)
    assert found.header[1:3] == ("nats per token", "perplexity")
    assert {row[0]: row[1] for row in found.rows}["KD"] == "2.000 ‡"
    assert "5 dev passages" in found.caption


def test_a_ratio_of_nats_is_no_share_of_the_teacher(runs):
    (table,) = compare(runs)
    assert all(row.kept is None for row in table.rows)
    assert "score, % of teacher" not in grid(table).header


def test_the_page_names_the_lowest_and_shows_uncertainty_and_writing(runs):
    page = report_html(runs)
    assert "KD</a> has 2.000 nats per token, 0.500 more than the teacher" in page
    assert "Uncertainty" in page
    assert "hard tokens: nats" in page
    assert "generated text: distinct-1, %" in page


@pytest.mark.parametrize("name", MANNERS)
def test_no_value_is_a_dash(name):
    assert metric_format(name).text(None) == "–"
