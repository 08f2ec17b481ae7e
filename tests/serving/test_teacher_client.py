"""A teacher that a test scripts: what it answers, and every way in which it fails."""

import asyncio
import contextlib
import json
import socket
import threading
import time

import pytest

from lmdistill.serving.manifest import Answers
from lmdistill.serving.teacher_client import TeacherClient, TeacherError
from tests.labelling.scripted_server import serve
from tests.serving.event_loop import run_alone

CLASSES = Answers(kind="classification", labels=("red", "blue"))


def by_length(request, number):
    return {"answers": [{"label": "red" if len(text) % 2 else "blue"} for text in request["texts"]]}


def ask(address, *requests, timeout=5.0, max_waiting=100):
    """The answers to simultaneous requests, or their errors."""

    async def whole():
        client = TeacherClient(address, answers=CLASSES, timeout=timeout, max_waiting=max_waiting)
        found = await asyncio.gather(*(client.ask(texts) for texts in requests), return_exceptions=True)
        client.close()
        return found

    return run_alone(whole())


def test_each_text_gets_its_answer_and_pairs_are_sent_as_lists():
    with serve(by_length) as script:
        found = ask(script.url, ["a", "ab"], ["é", "\x00😀"], [("a", "b")])
    assert found == [["red", "blue"], ["red", "blue"], ["blue"]]
    assert {"texts": [["a", "b"]]} in script.requests


def test_predict_is_added_to_an_address_without_a_path():
    def address(given):
        return TeacherClient(given, answers=CLASSES, timeout=1.0, max_waiting=1).address

    assert address("http://a:1") == address("http://a:1/") == "http://a:1/predict"
    assert address("http://a:1/v1/answers") == "http://a:1/v1/answers"


FAILURES = {
    "status": ((500, {"error": "secret"}, {}), "answers with status 500"),
    "redirect": ((307, "", {"Location": "http://127.0.0.1:1/"}), "answers with status 307"),
    "not JSON": ("secret", "gives a reply that is no JSON object with answers"),
    "list": (["secret"], "gives a reply that is no JSON object with answers"),
    "count": ({"answers": [{"label": "red"}]}, "'s reply has no list of 2 answers"),
    "null": ({"answers": None}, "'s reply has no list of 2 answers"),
    "label": (
        {"answers": [{"label": "red"}, {"label": "secret"}]},
        "gives a label that the model does not have",
    ),
    "cut": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{",
        "gives a reply that is no JSON object with answers",
    ),
    "garbage": (b"\x00\x01\r\n\r\n", "cannot be reached"),
    "silence": (b"", "cannot be reached"),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_every_failure_is_one_sentence_without_what_it_says(kind):
    answer, said = FAILURES[kind]
    with serve(lambda request, number: answer) as script:
        (found,) = ask(script.url, ["a", "b"])
    assert isinstance(found, TeacherError), found
    assert said in str(found)
    assert "secret" not in str(found)


def test_a_teacher_that_is_not_there_is_said():
    (found,) = ask("http://127.0.0.1:1", ["a"])
    assert str(found) == "the teacher cannot be reached"


@pytest.mark.parametrize("count", [1, 20])
def test_a_late_teacher_is_given_up_in_time_also_by_those_that_wait_for_a_connection(count):
    def late(request, number):
        time.sleep(3)
        return json.dumps(by_length(request, number))

    with serve(late) as script:
        began = time.monotonic()
        found = ask(script.url, *[["a"]] * count, timeout=0.1)
        assert time.monotonic() - began < 2
    assert {str(one) for one in found} == {"the teacher gave no answer in 0.1 s"}


@pytest.mark.parametrize(
    "begin",
    [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"],
    ids=["head", "body"],
)
def test_a_teacher_that_sends_a_byte_now_and_then_is_late_too(begin):
    over = threading.Event()

    def dribble(listening):
        client, _ = listening.accept()
        with client, contextlib.suppress(OSError):
            client.sendall(begin)
            while not over.wait(0.05):
                client.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=dribble, args=(listening,))
        thread.start()
        began = time.monotonic()
        stop = threading.Timer(4, over.set)
        stop.start()
        (found,) = ask(f"http://127.0.0.1:{listening.getsockname()[1]}", ["a"], timeout=0.2)
        late = time.monotonic() - began
        over.set()
        stop.cancel()
        thread.join()
    assert str(found) == "the teacher gave no answer in 0.2 s"
    assert late < 2


def test_no_more_texts_wait_than_allowed():
    with serve(by_length) as script:
        found = ask(script.url, ["a"] * 3, ["b"] * 2, ["c"], max_waiting=4)
    assert str(found[1]) == "4 texts wait for the teacher already"
    assert found[0] == ["red"] * 3
    assert found[2] == ["red"]
