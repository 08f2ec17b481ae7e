"""The page of an audit: escaped, closed, without scripts, and with what the tests found."""

from dataclasses import replace

import pytest

from lmdistill.analysis.answer_slices import BIN_NAMES
from lmdistill.analysis.drift import HISTOGRAMS, find_drift
from lmdistill.core.errors import RunError
from lmdistill.report.audit_page import audit_html, write_audit_page
from lmdistill.report.audit_report import AuditReport, alarm_text, as_json, changed_most, slice_text
from lmdistill.report.plots.audit import input_plot, week_plot
from lmdistill.report.tables.audit import agreement_grid, agreement_grids, inputs_grid, week_grid
from tests.report.test_html import NASTY, parsed
from tests.serving.tiny_export import certificate


def slices(fallen=95, weeks=5):
    return {
        "all": {"all": (400, 380)},
        "answered": {"answered": (200, 195)},
        "class": {NASTY: (100, fallen), "yes": (300, 290)},
        "length": {"1 to 8 tokens": (300, 290), "9 to 16 tokens": (100, 90)},
        "confidence": {"below 0.5": (5, 5), "0.999 to 1": (395, 375)},
        "week": {f"2026-W{40 + week}": (80, 76) for week in range(weeks)},
    }


def histograms(*, second=100, unknown=20):
    found = {kind: [0] * len(BIN_NAMES[kind]) for kind in HISTOGRAMS}
    found["length"][:3] = [250, second, 50]
    found["confidence"][-2:] = [100, 300]
    found["unknown"] = [400 - unknown, unknown]
    return found


def report_of(*, fallen=95, weeks=5, notes=(), **changed):
    drift = find_drift(
        slices(fallen, weeks),
        histograms(**changed),
        reference_slices=slices(),
        reference_bins=histograms(),
        promised=0.9,
    )
    return AuditReport(
        folder=f"/secret/place/{NASTY.replace('/', '')}",
        graph="onnx",
        certificate=certificate(0.8),
        audit="/secret/place/audit.csv",
        answer_column=NASTY,
        rows=400,
        days=("2026-11-02", "2026-11-29"),
        drift=drift,
        answered_weeks={"2026-W40": (40, 39)},
        notes=notes,
    )


def test_texts_are_shown_and_never_obeyed_and_nothing_is_asked_for():
    text = audit_html(report_of(fallen=40, notes=(NASTY,)))
    page = parsed(text)
    assert "script" not in {tag for tag, _ in page.tags}
    assert (
        sum(NASTY in one for one in page.texts) >= 4
    )  # the class in its table and alarm, the note, the column
    for tag, values in page.tags:
        assert not {"src", "onload", "onclick"} & set(values), tag
        assert (values.get("href") or "#").startswith("#")
    assert "default-src 'none'" in text
    assert "/secret/place" not in text


def test_every_part_of_the_contents_is_there():
    page = parsed(audit_html(report_of()))
    ids = {values.get("id") for _, values in page.tags}
    links = {(values.get("href") or "")[1:] for tag, values in page.tags if tag == "a"}
    assert {"weeks", "slices", "inputs", "compared"} <= links <= ids


def test_an_alarm_is_a_box_and_no_alarm_is_none():
    calm, alarmed = audit_html(report_of()), audit_html(report_of(fallen=40))
    assert 'role="alert"' not in calm
    assert "No alarm in " in calm
    assert 'role="alert"' in alarmed
    assert "1 alarm in " in alarmed


def test_tables_mark_the_alarm_and_what_was_not_tested():
    report = report_of(fallen=40)
    grid = agreement_grid(report)
    by_name = {row[0]: row for row in grid.rows}
    assert by_name[f"class {NASTY}"][1] == "yes"
    assert by_name[f"class {NASTY}"][2].startswith("40.0 % [30.3, 50.3]")
    assert by_name[f"class {NASTY}"][3] == "95.0 % of 100"
    assert {row[1] for name, row in by_name.items() if NASTY not in name} == {""}
    assert by_name["confidence below 0.5"][4] == "–"
    assert by_name["promise for the texts that the student answers itself"][3] == "90.0 % promised"
    of_page = [row for one in (week_grid(report), *agreement_grids(report)) for row in one.rows]
    assert len(of_page) == len(grid.rows)


@pytest.mark.parametrize(
    ("changed", "kind", "bin_name"),
    [({"second": 300}, "length", "9 to 16 tokens"), ({"unknown": 80}, "unknown", "an unknown piece")],
)
def test_inputs_name_the_bin_that_differs_most(changed, kind, bin_name):
    report = report_of(**changed)
    test = next(one for one in report.drift.inputs if one.kind == kind)
    assert changed_most(test)[0] == bin_name
    row = next(row for row in inputs_grid(report).rows if row[2] == bin_name)
    assert row[1] == "yes"
    assert any(f"{100 * changed_most(test)[1]:.1f} % of the texts" in alarm for alarm in report.alarms)


def test_plots_hold_every_week_and_every_bin_with_texts():
    plot = week_plot(report_of(weeks=30), name="w")
    assert len(plot.table) == 31
    assert plot.table[1] == ("2026-W40", "97.5 of 40", "95 of 80")
    assert plot.table[2][1] == "–"
    length = next(one for one in report_of().drift.inputs if one.kind == "length")
    assert [row[0] for row in input_plot(length, title="length", name="x").table[1:]] == [
        "1 to 8 tokens",
        "9 to 16 tokens",
        "17 to 32 tokens",
    ]


def test_sentences_by_hand():
    report = report_of(fallen=40)
    (alarm,) = report.alarms
    assert alarm == (
        f"class {NASTY}: the student agrees with the teacher on 40.0 % of 100 texts, and on 95.0 % of 100 "
        "certification texts of this slice (adjusted p < 0.001)"
    )
    week = replace(report.slices_of("week")[0], adjusted=0.0123)
    assert alarm_text(week, "labels") == (
        "week 2026-W40: the student agrees with the labels on 95.0 % of 80 texts, and on 95.0 % of 400 "
        "certification texts (adjusted p = 0.012)"
    )
    assert slice_text("all", "all") == "all texts"


def test_numbers_for_programs_are_plain():
    found = as_json(report_of(fallen=40))
    assert found["alarm"] is True
    assert [one["name"] for one in found["slices"] if one["alarm"]] == [NASTY]
    promise = found["slices"][0]
    assert (promise["kind"], promise["reference_texts"], promise["expected"]) == ("promise", None, 0.9)
    assert [sum(one["texts"] for one in test["bins"]) for test in found["inputs"]] == [400, 400, 400]


def test_a_folder_is_not_replaced_by_a_page(tmp_path):
    with pytest.raises(RunError, match="is a folder, so no page can be written there"):
        write_audit_page(tmp_path, report_of())
    write_audit_page(tmp_path / "page.html", report_of())
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == audit_html(report_of())
