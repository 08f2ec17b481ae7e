import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from scipy import stats

from lmdistill.analysis.trade_off import LAMBDA, rank_correlation, trade_off
from lmdistill.records.schema import Candidate, ScheduleFacts
from lmdistill.report.plots.svg import INK, Plot
from lmdistill.report.plots.trade_off import trade_off_plot
from lmdistill.schedules import assistant_choice
from tests.report.factory import exhaustive_schedule, schedule


def candidate(kept: float, **changes: Any) -> Candidate:
    return Candidate.model_validate({"kept": kept, "parameters": 1, "metric": 0.5, **changes})


def plot_of(value: dict[str, Any]) -> Plot:
    found = trade_off_plot(ScheduleFacts.model_validate(value), name="a")
    assert found is not None
    return found


@pytest.mark.parametrize("kept", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("metric", [0.0, 0.889, 1.0])
def test_the_score_is_that_of_the_schedules(kept: float, metric: float) -> None:
    assert LAMBDA == assistant_choice.LAMBDA
    assert trade_off(candidate(kept, metric=metric)) == assistant_choice.trade_off(metric, kept)
    assert trade_off(candidate(kept, metric=metric, score=0.125)) == 0.125
    assert trade_off(candidate(kept, metric=None)) is None


def test_the_rank_correlation_is_scipys_over_those_that_have_both() -> None:
    facts = ScheduleFacts.model_validate(exhaustive_schedule())
    found = rank_correlation(
        (*facts.candidates, candidate(0.1), candidate(0.9, metric=None, student_metric=1))
    )
    students = [one.student_metric for one in facts.candidates]
    scores = [assistant_choice.trade_off(one.metric or 0.0, one.kept) for one in facts.candidates]
    assert found == (pytest.approx(stats.spearmanr(scores, students).statistic), 6)


def test_a_score_that_orders_the_students_correlates_fully() -> None:
    rising = [candidate(0.5, score=i, student_metric=i**3) for i in range(4)]
    falling = [candidate(0.5, score=i, student_metric=-i) for i in range(4)]
    assert rank_correlation(rising) == (pytest.approx(1), 4)
    assert rank_correlation(falling) == (pytest.approx(-1), 4)


def test_too_few_or_equal_students_have_no_rank_correlation() -> None:
    assert rank_correlation([candidate(0.5, score=i, student_metric=i) for i in range(2)]) is None
    assert rank_correlation([candidate(0.5, score=i, student_metric=1) for i in range(3)]) is None
    assert rank_correlation([candidate(0.5, score=1, student_metric=i) for i in range(3)]) is None


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
