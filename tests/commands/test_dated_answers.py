"""Dates of audits in every form that is read, and those that are refused."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.commands.dated_answers import DatedAnswers, day_of
from lmdistill.core.errors import DataError

PLACE = ("time", "audit.csv, line 2")


@given(
    st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2100, 1, 1)),
    st.integers(-14 * 60, 14 * 60),
)
def test_a_time_is_the_day_that_it_has_in_utc(moment, minutes):
    zone = timezone(timedelta(minutes=minutes))
    day = moment.replace(tzinfo=zone).astimezone(UTC).date()
    assert day_of(moment.replace(tzinfo=zone).isoformat(), *PLACE) == day
    assert day_of(moment.replace(tzinfo=zone), *PLACE) == day  # as Parquet files hold it
    assert day_of(moment.isoformat(sep=" "), *PLACE) == moment.date()  # without a zone it is UTC


@pytest.mark.parametrize(
    "text",
    ["2026-11-30", " 2026-11-30 ", "20261130", "2026-11-30T23:59:59Z", "2026-W49-1", date(2026, 11, 30)],
)
def test_forms_of_iso_8601(text):
    assert day_of(text, *PLACE) == date(2026, 11, 30)


@pytest.mark.parametrize("text", ["03/04/2026", "3.4.2026", "03-04-26", "30/11/2026", "11/30/2026 10:00"])
def test_a_date_of_unclear_order_is_refused(text):
    with pytest.raises(DataError, match="has an unclear order: its first number may be the day or the month"):
        day_of(text, *PLACE)


@pytest.mark.parametrize(
    "text", ["yesterday", "1764500000", "2026-13-01", "2026/11/30", "12:30", "30 Nov 2026"]
)
def test_other_texts_are_no_dates(text):
    with pytest.raises(
        DataError, match=r"audit.csv, line 2: .* is no date that can be read. Write it as 2026-11-30"
    ):
        day_of(text, *PLACE)


@pytest.mark.parametrize("value", ["", "  ", None])
def test_an_empty_date_is_refused(value):
    with pytest.raises(DataError, match=r"the date in 'time' is empty. Fill it in, or remove the row"):
        day_of(value, *PLACE)


def test_weeks_are_those_of_iso_8601_at_the_turn_of_the_year():
    days = (date(2026, 12, 31), date(2027, 1, 1), date(2027, 1, 3), date(2027, 1, 4), date(2024, 12, 30))
    found = DatedAnswers(
        source="", answer_column="", texts=(), days=days, answers=(), predicted=(), locations=()
    )
    assert found.weeks == ("2026-W53", "2026-W53", "2026-W53", "2027-W01", "2025-W01")
