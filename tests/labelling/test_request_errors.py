import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.labelling.request_errors import (
    LONGEST_WORDS,
    backoff_s,
    failure_of_status,
    retry_after_s,
    server_words,
)


@pytest.mark.parametrize(
    ("status", "action"),
    [(400, "reject"), (413, "reject"), (422, "reject"), (401, "stop"), (403, "stop"), (404, "stop"), (402, "stop"), (408, "retry"), (409, "retry"), (429, "retry"), (500, "retry"), (503, "retry"), (529, "retry")],
)  # fmt: skip
def test_a_status_says_what_to_do(status, action):
    found = failure_of_status(status, "", {})
    assert (found.action, found.may_cost) == (action, False)


def test_waiting_does_not_help_an_empty_account_nor_a_server_that_asks_for_hours():
    body = json.dumps({"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}})
    assert failure_of_status(429, body, {}).action == "stop"
    assert failure_of_status(429, "", {"retry-after": "7200"}).action == "stop"
    assert failure_of_status(429, "", {"retry-after": "30"}).wait_s == 30


def test_retry_after_is_a_number_or_a_date():
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=100))
    assert 90 < retry_after_s({"retry-after": soon}) <= 100
    assert retry_after_s({"retry-after": format_datetime(datetime.now(UTC) - timedelta(days=1))}) == 0
    assert [retry_after_s({"retry-after": text}) for text in ("3", "0.5", "", "-1", "soon")] == [
        3,
        0.5,
        None,
        None,
        None,
    ]


@given(st.integers(0, 10_000), st.floats(0, 10), st.floats(0, 100), st.floats(0, 1))
def test_waits_grow_are_never_too_long_and_spread_over_half(attempt, first_s, longest_s, chance):
    wait = backoff_s(attempt, first_s=first_s, longest_s=longest_s, chance=chance)
    whole = backoff_s(attempt, first_s=first_s, longest_s=longest_s, chance=1.0)
    assert whole / 2 <= wait <= whole <= longest_s
    assert whole <= backoff_s(attempt + 1, first_s=first_s, longest_s=longest_s, chance=1.0)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"error": {"message": "no\\nsuch model"}}', "no such model"),
        ('{"error": "model not found"}', "model not found"),
        ('{"detail": "pinned"}', "pinned"),
        ('{"detail": [{"msg": "x"}]}', '[{"msg": "x"}]'),
        ("<html>Bad gateway</html>", "<html>Bad gateway</html>"),
        ("", ""),
        ('{"message": "\\u001b]0;title\\u0007"}', "\\u001b]0;title\\u0007"),
        ('{"message": "key sk-secret is wrong"}', "key *** is wrong"),
    ],
)
def test_the_words_of_a_server_are_one_harmless_line_without_the_key(body, words):
    assert server_words(body, "sk-secret") == words


def test_long_words_are_cut():
    assert len(server_words("x" * 5000)) == LONGEST_WORDS
