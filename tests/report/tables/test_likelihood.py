import json
from pathlib import Path

import pytest

from lmdistill.analysis.compare import compare
from lmdistill.records.disagreements import DISAGREEMENTS, most_unlike
from lmdistill.records.predictions import PREDICTIONS, Prediction, read_predictions, write_predictions
from lmdistill.records.record import RecordedRun, find_records, read_record
from lmdistill.report.html import report_html
from lmdistill.report.quotes import quotes
from lmdistill.report.tables.likelihood import likelihoods
from tests.record_files import edited_record
from tests.report.factory import make_record, network, write_run
from tests.report.language_factory import NUM_TEXTS, write_language_run


def text(example: int, tokens: int, student: float, teacher: float | None, length: int = 9) -> Prediction:
    sums = None if teacher is None else (teacher,)
    return Prediction(
        example=example, split="dev", label=tokens, student=(student,), teacher=sums, tokens=length
    )


def with_answers(root: Path, rows: list[Prediction], name: str = "ATKD", seed: int = 0) -> RecordedRun:
    run = write_language_run(root, name, seed, positions=[])
    write_predictions(run.path / PREDICTIONS, rows)
    return run


def test_the_places_add_up_to_the_recorded_total(tmp_path: Path) -> None:
    run = write_language_run(tmp_path)
    answers = read_predictions(run.path / PREDICTIONS)
    total = sum(one.label for one in answers)
    places = run.record.positions
    assert sum(one.count for one in places) == total
    for of_teacher, scores in ((False, run.record.metrics), (True, run.record.teacher_metrics)):
        nats = scores["dev"]["nats"]
        by_place = sum(one.count * (one.teacher_nats if of_teacher else one.nats) for one in places)
        assert by_place / total == pytest.approx(nats)
        by_text = sum((one.teacher if of_teacher else one.student)[0] for one in answers)
        assert by_text / total == pytest.approx(nats)


def test_the_lines_of_lengths_add_up_to_the_headline(tmp_path: Path) -> None:
    run = write_language_run(tmp_path)
    answers = read_predictions(run.path / PREDICTIONS)
    by_length, by_place = likelihoods(compare([run])[0])
    spans = [tuple(map(int, title.split(" tokens")[0].split(" to "))) for title in by_length.header[1:]]
    tokens = [sum(one.label for one in answers if low <= one.tokens <= high) for low, high in spans]
    counts = [one.count for one in run.record.positions]
    for grid, weights in ((by_length, tokens), (by_place, counts)):
        for line, scores in zip(grid.rows, (run.record.teacher_metrics, run.record.metrics), strict=True):
            mean = sum(float(cell) * weight for cell, weight in zip(line[1:], weights, strict=True))
            assert mean / sum(weights) == pytest.approx(scores["dev"]["nats"], abs=1e-3)
    texts = [int(title.rpartition("(")[2].strip(")")) for title in by_length.header[1:]]
    assert sum(texts) == NUM_TEXTS
    assert [row[0] for row in by_place.rows] == ["Teacher", "ATKD"]


def test_a_long_text_counts_by_its_tokens_and_seeds_count_alike(tmp_path: Path) -> None:
    rows = [text(0, 1, 3.0, 1.0, 2), text(1, 3, 3.0, 2.0, 2), text(2, 2, 8.0, 2.0, 7)]
    more = [text(0, 1, 5.0, 1.0, 2), text(1, 3, 5.0, 2.0, 2), text(2, 2, 9.0, 2.0, 7)]
    runs = [with_answers(tmp_path, rows), with_answers(tmp_path, more, seed=1)]
    (grid,) = likelihoods(compare(runs)[0])
    assert grid.header == ("", "2 tokens (2)", "3 to 7 tokens (1)")
    assert grid.rows == (("Teacher", "0.750", "1.000"), ("ATKD", "2.000", "4.250"))


def test_older_runs_have_no_parts_and_are_reported(tmp_path: Path) -> None:
    new, old = write_language_run(tmp_path, "ATKD"), write_language_run(tmp_path, "SFT")
    with edited_record(old.path) as value:
        del value["positions"], value["changed"]
    lines = [json.loads(line) for line in (old.path / PREDICTIONS).read_text().splitlines()]
    kept = [{name: one[name] for name in ("example", "split", "label", "student")} for one in lines]
    (old.path / PREDICTIONS).write_text("".join(json.dumps(one) + "\n" for one in kept))
    (old.path / DISAGREEMENTS).unlink()
    aged = RecordedRun(path=old.path, record=read_record(old.path))
    assert likelihoods(compare([aged])[0]) == ()
    assert quotes(aged) is None
    assert "SFT" in report_html([aged])
    grids = likelihoods(compare([new, aged])[0])
    assert [[row[0] for row in grid.rows] for grid in grids] == [["Teacher", "ATKD"]] * 2


def test_classifiers_have_no_likelihoods(tmp_path: Path) -> None:
    assert likelihoods(compare([write_run(tmp_path, make_record())])[0]) == ()


def test_texts_that_are_seen_most_differently_come_first() -> None:
    rows = [
        text(0, 10, 30.0, 20.0),
        text(1, 1, 3.0, 5.0),
        text(2, 100, 200.0, 110.0),
        text(3, 5, 9.0, 9.0),
        text(4, 5, 9.0, None),
        text(5, 0, 0.0, 0.0),
        text(6, 2, float("nan"), 1.0),
    ]
    assert [one.example for one in most_unlike(rows)] == [1, 0, 2]
    assert [one.example for one in most_unlike(rows, 2)] == [1, 0]


def test_a_text_is_quoted_with_both_likelihoods_where_it_was_kept(tmp_path: Path) -> None:
    run = with_answers(tmp_path, [text(0, 4, 10.0, 6.0), text(1, 1, 9.0, 1.0)])
    (run.path / DISAGREEMENTS).write_text('{"example": 0, "split": "dev", "texts": ["<b>who</b>", "Anna"]}\n')
    found = quotes(run)
    assert found is not None
    first, second = found.found
    assert (first.title, first.label, first.texts) == ("dev, example 1", "1 scored token", ())
    assert (second.student, second.teacher) == ("2.500 nats per token", "1.500 nats per token")
    assert second.texts == ("<b>who</b>", "Anna")
    page = report_html([run])
    assert "&lt;b&gt;who" in page
    (run.path / DISAGREEMENTS).unlink()
    assert "who" not in report_html([run]).partition("disagree most</h2>")[2].partition("<h2>")[0]


def test_the_page_of_a_language_model_has_every_part(tmp_path: Path) -> None:
    write_language_run(tmp_path)
    page = report_html(find_records([tmp_path]))
    for said in ("by text length", "preceding tokens", "reliability", "uncertainty", "disagree most",
                 "agreement with teacher", "calibration error", "hard tokens: teacher", "lmdistill distill"):  # fmt: skip
        assert said in page, said
    assert "more than the teacher, has 77 % of its parameters" in page


def test_a_teacher_of_many_students_counts_once(tmp_path: Path) -> None:
    runs = []
    for name, seed, teacher, nats in (("KD", 0, "a", 1.0), ("SFT", 0, "a", 1.0), ("ATKD", 1, "b", 4.0)):
        run = write_language_run(tmp_path, name, seed, positions=[], teacher=network(6, teacher))
        rows = [text(0, 1, 5.0, nats, 2), text(1, 1, 5.0, nats, 7)]
        write_predictions(run.path / PREDICTIONS, rows)
        runs.append(run)
    (grid,) = likelihoods(compare(runs)[0])
    assert grid.rows[0] == ("Teacher", "2.500", "2.500")


def test_a_number_that_is_none_is_a_dash(tmp_path: Path) -> None:
    (grid,) = likelihoods(
        compare([with_answers(tmp_path, [text(0, 1, float("nan"), 1.0, 2), text(1, 1, 3.0, 1.0, 7)])])[0]
    )
    assert grid.rows == (("Teacher", "1.000", "1.000"), ("ATKD", "–", "3.000"))
