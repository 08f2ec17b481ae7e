from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.analysis.compare import compare
from lmdistill.report.plots.pareto import latency_plot, size_plot, undominated
from tests.report.factory import make_record, network, write_run

POINTS = st.lists(
    st.tuples(st.integers(0, 5).map(float), st.integers(0, 5).map(float)), min_size=1, max_size=8
)


@given(POINTS)
def test_something_is_on_the_front_and_everything_else_is_beaten_by_it(
    points: list[tuple[float, float]],
) -> None:
    best = undominated(points)
    front = [point for point, on in zip(points, best, strict=True) if on]
    assert front
    for (cost, quality), on in zip(points, best, strict=True):
        beaten = any(x <= cost and y >= quality and (x, y) != (cost, quality) for x, y in front)
        assert beaten != on


def test_the_cheapest_and_the_best_are_on_the_front() -> None:
    assert undominated([(3.0, 0.9), (1.0, 0.7), (2.0, 0.6), (1.0, 0.65)]) == (True, True, False, False)
    assert undominated([(1.0, 0.5), (1.0, 0.5)]) == (True, True)


def test_pictures_and_tables_say_the_same(tmp_path: Path) -> None:
    runs = [
        write_run(
            tmp_path,
            make_record(name, seed, accuracy + 0.01 * seed, student=network(layers, f"{name}{seed}")),
        )
        for name, layers, accuracy in [("FT", 3, 0.8), ("KD", 2, 0.85), ("PKD", 4, 0.84)]
        for seed in (0, 1)
    ]
    (table,) = compare(runs)
    plot = latency_plot(table, name="a")
    assert plot is not None
    assert [line[0] for line in plot.table[1:]] == ["Teacher", "FT", "KD", "PKD"]
    assert {line[0]: line[-1] for line in plot.table[1:]} == {
        "Teacher": "yes",
        "FT": "no",
        "KD": "yes",
        "PKD": "no",
    }
    assert plot.table[3][1:3] == ("4", "85.50")
    assert "Teacher, KD." in plot.alt
    assert [mark.label for mark in plot.legend] == ["1 Teacher", "2 FT", "3 KD", "4 PKD", "Pareto front"]
    sizes = size_plot(table, name="b")
    assert sizes is not None
    assert float(sizes.table[3][1]) == pytest.approx(15.62, abs=0.01)


def test_networks_of_one_shape_share_their_latency(tmp_path: Path) -> None:
    def student(name: str, layers: int, latency: float) -> dict[str, object]:
        found = network(layers, name)
        return found | {"latency": {"1": found["latency"]["1"] | {"p50_ms": latency}}}

    rows = [("FT", 3, 4.0), ("KD", 3, 8.0), ("PKD", 3, 6.5), ("small", 2, 3.0)]
    runs = [
        write_run(tmp_path, make_record(name, 0, 0.8 + layers / 100, student=student(name, layers, latency)))
        for name, layers, latency in rows
    ]
    (table,) = compare(runs)
    plot = latency_plot(table, name="a")
    assert plot is not None
    shown = {line[0]: line[1] for line in plot.table[1:]}
    assert {shown[name] for name in ("FT", "KD", "PKD")} == {"6.5"}
    assert shown["small"] == "3"


def test_a_teacher_has_the_latency_of_all_its_runs(tmp_path: Path) -> None:
    def timed(latency: float) -> dict[str, object]:
        found = network(6, "teacher")
        return found | {"latency": {"1": found["latency"]["1"] | {"p50_ms": latency}}}

    runs = [
        write_run(tmp_path, make_record("KD", seed, teacher=timed(latency)))
        for seed, latency in enumerate((10.0, 12.0, 40.0))
    ]
    (table,) = compare(runs)
    plot = latency_plot(table, name="a")
    assert plot is not None
    assert table.rows[0].cost.latency_ms == 12.0
    assert {line[0]: line[1] for line in plot.table[1:]}["Teacher"] == "12"


def test_rows_of_one_size_have_no_picture(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path, make_record(name, teacher=None, teacher_metrics=None)) for name in ("FT", "KD")
    ]
    (table,) = compare(runs)
    assert size_plot(table, name="a") is None
    assert latency_plot(table, name="b") is None
