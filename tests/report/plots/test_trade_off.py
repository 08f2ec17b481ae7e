import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from lmdistill.records.schema import Candidate, ScheduleFacts
from lmdistill.report.plots.svg import INK, Plot
from lmdistill.report.plots.trade_off import trade_off_plot
from tests.report.factory import exhaustive_schedule, schedule


def candidate(kept: float, **changes: Any) -> Candidate:
    return Candidate.model_validate({"kept": kept, "parameters": 1, "metric": 0.5, **changes})


def plot_of(value: dict[str, Any]) -> Plot:
    found = trade_off_plot(ScheduleFacts.model_validate(value), name="a")
    assert found is not None
    return found


def test_the_picture_is_in_words_and_the_choice_is_too() -> None:
    found = plot_of(schedule())
    assert [mark.label for mark in found.legend] == ["f1", "trade-off", "chosen"]
    assert found.alt == (
        "The f1 goes from 91.50 at 70 % kept to 86.70 at 10 %; the trade-off is highest at 10 % (104.70); "
        "chosen: 30 %."
    )
    assert "chosen" in "".join(ET.fromstring(found.svg).itertext())


def test_lines_differ_in_more_than_colour() -> None:
    several = [
        {**one, "round": number} for number in (1, 2) for one in schedule()["candidates"] if one["kept"] < 0.6
    ]
    found = plot_of(schedule(candidates=several))
    assert [mark.label for mark in found.legend] == [
        "f1, round 1", "trade-off, round 1", "f1, round 2", "trade-off, round 2", "chosen",
    ]  # fmt: skip
    lines = [(mark.colour, mark.dash) for mark in found.legend]
    assert len({dash for _, dash in lines[:4]}) == 4
    assert len(set(lines)) == 5


@pytest.mark.parametrize(
    ("value", "rings"), [(schedule(), 2), (schedule(chosen=(0.5, 0.3)), 4), (exhaustive_schedule(), 2)]
)
def test_a_chosen_point_has_a_ring_on_every_line(value: dict[str, Any], rings: int) -> None:
    found = plot_of(value)
    none = plot_of(value | {"candidates": [one | {"chosen": False} for one in value["candidates"]]})
    assert found.svg.count("<use") == none.svg.count("<use") + rings
    assert "chosen" not in "".join(ET.fromstring(none.svg).itertext())
    assert "chosen" not in {mark.label for mark in none.legend}
    assert none.alt.endswith("chosen: none.")


def test_the_picture_refers_only_to_itself_in_the_ink_of_the_page() -> None:
    found = plot_of(schedule())
    names = set(re.findall(r'\bid="([^"]+)"', found.svg))
    assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', found.svg)) <= {(n, "") for n in names} | {
        ("", n) for n in names
    }
    assert all(name.startswith("a-") for name in names)
    assert INK not in found.svg
    assert found == plot_of(schedule())


def test_one_candidate_is_no_curve_and_one_without_a_metric_is_left_out() -> None:
    one = schedule()["candidates"][:1]
    assert trade_off_plot(ScheduleFacts.model_validate(schedule(candidates=one)), name="a") is None
    assert trade_off_plot(ScheduleFacts.model_validate(schedule(candidates=[])), name="a") is None
    holed = [
        {**one, "metric": None, "score": None} if one["kept"] == 0.7 else one
        for one in schedule()["candidates"]
    ]
    assert plot_of(schedule(candidates=holed)).alt.startswith("The f1 goes from 91.30 at 60 % kept")


def test_a_student_of_a_candidate_without_a_metric_of_its_own_is_in_the_words() -> None:
    tried = [{**one, "student_metric": None} for one in schedule()["candidates"]]
    tried[0] |= {"metric": None, "score": None, "student_metric": 0.9}
    assert "the student's f1 is highest at 70 % (90.00)" in plot_of(schedule(candidates=tried)).alt
