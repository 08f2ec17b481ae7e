import re

import pytest

from lmdistill.core.errors import ConfigError, MissingExtraError
from lmdistill.labelling.api_client import Server
from lmdistill.labelling.request_errors import CallFailedError
from tests.labelling.scripted_server import reply, serve

openai = pytest.importorskip("openai", reason="the client of servers is openai")

from lmdistill.labelling.api_client import ApiClient  # noqa: E402

KEY = "sk-very-secret-4711"


def server(url="http://localhost:8000", **changes):
    return Server(url=url, model="m", **changes)


def ask(script, *, logprobs=True, **changes):
    with ApiClient(server(script.url, timeout_s=0.4, **changes)) as client:
        return client.send("a prompt", logprobs=logprobs, temperature=1.0, max_new=4)


def failure(answer, **changes):
    with serve(answer) as script, pytest.raises(CallFailedError) as raised:
        ask(script, **changes)
    return raised.value.failure


def test_a_request_asks_for_what_was_said_and_the_reply_holds_what_came():
    with serve(lambda request, number: reply("good", top=[("good", 0.5), ("bad", 0.25)])) as script:
        found = ask(script)
    (request,) = script.requests
    assert request == {
        "model": "m", "messages": [{"role": "user", "content": "a prompt"}], "temperature": 1.0,
        "max_tokens": 4, "logprobs": True, "top_logprobs": 20,
    }  # fmt: skip
    assert (found.text, found.finish, found.input_tokens, found.output_tokens) == ("good", "stop", 30, 2)
    assert [token for token, _ in found.top] == ["good", "bad"]


def test_samples_ask_for_no_log_probabilities():
    with serve(lambda request, number: reply("good", usage=None)) as script:
        found = ask(script, logprobs=False)
    assert "logprobs" not in script.requests[0]
    assert (found.top, found.input_tokens, found.output_tokens) == (None, None, None)


def test_a_server_that_calls_the_longest_reply_otherwise_is_asked_as_it_wants():
    def answer(request, number):
        if "max_tokens" in request:
            return 400, {"error": {"message": "Unsupported: 'max_tokens'. Use 'max_completion_tokens'."}}, {}
        return reply("good")

    with serve(answer) as script, ApiClient(server(script.url)) as client:
        for _ in range(2):
            client.send("a", logprobs=False, temperature=1.0, max_new=4)
    assert [sorted(request)[0] for request in script.requests] == [
        "max_tokens",
        "max_completion_tokens",
        "max_completion_tokens",
    ]


@pytest.mark.parametrize(
    ("answer", "action", "may_cost", "match"),
    [
        (lambda *_: (500, "broken", {}), "retry", False, "500: broken"),
        (lambda *_: (429, "", {"Retry-After": "3"}), "retry", False, "429"),
        (lambda *_: (400, {"error": {"message": "too long"}}, {}), "reject", False, "400: too long"),
        (lambda *_: (404, {"detail": "Not Found"}, {}), "stop", False, "404: Not Found"),
        (lambda *_: "{not JSON", "retry", True, "the answer is not JSON"),
        (lambda *_: {"choices": []}, "retry", True, "no reply in choices"),
        (lambda *_: {"choices": [{"message": {"content": [1]}}]}, "retry", True, "the reply is a list"),
        (lambda *_: b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\nContent-Type: application/json\r\n\r\n{\"cho", "retry", True, "incomplete|closed|disconnect"),
        (lambda *_: b"", "retry", True, "disconnect|closed"),
        (lambda *_: (1.5, reply("late")), "retry", True, "no answer within 0.4 s"),
    ],
)  # fmt: skip
def test_a_request_without_an_answer_says_why(answer, action, may_cost, match):
    def wrapped(request, number):
        found = answer()
        return (200, found, {}) if isinstance(found, str) else found

    found = failure(wrapped)
    assert (found.action, found.may_cost) == (action, may_cost)
    assert re.search(match, found.reason), found.reason


def test_an_error_in_an_answer_of_success_is_told():
    found = failure(lambda *_: {"error": {"message": "no provider"}})
    assert found.reason == "the answer has no reply in choices[0].message: no provider"


def test_the_extra_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"Run: pip install lmdistill\[api\]$"):
        ApiClient(server())


def test_a_server_on_this_machine_is_asked_without_a_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with serve(lambda *_: reply("good")) as script:
        assert ask(script).text == "good"


def test_a_server_that_is_not_there_costs_nothing():
    with serve(lambda *_: None) as script:
        url = script.url
    with ApiClient(server(url)) as client, pytest.raises(CallFailedError) as raised:
        client.send("a", logprobs=False, temperature=1.0, max_new=4)
    assert raised.value.failure.is_unreachable


def test_the_key_is_sent_and_hidden_wherever_the_server_repeats_it(monkeypatch):
    monkeypatch.setenv("MY_KEY", KEY)

    def answer(request, number):
        text = f"your key {KEY} is wrong"
        return reply(text, refusal=text) if number == 0 else (401, {"error": {"message": text}}, {})

    with serve(answer) as script, ApiClient(server(script.url, key_env="MY_KEY")) as client:
        found = client.send("a", logprobs=False, temperature=1.0, max_new=4)
        with pytest.raises(CallFailedError) as raised:
            client.send("a", logprobs=False, temperature=1.0, max_new=4)
    assert script.keys == [f"Bearer {KEY}"] * 2
    assert KEY not in repr(found) + repr(raised.value.failure)
    assert "your key *** is wrong" in raised.value.failure.reason


@pytest.mark.parametrize(
    ("url", "key_env", "sent"),
    [
        ("http://localhost:1/v1", None, KEY),
        ("https://api.example.com/v1", None, KEY),
        ("http://api.example.com/v1", None, None),
        ("http://api.example.com/v1", "OPENAI_API_KEY", KEY),
    ],
)
def test_a_key_that_nobody_named_is_not_sent_in_the_clear(url, key_env, sent, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert server(url, key_env=key_env).key() == sent


def test_a_key_that_is_not_set_or_cannot_be_sent_is_named(monkeypatch):
    monkeypatch.delenv("MY_KEY", raising=False)
    with pytest.raises(ConfigError, match="the environment variable MY_KEY is not set"):
        server(key_env="MY_KEY").key()
    monkeypatch.setenv("MY_KEY", "sk-caf\u00e9")
    with pytest.raises(ConfigError, match="the key in MY_KEY has characters that cannot be sent") as raised:
        server(key_env="MY_KEY").key()
    assert "caf" not in str(raised.value)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert server().key() is None


@pytest.mark.parametrize(
    ("url", "base", "identity"),
    [
        ("http://localhost:8000", "http://localhost:8000/v1", "localhost:8000/v1"),
        ("http://localhost:8000/", "http://localhost:8000/v1", "localhost:8000/v1"),
        ("https://Me:Pw@Host/api/v3/", "https://Me:Pw@Host/api/v3", "host/api/v3"),
    ],
)
def test_an_address_has_a_path_and_an_identity_without_secrets(url, base, identity):
    found = server(url)
    assert (found.base_url, found.identity) == (base, identity)
    assert "Pw" not in found.shown


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"url": "localhost:8000"}, r"^--teacher must be an address like http://localhost:8000/v1, got 'localhost:8000'"),
        ({"url": "ftp://a/b"}, "^--teacher must be an address"),
        ({"url": "http://"}, "^--teacher must be an address"),
        ({"url": "http://a:99999999/v1"}, "^--teacher must be an address"),
        ({"url": "http:/me:secret@a"}, "^--teacher must be an address"),
        ({"url": "http://a b/v1"}, "^--teacher must be an address"),
        ({"url": "http://a/v1\n"}, "^--teacher must be an address"),
        ({"url": "http://[::1/v1"}, "^--teacher must be an address"),
        ({"url": "http://*/v1"}, "^--teacher must be an address"),
        ({"url": "http://a..b/v1"}, "^--teacher must be an address"),
        ({"model": " "}, "^--model is blank"),
        ({"timeout_s": 0.0}, "^--timeout must be a number of seconds above 0, got 0.0"),
        ({"retries": -1}, "^--retries must be >= 0"),
        ({"concurrency": 0}, "and --concurrency >= 1"),
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(changes, match):
    with pytest.raises(ConfigError, match=match):
        Server(**{"url": "http://a/v1", "model": "m", **changes})
