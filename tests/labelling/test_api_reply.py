import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.printable import CONTROL
from lmdistill.labelling.answer_cache import AnswerCache, Question
from lmdistill.labelling.api_reply import parse_reply
from lmdistill.labelling.label_words import label_words
from lmdistill.labelling.reply_reading import read_replies
from lmdistill.labelling.request_errors import CallFailedError
from tests.fuzz.json_values import changed
from tests.labelling.scripted_server import reply


def test_a_reply_holds_what_the_answer_says():
    found = parse_reply(
        json.dumps(reply("good", top=[("good", 1.0)], finish="length", refusal="no", usage=(5, 1)))
    )
    assert (found.text, found.finish, found.refusal, found.top) == ("good", "length", "no", (("good", 0.0),))
    assert (found.input_tokens, found.output_tokens) == (5, 1)


@pytest.mark.parametrize(
    "body", ["", "[]", "1", "{", "null", '{"choices": [{}]}', '{"choices": [{"message": 3}]}', "[" * 100_000]
)
def test_anything_else_is_a_failure_that_may_cost(body):
    with pytest.raises(CallFailedError) as raised:
        parse_reply(body)
    assert (raised.value.failure.action, raised.value.failure.may_cost) == ("retry", True)


@pytest.mark.parametrize("logprobs", [None, {}, {"content": None}, {"content": []}, {"content": [{"top_logprobs": []}]}, {"content": [{"top_logprobs": [{"token": "a"}]}]}, [1], "x"])  # fmt: skip
def test_odd_log_probabilities_are_none(logprobs):
    body = reply("good")
    body["choices"][0]["logprobs"] = logprobs
    assert parse_reply(json.dumps(body)).top is None


@pytest.mark.parametrize(
    "usage",
    [
        None,
        [],
        {"prompt_tokens": -1, "completion_tokens": "2"},
        {"prompt_tokens": True, "completion_tokens": 10**30},
    ],
)
def test_odd_numbers_of_tokens_are_unknown(usage):
    body = {**reply("good"), "usage": usage}
    assert (parse_reply(json.dumps(body)).input_tokens, parse_reply(json.dumps(body)).output_tokens) == (
        None,
        None,
    )


ANSWER = reply("good", top=[("good", 0.6), ("bad", 0.3)], finish="stop", refusal=None)


@given(changed(ANSWER), st.sampled_from(["logprobs", "samples"]))
def test_whatever_a_server_writes_is_a_reply_that_can_be_kept_and_read_or_a_failure(
    tmp_path_factory, value, source
):
    body = json.dumps(value)
    try:
        found = parse_reply(body)
    except CallFailedError as error:
        failure = error.failure
        assert not CONTROL.search(failure.reason)
        return
    question = Question(host="h", model="m", prompt=body, logprobs=True, temperature=1.0, max_new=1)
    with AnswerCache(tmp_path_factory.getbasetemp(), "fuzz") as cache:
        cache.keep(question, found)
        assert repr(cache.get(question)) == repr(found)  # NaN is not equal to itself
    read_replies([found], label_words(["good", "bad"]), source)
