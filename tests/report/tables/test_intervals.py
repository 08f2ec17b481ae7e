from dataclasses import replace
from pathlib import Path

import pytest
from scipy.stats import binomtest

from lmdistill.analysis.compare import compare
from lmdistill.analysis.number_format import p_text
from lmdistill.records.record import RecordedRun
from lmdistill.report.html import report_html
from lmdistill.report.tables.intervals import certainty
from lmdistill.report.tables.quality import as_data, grid
from tests.report.factory import make_record, plain_record, write_run

VALUES = {"FT": 0.80, "KD": 0.83, "MixKD": 0.86}


@pytest.fixture
def runs(tmp_path: Path) -> list[RecordedRun]:
    """Three methods under two seeds, one point apart."""
    return [
        write_run(tmp_path, make_record(name, seed, value + seed / 100), num_steps=1)
        for name, value in VALUES.items()
        for seed in (0, 1)
    ]


def test_the_table_has_an_interval_for_every_number(runs: list[RecordedRun]) -> None:
    (table,) = compare(runs)
    found = certainty(table)
    assert found is not None
    assert found.header == (
        "", "accuracy, %", "difference to FT", "difference, of 200 examples", "paired seeds",
        "p", "p, Holm", "p, examples only", "score, % of teacher", "gap closed, %",
    )  # fmt: skip
    lines = {line[0]: dict(zip(found.header, line, strict=True)) for line in found.rows}
    assert list(lines) == ["FT", "KD", "MixKD"]
    # 83.5 with a deviation of 0.71 over two seeds: 12.706 * 0.71 / sqrt(2) = 6.35 on both sides
    assert lines["KD"]["accuracy, %"] == "83.50 [77.15, 89.85]"
    assert lines["MixKD"]["difference to FT"].startswith("+6.00 [")
    assert lines["MixKD"]["difference, of 200 examples"] == "+12.0"
    assert lines["MixKD"]["paired seeds"] == "2"
    assert lines["MixKD"]["score, % of teacher"].startswith(
        "86.50 ["
    )  # of a teacher whose answers are all right
    # it is right everywhere: from 80.5 to 100 are 19.5 points, and MixKD has gone 6 of them
    assert lines["MixKD"]["gap closed, %"].startswith("30.77 [")
    assert lines["FT"]["difference to FT"] == lines["FT"]["p"] == "–"
    assert any(note.startswith("p: paired t test of accuracy") for note in found.notes)
    assert any("two seeds" in note for note in found.notes)


def test_six_examples_that_are_answered_alike_say_little_and_a_score_without_scatter_has_no_interval(
    tmp_path: Path,
) -> None:
    right = [place % 3 > 0 for place in range(6)]
    for metric, shown in (("accuracy", "+0.00 [-31.60, +31.60]"), ("f1", "+0.00")):
        # of accuracy: eight differences of six zeros and two of 0.5 ** 0.5, sd 0.378, t with 7 df 2.365
        task = plain_record()["task"] | {"metrics": [metric]}
        runs = [
            write_run(
                tmp_path / metric,
                make_record(name, task=task, metrics={"dev": {metric: 0.66}}),
                right=right,
                num_steps=1,
            )
            for name in ("FT", "KD")
        ]
        (table,) = compare(runs)
        found = certainty(table)
        assert found is not None
        line = dict(zip(found.header, found.rows[1], strict=True))
        assert (line["difference to FT"], line["p"]) == (shown, "1.000")


def test_no_interval_goes_beyond_what_a_score_can_be(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, make_record("FT", seed, 0.85 + seed / 10), num_steps=1) for seed in (0, 1)]
    (table,) = compare(runs)
    found = certainty(table)
    assert found is not None
    assert (
        found.rows[0][found.header.index("accuracy, %")] == "90.00 [26.47, 100.00]"
    )  # 12.706 * 7.07 / sqrt(2)


def test_seeds_that_are_equally_good_by_chance_have_no_interval_of_their_mean(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, make_record("FT", seed, 0.7), num_steps=1) for seed in (0, 1)]
    (table,) = compare(runs)
    found = certainty(table)
    assert found is not None
    assert "accuracy, %" not in found.header


def test_the_first_table_has_the_corrected_p_and_says_so(tmp_path: Path) -> None:
    # examples that the method alone has right, and those that the baseline alone has: 14 to 4, and 12 to 4
    right = {
        "FT": [i >= 14 for i in range(200)],
        "MixKD": [not 14 <= i < 18 for i in range(200)],
        "KD": [i >= 2 and not 14 <= i < 18 for i in range(200)],
    }
    (table,) = compare(
        [write_run(tmp_path, make_record(name), right=hits, num_steps=1) for name, hits in right.items()]
    )
    first, second = grid(table), certainty(table)
    assert second is not None
    shown = {row[0]: row[first.header.index("p against FT")] for row in first.rows}
    alone = [binomtest(better, better + 4).pvalue for better in (14, 12)]
    assert shown["MixKD"] == p_text(2 * alone[0])
    assert shown["KD"] == p_text(max(2 * alone[0], alone[1]))
    corrected = {row[0]: row[second.header.index("p, Holm")] for row in second.rows}
    assert [corrected[name] for name in ("MixKD", "KD")] == [shown[name] for name in ("MixKD", "KD")]
    raw = {row[0]: row[second.header.index("p")] for row in second.rows}
    assert (raw["MixKD"], raw["KD"]) == (p_text(alone[0]), p_text(alone[1]))
    assert any("Holm's correction for 2 comparisons" in note for note in first.notes)
    assert "One point of accuracy is 2.0 of 200 dev examples." in first.notes


def test_each_p_stands_in_a_column_of_its_own(runs: list[RecordedRun]) -> None:
    (table,) = compare(runs)
    row = table.rows[-1]
    told = replace(row, evidence=replace(row.evidence, p_value=0.02, p_holm=0.03, p_runs=0.004))
    found = certainty(replace(table, rows=(*table.rows[:-1], told)))
    assert found is not None
    line = dict(zip(found.header, found.rows[-1], strict=True))
    shown = [line[title] for title in ("p", "p, Holm", "p, examples only")]
    assert shown == [p_text(value) for value in (0.02, 0.03, 0.004)]


def test_one_seed_says_for_what_p_holds(runs: list[RecordedRun]) -> None:
    (table,) = compare([run for run in runs if run.record.seed == 0])
    found = certainty(table)
    assert found is not None
    assert "p, examples only" not in found.header
    assert "accuracy, %" not in found.header
    text = " ".join(found.notes)
    assert "not for other seeds" in text
    assert "seeds and dev" not in text


def test_a_single_comparison_needs_no_correction(runs: list[RecordedRun]) -> None:
    (table,) = compare([run for run in runs if run.record.name != "KD"])
    found = certainty(table)
    assert found is not None
    assert "p, Holm" not in found.header
    assert "Holm" not in " ".join(found.notes)


def test_without_seeds_and_answers_there_is_no_such_table() -> None:
    (table,) = compare([RecordedRun(path=Path("nowhere"), record=make_record())])
    assert certainty(table) is None


def test_the_page_has_it_and_the_data_too(runs: list[RecordedRun]) -> None:
    page = report_html(runs)
    assert "Confidence intervals and tests" in page
    (table,) = compare(runs)
    (line,) = (line for line in as_data(table) if line["name"] == "MixKD")
    assert line["difference"]["low"] < line["difference"]["value"] < line["difference"]["high"]
    assert line["p_value"] <= line["p_holm"]
    assert line["share_kept_interval"][0] < 0.865 < line["share_kept_interval"][1]


def test_making_it_twice_gives_the_same(runs: list[RecordedRun]) -> None:
    assert certainty(compare(runs)[0]) == certainty(compare(runs)[0])
