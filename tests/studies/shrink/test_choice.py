"""The choice: the best of those that keep every limit, or the one that misses least."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.serving.estimate import Estimate
from lmdistill.studies.shrink.choice import Student, choose, on_front, reason
from lmdistill.studies.shrink.limits import Limits
from lmdistill.studies.shrink.shapes import Shape


def student(quality=0.9, ms=4.0, size=10_000_000, *, layers=1, low=None, agreement=None):
    """A trained student."""
    return Student(
        shape=Shape(layers=layers),
        graph="onnx-int8",
        folder="exported",
        run="run",
        steps=None,
        bytes=size,
        parameters=1_000_000,
        p50_ms=ms,
        p95_ms=2 * ms,
        quality=Estimate(value=quality, low=quality - 0.01 if low is None else low, high=quality + 0.01),
        agreement=None if agreement is None else Estimate(value=agreement, low=agreement, high=1.0),
    )


STUDENTS = st.lists(
    st.builds(student, st.integers(0, 20).map(lambda n: n / 20), st.integers(1, 9), st.integers(1, 9)),
    min_size=1,
    max_size=8,
)


@given(STUDENTS, st.integers(1, 9), st.integers(1, 9))
def test_no_student_that_keeps_the_limits_is_better_than_the_chosen_one(students, ms, size):
    limits = Limits(latency_ms=ms, bytes=size)
    chosen = choose(students, limits)
    keeping = [one for one in students if not one.exceeded(limits)]
    if keeping:
        assert chosen in keeping
        assert chosen.quality.value == max(one.quality.value for one in keeping)
    else:
        worst = [max(miss.share for miss in one.exceeded(limits)) for one in students]
        assert max(miss.share for miss in chosen.exceeded(limits)) == min(worst)


@given(STUDENTS)
def test_the_best_student_is_on_the_front_and_a_dominated_one_is_not(students):
    fronts = on_front(students)
    best = max(
        range(len(students)),
        key=lambda n: (students[n].quality.value, -students[n].p50_ms, -students[n].bytes),
    )
    assert fronts[best]
    for one, is_on_front in zip(students, fronts, strict=True):
        dominated = any(
            other.quality.value > one.quality.value and other.p50_ms < one.p50_ms and other.bytes < one.bytes
            for other in students
        )
        assert not (dominated and is_on_front)


def test_of_equally_good_students_the_faster_one_is_chosen():
    slow, fast = student(ms=4.0), student(ms=3.0)
    assert choose([slow, fast], Limits(latency_ms=5.0)) is fast


def test_limits_of_quality_and_agreement_count():
    weak, sure = student(0.95, agreement=0.90), student(0.93, agreement=0.99)
    assert choose([weak, sure], Limits(agreement=0.97)) is sure
    assert choose([weak, sure], Limits(quality=0.94)) is weak


@pytest.mark.parametrize(
    ("low", "words"),
    [(0.91, "may be as good"), (0.935, "it has the highest score of those that keep every limit")],
)
def test_a_lead_within_the_interval_is_called_one(low, words):
    first, second = student(0.94, low=low), student(0.93, layers=2)
    assert words in reason(first, [first, second], Limits(latency_ms=5.0))


def test_a_choice_that_misses_a_limit_says_so():
    one = student(ms=6.0)
    assert reason(one, [one], Limits(latency_ms=5.0)) == "it misses the limits least: 6 ms (at most 5 ms)"
    assert reason(one, [one], Limits(latency_ms=7.0)) == "it is the only one that keeps every limit"
