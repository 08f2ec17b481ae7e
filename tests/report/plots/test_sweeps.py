import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import count, product
from pathlib import Path
from typing import Any

from lmdistill.analysis.compare import compare
from lmdistill.records.record import RecordedRun, find_records
from lmdistill.report.plots.svg import Plot
from lmdistill.report.plots.sweeps import data_plot, heat_plots
from tests.report.factory import make_record, network, plain_record
from tests.report.studies import cell


def run(root: Path, number: int, accuracy: float, train: int = 6735, **method: Any) -> RecordedRun:
    rows = plain_record()["task"]["rows"] | {"train": train}
    record = make_record(
        "KD",
        accuracy=accuracy,
        task=plain_record()["task"] | {"rows": rows},
        method={"name": "kd", "alpha": 1.0, "warm": True, **method},
    )
    return RecordedRun(path=root / str(number), record=record)


def maps(runs: list[RecordedRun]) -> list[Plot]:
    (table,) = compare(runs)
    return list(heat_plots(table, (f"p{i}" for i in count())))


def test_a_curve_has_a_point_for_each_number_of_training_rows(tmp_path: Path) -> None:
    runs = [run(tmp_path, i, 0.7 + 0.1 * i, train=size) for i, size in enumerate((1000, 100))]
    (table,) = compare(runs)
    plot = data_plot(table, name="a")
    assert plot is not None
    assert plot.table == (("training rows", "KD"), ("100", "80"), ("1000", "70"))
    assert (
        plot.alt == "KD goes from 80 on 100 rows to 70 on 1,000. Error bars: standard deviation over seeds."
    )


def test_other_methods_and_one_size_make_no_curve(tmp_path: Path) -> None:
    different = [run(tmp_path, 0, 0.7, train=100, alpha=0.5), run(tmp_path, 1, 0.8, train=1000)]
    for runs in (different, different[:1]):
        (table,) = compare(runs)
        assert data_plot(table, name="a") is None


def test_two_fields_that_differ_make_a_map(tmp_path: Path) -> None:
    grid = list(product((0.1, 0.5), (1, 2)))
    runs = [run(tmp_path, i, 0.7 + 0.01 * i, alpha=a, parts={"t": t}) for i, (a, t) in enumerate(grid)]
    (plot,) = maps(runs)
    assert plot.table == (
        ("parts.t \\ alpha", "0.1", "0.5"),
        ("1", "70.00", "72.00"),
        ("2", "71.00", "73.00"),
    )
    assert plot.alt == "The mean accuracy is best at alpha 0.5 and parts.t 2: 73.00; the worst is 70.00."
    assert "<image" not in plot.svg


def test_a_map_says_that_its_squares_have_other_numbers_of_seeds(tmp_path: Path) -> None:
    grid = list(enumerate(product((0.1, 0.5), (1, 2))))
    runs = [run(tmp_path, i, 0.7, alpha=a, t=t) for i, (a, t) in grid]
    again = [RecordedRun(path=tmp_path / "again", record=runs[0].record.model_copy(update={"seed": 1}))]
    assert "seeds" not in maps(runs)[0].alt
    assert maps([*runs, *again])[0].alt.endswith(" Cells are means of 1 to 2 seeds.")


def test_one_field_a_third_one_or_a_switch_makes_no_map(tmp_path: Path) -> None:
    assert maps([run(tmp_path, i, 0.7, alpha=a) for i, a in enumerate((0.1, 0.2, 0.3))]) == []
    assert maps([run(tmp_path, i, 0.7, alpha=a, warm=bool(i)) for i, a in enumerate((0.1, 0.2))]) == []
    corners = [(0.1, 1, 1), (0.1, 2, 2), (0.2, 1, 3)]
    runs = [run(tmp_path, i, 0.7, alpha=a, t=t, u=u) for i, (a, t, u) in enumerate(corners)]
    assert maps(runs) == []


def test_rows_of_other_recipes_make_no_map_together(tmp_path: Path) -> None:
    def trained(place: int, alpha: float, beta: int, rate: float) -> RecordedRun:
        method = {"name": "kd", "alpha": alpha, "beta": beta}
        recipe = {"training": {"optimizer": {"learning_rate": rate}, "seed": place}}
        record = make_record("KD", 0, 0.7, method=method, recipe=recipe)
        return RecordedRun(path=tmp_path / str(place), record=record)

    grid = list(enumerate(product((0.1, 0.5), (1, 2))))
    assert maps([trained(place, alpha, beta, alpha / 1e4) for place, (alpha, beta) in grid]) == []
    assert len(maps([trained(place, alpha, beta, 1e-5) for place, (alpha, beta) in grid])) == 1


def test_rows_that_a_study_names_by_their_data_are_one_line(tmp_path: Path) -> None:
    for fraction, rows in ((0.1, 1000), (0.01, 100)):
        for method in ("FT", "TMKD"):
            cell(tmp_path, method, 0.6 + rows / 1e4, fraction=fraction, rows=rows)
    (table,) = compare(find_records([tmp_path]))
    plot = data_plot(table, name="x")
    assert plot is not None
    assert [mark.label for mark in plot.legend] == ["FT", "TMKD"]
    assert plot.table[1:] == (("100", "61", "61"), ("1000", "70", "70"))


def test_maps_say_what_else_is_held(tmp_path: Path) -> None:
    for ratio, sm, tmkd in product((1, 2), (0.5, 1, 2), (0.5, 1)):
        cell(tmp_path, "MixKD", 0.7, ratio=ratio, alpha_sm=sm, alpha_tmkd=tmkd)
    (table,) = compare(find_records([tmp_path]))
    titles = [plot.title for plot in heat_plots(table, map(str, count()))]
    assert "Sensitivity to alpha_sm and alpha_tmkd at ratio 2" in titles
    assert len(titles) == len(set(titles)) == 7


def test_numbers_of_texts_make_a_curve_as_numbers_of_examples_do(tmp_path: Path) -> None:
    runs = []
    for rows in (100, 1000):
        task = plain_record()["task"] | {"rows": {"train": rows, "dev": 200}}
        recipe = {"texts": {"path": "a.jsonl", "rows": rows}, "methods": {"KD": {"name": "kd"}}}
        record = make_record("KD", accuracy=rows / 2000, task=task, recipe=recipe)
        runs.append(RecordedRun(path=tmp_path / str(rows), record=record))
    plot = data_plot(compare(runs)[0], name="x")
    assert plot is not None
    assert plot.table[1:] == (("100", "5"), ("1000", "50"))


def test_a_setting_that_is_a_word_on_one_map_and_a_number_elsewhere_is_said(tmp_path: Path) -> None:
    runs = [
        run(tmp_path, place, 0.7, alpha=alpha, beta=beta, heat="auto")
        for place, (alpha, beta) in enumerate(product((0.1, 0.5), (1, 2)))
    ]
    runs += [run(tmp_path, 4 + heat, 0.7, alpha=0.1, beta=1, heat=heat) for heat in (1, 2)]
    assert [plot.title for plot in maps(runs)] == ["Sensitivity to alpha and beta at heat auto"]


def test_the_fewest_nats_are_the_best_of_a_map(tmp_path: Path) -> None:
    task = plain_record()["task"] | {"kind": "language", "labels": [], "metrics": ["nats"]}
    facts = {"task": task, "teacher_metrics": {"dev": {"nats": 1.5}}, "majority": {}}
    runs = [
        RecordedRun(
            path=tmp_path / str(place),
            record=make_record(
                "ATKD",
                metrics={"dev": {"nats": 2 + place / 10}},
                method={"name": "atkd", "alpha": alpha, "beta": beta},
                **facts,
            ),
        )
        for place, (alpha, beta) in enumerate(product((0.1, 0.5), (1, 2)))
    ]
    (plot,) = maps(runs)
    assert plot.alt == "The mean nats is best at alpha 0.1 and beta 1: 2.000; the worst is 2.300."
    assert plot.table[1:] == (("1", "2.000", "2.200"), ("2", "2.100", "2.300"))
    shown = {text.strip() for text in ET.fromstring(plot.svg).itertext()}
    assert {"2.000", "2.100", "2.200", "2.300"} <= shown


def test_two_rows_of_one_size_and_students_of_two_shapes_make_no_curve(tmp_path: Path) -> None:
    few, many, more = (
        run(tmp_path, place, 0.7, train=train) for place, train in enumerate((100, 1000, 1000))
    )
    twin = more.record.model_copy(update={"name": "KD again"})
    small = many.record.model_copy(update={"student": make_record(student=network(2, "small")).student})
    for runs in ([few, many, replace(more, record=twin)], [few, replace(many, record=small)]):
        assert data_plot(compare(runs)[0], name="a") is None
