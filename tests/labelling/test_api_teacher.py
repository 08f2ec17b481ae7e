"""A teacher with a cache, a budget and retries, against a server that a test scripts."""

import contextlib
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmdistill.core.errors import ConfigError, RunError
from lmdistill.labelling.answer_cache import AnswerCache
from lmdistill.labelling.api_client import ApiClient, Server
from lmdistill.labelling.api_teacher import MOST_FAILURES, ApiTeacher
from lmdistill.labelling.cost import Budget, BudgetReachedError, Limit, Usage
from lmdistill.labelling.request_settings import Asking
from tests.labelling.scripted_server import reply, serve

pytest.importorskip("openai", reason="the client of servers is openai")

QUICK = {"first_wait_s": 0.01, "longest_wait_s": 0.02, "timeout_s": 5.0}


@pytest.fixture
def open_teacher(tmp_path):
    """A function from a script to a teacher with a cache of its own."""
    opened = []

    def teacher(script, *, limit=None, asking=None, folder=tmp_path, **server):
        cache = AnswerCache(folder, "job")
        client = ApiClient(Server(url=script.url, model="m", **{**QUICK, **server}))
        opened.extend((cache, client))
        return ApiTeacher(client, cache, Budget(limit, cache.spent()), asking or Asking(samples=2))

    yield teacher
    for one in opened:
        one.__exit__(None, None, None)


def ask_all(teacher, prompts, kind="samples"):
    done = []
    questions = [question for prompt in prompts for question in teacher.questions(prompt, kind)]
    waiting = [question for question in questions if teacher.cache.get(question) is None]
    return teacher.ask_all(waiting, lambda: done.append(1)), len(done)


def test_several_requests_are_under_way_at_once_but_never_more_than_allowed(open_teacher):
    now, most, lock = [0], [0], threading.Lock()

    def answer(request, number):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.03)
        with lock:
            now[0] -= 1
        return reply("good")

    with serve(answer) as script:
        outcome, done = ask_all(open_teacher(script, concurrency=3), [f"p{n}" for n in range(10)])
    assert (done, len(script.requests), outcome.failed) == (20, 20, 0)
    assert most[0] == 3


def test_a_server_that_is_busy_is_asked_again_after_the_time_that_it_names(open_teacher):
    times = []

    def answer(request, number):
        times.append(time.monotonic())
        return (
            (429, {"error": {"message": "slow down"}}, {"Retry-After": "0.3"})
            if number == 0
            else reply("good")
        )

    with serve(answer) as script:
        _, done = ask_all(open_teacher(script, concurrency=1, first_wait_s=9.0), ["p"])
    assert done == 2
    assert 0.3 <= times[1] - times[0] < 2


@pytest.mark.parametrize(
    "fault",
    [(500, "broken", {}), (503, {}, {}), (200, "{wrong", {}), (200, {"choices": []}, {}), b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", b""],
    ids=["500", "503", "wrong JSON", "no reply", "cut", "closed"],
)  # fmt: skip
def test_faults_are_survived_by_asking_again(fault, open_teacher):
    with serve(lambda request, number: fault if number % 2 else reply("good")) as script:
        outcome, done = ask_all(open_teacher(script), ["a", "b", "c"])
    assert (done, outcome.failed) == (6, 0)


def test_an_answer_that_is_late_is_asked_for_again(open_teacher):
    with serve(lambda request, number: (0.6, reply("late")) if number == 0 else reply("good")) as script:
        teacher = open_teacher(script, timeout_s=0.2)
        _, done = ask_all(teacher, ["a"])
        assert (done, len(script.requests)) == (2, 3)
    spent = teacher.budget.spent
    assert spent == teacher.cache.spent()
    assert spent == Usage(
        calls=3, input_tokens=30 + 30 + 513, output_tokens=2 + 2 + 16
    )  # the late one may cost


def test_a_server_that_keeps_failing_ends_it_and_what_was_answered_stays(open_teacher):
    with serve(lambda request, number: reply("good") if number < 4 else (500, "down", {})) as script:
        teacher = open_teacher(script, retries=1, concurrency=1)
        with pytest.raises(
            RunError, match=rf"^{MOST_FAILURES} calls in a row failed at .*; the last: 500: down"
        ):
            ask_all(teacher, [f"p{n}" for n in range(20)])
    assert len(script.requests) == 4 + MOST_FAILURES * 2
    kept = [teacher.cache.get(one) for one in teacher.questions("p0", "samples")]
    assert all(kept)


def test_single_failures_do_not_end_it(open_teacher):
    def answer(request, number):
        return (500, "odd", {}) if request["messages"][0]["content"] == "p3" else reply("good")

    with serve(answer) as script:
        outcome, done = ask_all(open_teacher(script, retries=1, concurrency=1), [f"p{n}" for n in range(8)])
    assert (done, outcome.failed, outcome.reason) == (14, 2, "500: odd")


def test_texts_that_the_server_cannot_use_are_noted_with_its_words(open_teacher):
    def answer(request, number):
        is_long = request["messages"][0]["content"] == "long"
        return (400, {"error": {"message": "too many tokens"}}, {}) if is_long else reply("good")

    with serve(answer) as script:
        teacher = open_teacher(script)
        outcome, done = ask_all(teacher, ["a", "long", "b"])
    assert (done, outcome.unfit) == (4, {"long": "400: too many tokens"})
    assert teacher.budget.spent.input_tokens == 4 * 30  # refused requests cost nothing


@pytest.mark.parametrize(
    ("status", "body", "match"),
    [
        (401, {"error": {"message": "bad key"}}, r"^http://127.* asks for a key \(401: bad key\), and none was sent"),
        (403, "no", r"asks for a key \(403: no\)"),
        (404, {"detail": "no m"}, r"^http://.* has no model 'm', or nothing at this path \(404: no m\). Correct --model"),
        (429, {"error": {"message": "pay first", "code": "insufficient_quota"}}, r"gives no answer \(429: pay first\)"),
    ],
)  # fmt: skip
def test_what_no_other_try_can_mend_ends_it_at_once(status, body, match, open_teacher, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with serve(lambda request, number: (status, body, {})) as script:
        teacher = open_teacher(script)
        with pytest.raises((ConfigError, RunError), match=match):
            ask_all(teacher, ["a", "b", "c"])
    assert len(script.requests) == 1


def test_a_server_that_is_not_there_is_said_at_once(open_teacher):
    with serve(lambda *_: None) as script:
        pass
    for ask in (lambda one: ask_all(one, ["a"]), lambda one: one.source(["a"])):
        begun = time.monotonic()
        with pytest.raises(ConfigError, match=r"^no server answers at http://127.0.0.1:\d+/v1 \(.*refused"):
            ask(open_teacher(script, first_wait_s=9.0, longest_wait_s=9.0))
        assert time.monotonic() - begun < 5


def test_log_probabilities_are_used_where_the_server_gives_them_and_it_is_asked_once(open_teacher):
    with serve(lambda request, number: reply("good", top=[("good", 0.9)])) as script:
        teacher = open_teacher(script)
        assert teacher.source(["a", "b"]) == "logprobs"
        assert teacher.source(["a", "b"]) == "logprobs"
        ask_all(teacher, ["a", "b"], "logprobs")
    assert script.prompts == ["a", "b"]


def silent(request, number):
    return reply("good")


def strict(request, number):
    if request.get("logprobs"):
        return 400, {"error": {"message": "logprobs is not supported with this model"}}, {}
    return reply("good")


def test_a_reply_without_log_probabilities_is_kept_as_the_first_sample(open_teacher):
    with serve(silent) as script:
        teacher = open_teacher(script)
        assert teacher.source(["a", "b"]) == "samples"
        ask_all(teacher, ["a", "b"])
    assert (
        len(script.requests) == 4
    )  # two samples for each text, one of them the question about log-probabilities


@pytest.mark.parametrize("answer", [silent, strict])
def test_a_server_without_log_probabilities_is_refused_where_they_are_required(answer, open_teacher):
    with serve(answer) as script:
        teacher = open_teacher(script, asking=Asking(probabilities="logprobs"))
        with pytest.raises(
            ConfigError, match=r"gives no log-probabilities for 'm'. Use --probabilities samples"
        ):
            teacher.source(["a", "b"])
        assert open_teacher(script).source(["a"]) == "samples"


def test_a_first_text_that_is_too_long_does_not_hide_what_the_server_gives(open_teacher):
    def answer(request, number):
        if request["messages"][0]["content"] == "long":
            return 400, {"error": {"message": "too many tokens"}}, {}
        return reply("good", top=[("good", 0.9)])

    with serve(answer) as script:
        assert open_teacher(script).source(["long", "a"]) == "logprobs"


def test_a_server_that_refuses_the_first_requests_ends_it(open_teacher):
    refusal = pytest.raises(ConfigError, match=r"refuses the first requests \(422: unknown field\)")
    with serve(lambda *_: (422, {"detail": "unknown field"}, {})) as script, refusal:
        open_teacher(script).source(["a", "b", "c", "d"])
    assert len(script.requests) == 3


@settings(max_examples=15)
@given(
    st.lists(st.sampled_from(["good", "busy", "wrong", "cut"]), min_size=1, max_size=10),
    st.integers(600, 4000), st.sampled_from(["calls", "tokens"]),
)  # fmt: skip
def test_no_sequence_of_faults_exceeds_the_budget(tmp_path_factory, faults, amount, unit):
    def answer(request, number):
        fault = faults[number % len(faults)]
        wrong = {
            "busy": (429, "", {"Retry-After": "0"}),
            "wrong": (200, "{", {}),
            "cut": b"HTTP/1.1 200 OK\r\n",
        }
        return wrong[fault] if fault in wrong else reply("good", usage=(200, 16))

    limit = Limit(amount=float(amount // 400 if unit == "calls" else amount), unit=unit)
    with (
        serve(answer) as script,
        AnswerCache(tmp_path_factory.mktemp("cache"), "job") as cache,
        ApiClient(Server(url=script.url, model="m", **QUICK, retries=2, concurrency=3)) as client,
    ):
        for _ in range(3):  # as many commands as somebody may start
            teacher = ApiTeacher(client, cache, Budget(limit, cache.spent()), Asking(samples=2))
            with contextlib.suppress(RunError, BudgetReachedError):
                ask_all(teacher, [f"p{n}" for n in range(6)])
            assert limit.used(teacher.budget.spent) <= limit.amount
            assert teacher.budget.spent == cache.spent()
    assert len(script.requests) == cache_calls(teacher)
    if unit == "calls":
        assert len(script.requests) <= limit.amount


def cache_calls(teacher):
    """Calls that the budget has counted."""
    return teacher.budget.spent.calls


def test_a_bug_in_a_thread_is_not_hidden_and_nobody_waits_for_it(open_teacher, monkeypatch):
    with serve(silent) as script:
        teacher = open_teacher(script, limit=Limit(amount=700.0, unit="tokens"))
        monkeypatch.setattr(teacher.client, "send", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ask_all(teacher, ["a", "b", "c"])
