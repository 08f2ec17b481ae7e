"""`lmdistill serve` as a process, asked by real clients on the loopback address: load, signals, bad requests."""

import http.client
import importlib.util
import itertools
import json
import os
import re
import signal
import socket
import threading
import time

import pytest

from lmdistill.core.file_lock import sole_writer
from lmdistill.serving.request_body import MOST_BYTES
from tests.cli.served import served
from tests.labelling.scripted_server import serve as scripted
from tests.serving.tiny_export import LABELS, confidence_of, expected, label_of, text_of, write_export

NEEDED = ("fastapi", "uvicorn", "prometheus_client", "onnx", "onnxruntime")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"serve needs {', '.join(NEEDED)}"),
    pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX"),
]

CLIENTS, REQUESTS = 50, 10
SLOWEST_P95 = 5.0
"""Seconds; a busy machine answers in a hundredth of it."""

THRESHOLD = 0.9
SURE = [text_of(n) for n in range(200) if confidence_of(text_of(n)) > THRESHOLD + 0.01]
UNSURE = [text_of(n) for n in range(200) if confidence_of(text_of(n)) < THRESHOLD - 0.01]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_export(tmp_path_factory.mktemp("served") / "out")


@pytest.fixture(scope="module")
def server(folder):
    """One for requests that must leave it as it was; it has to end well after all of them."""
    with served(folder, "--max-texts", 8, "--max-characters", 200) as running:
        yield running
        ended = running.end()
        assert ended.code == 0
        assert "heavy:\n" in ended.err
        assert "Traceback" not in ended.err
        assert "secret" not in ended.err


@pytest.fixture
def refused(lmdistill, monkeypatch):
    """The error of a command that must not begin to serve."""

    def run(app, listening, *, grace):
        pytest.fail("it serves")

    monkeypatch.setattr("lmdistill.serving.http_server.run", run)

    def ask(*words):
        said = lmdistill("serve", *words)
        assert (said.code, said.out, said.err.count("\n")) == (2, "", 1), said.err
        return said.err

    return ask


def is_right(text, answer):
    """Whether an answer is that of its text and no other's."""
    return answer["label"] == label_of(text) and abs(answer["confidence"] - confidence_of(text)) < 1e-4


def at_once(work, count):
    """Run `work(number)` in as many threads, and what each returns; an error in one fails the test."""
    found, errors = [None] * count, []

    def run(number):
        try:
            found[number] = work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    return found


def test_fifty_clients_get_every_answer_and_each_its_own(server):
    before = server.page()

    def work(number):
        times, client = [], server.client()
        for turn in range(REQUESTS):
            first = number * 7 + turn
            texts = [text_of(*range(first + k, first + k + 1 + k * turn % 30)) for k in range(1 + turn % 4)]
            began = time.perf_counter()
            answers = server.ask(*texts, client=client)
            times.append(time.perf_counter() - began)
            assert all(map(is_right, texts, answers)), (texts, answers)
        client.close()
        return times

    times = sorted(itertools.chain(*at_once(work, CLIENTS)))
    assert len(times) == CLIENTS * REQUESTS
    after = server.page()

    def more(name):
        return after[f"lmdistill_{name}"] - before.get(f"lmdistill_{name}", 0)

    p95 = times[int(0.95 * len(times))]
    print(f"{len(times)} requests, 0 lost, p95 {1e3 * p95:.0f} ms")  # noqa: T201
    assert p95 < SLOWEST_P95
    texts = CLIENTS * sum(1 + turn % 4 for turn in range(REQUESTS))
    assert more('requests_total{status="200"}') == len(times)
    assert more("texts_total") == more("batch_texts_sum") == texts
    assert more("batch_texts_count") < texts / 2  # at least two a batch
    assert after["lmdistill_queue_texts"] == 0


def post(content):
    return {"body": json.dumps(content)}


BAD = {
    "no JSON": ({"body": "secret"}, 400, r"the body is not JSON\."),
    "no body": ({"body": None}, 400, r"the body is not JSON\."),
    "deep": ({"body": "[" * 100_000}, 400, r"the body is not JSON\."),
    "no type": ({"body": "{}", "headers": {}}, 415, r"the body is sent as nothing\. Send it as JSON"),
    "a form": ({"body": "{}", "headers": {"Content-Type": "text/plain"}}, 415, r'the body is sent as "text/plain"'),
    "no key": (post({"secret": 1}), 422, r"the body needs the key texts"),
    "no list": (post({"texts": "secret"}), 422, r"texts is no list"),
    "a number": (post({"texts": [1]}), 422, r"text 1 is neither a string nor"),
    "a pair": (post({"text": ["secret", "b"]}), 422, r"text 1 is a pair, and the model was trained on single"),
    "surrogate": ({"body": b'{"text": "\\ud800"}'}, 422, r"text 1 has half of a surrogate pair"),
    "too many": (post({"texts": ["a"] * 9}), 413, r"the request has 9 texts, and 8 are allowed"),
    "too long": (post({"text": "secret" * 34}), 413, r"text 1 has 204 characters, and 200 are allowed"),
    "too large": ({"body": b" " * (2 * MOST_BYTES)}, 413, rf"the body has more than {MOST_BYTES} bytes"),
    "no path": ({"body": "{}", "path": "/secret"}, 404, r"there is no such path\. There are POST /predict"),
    "docs": ({"body": None, "path": "/docs", "method": "GET"}, 404, r"there is no such path"),
    "method": ({"body": None, "method": "GET"}, 405, r"the path takes no such request\."),
    "delete": ({"body": None, "path": "/health", "method": "DELETE"}, 405, r"the path takes no such request\."),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_request_gets_a_sentence_and_the_next_one_its_answer(server, kind):
    request, status, said = BAD[kind]
    client = server.client()
    found = server.send(**request, client=client)
    assert found[0] == status
    assert set(found[1]) == {"error"}
    assert re.match(said, found[1]["error"]), found[1]
    assert "secret" not in found[1]["error"]
    assert is_right(text_of(3), server.ask(text_of(3), client=client)[0])  # on the same connection
    client.close()


def raw(server, content, *, wait=5.0):
    """What the server sends to these bytes until it closes, or is silent for some time."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=wait) as opened:
        opened.sendall(content)
        opened.shutdown(socket.SHUT_WR)
        with opened.makefile("rb") as file:
            return file.read()


def test_broken_connections_leave_the_server_as_it_was(server):
    head = (
        b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n"
    )
    raw(server, head + b'{"texts": ["secret')
    assert raw(server, b"\x00\x16secret\r\n\r\n").startswith(b"HTTP/1.1 400")
    with socket.create_connection(("127.0.0.1", server.port)) as opened:
        opened.sendall(head)
    assert is_right(text_of(5), server.ask(text_of(5))[0])
    server.ask("a secret")  # which no log may have, see `server`


def test_health_and_the_schema_say_what_is_served(server):
    status, found, _ = server.send(None, method="GET", path="/health", headers={})
    assert status == 200
    assert found == {
        "status": "ok", "graph": "onnx", "kind": "classification", "labels": list(LABELS), "pairs": False,
        "threshold": None, "texts_waiting": 0,
    }  # fmt: skip
    schema = server.send(None, method="GET", path="/openapi.json", headers={})[1]
    assert set(schema["paths"]) == {"/predict", "/health", "/metrics"}


def test_one_text_no_text_and_an_empty_list_are_answered(server):
    one = server.send(json.dumps({"text": text_of(4)}))[1]
    assert one["graph"] == "onnx"
    assert one["answers"] == server.ask(text_of(4))
    assert (one["answers"][0]["by"], one["answers"][0]["deferred"]) == ("student", False)
    assert server.ask() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_under_load_ends_it_cleanly_and_what_was_accepted_is_answered(folder, number):
    with served(folder, "--max-wait", "20ms") as running:
        stopping = threading.Event()

        def work(place):
            count = 0
            while True:
                try:
                    text = text_of(place, count)
                    assert is_right(text, running.ask(text)[0])
                except (ConnectionError, http.client.HTTPException):  # it accepts nothing more
                    assert stopping.is_set()
                    return count
                count += 1
                if place == 0 and count == 5:
                    stopping.set()
                    running.process.send_signal(number)

        counts = at_once(work, 12)
        ended = running.end(0)
    assert ended.code == 0, ended.err
    assert ended.counts == (sum(counts), 0, 0)
    assert "Traceback" not in ended.err


def lost(running, texts):
    """Ask a server that is killed meanwhile."""
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        running.ask(*texts)


def wait_for(running, name, value):
    """Wait until a number of /metrics has a value."""
    for _ in range(1000):
        if running.page()[f"lmdistill_{name}"] == value:
            return
        time.sleep(0.005)
    pytest.fail(f"{name} is {running.page()[f'lmdistill_{name}']}, not {value}")


def test_a_full_queue_is_said_and_after_a_kill_a_new_server_goes_on(folder, tmp_path):
    audit = tmp_path / "audit.jsonl"
    recorded = ("--audit", audit, "--audit-share", 1)
    slow = ["--max-queue", "4", "--max-texts", "4", "--max-wait", "1500ms"]
    texts = [text_of(n) for n in range(3)]
    with served(folder, *slow, *recorded) as running:
        found = {}
        first = threading.Thread(target=lambda: found.update(answers=running.ask(*texts)))
        first.start()
        wait_for(running, "queue_texts", 3)
        status, said, headers = running.send(json.dumps({"texts": texts[:2]}))
        assert (status, headers["Retry-After"]) == (503, "1")
        assert said == {
            "error": "the queue takes 4 texts and has no room for this request. Send it again later."
        }
        first.join()
        assert all(map(is_right, texts, found["answers"]))
        port = running.port
        late = threading.Thread(target=lost, args=(running, texts))
        late.start()
        wait_for(running, "queue_texts", 3)
        assert running.end(signal.SIGKILL).code == -signal.SIGKILL
        late.join()
    with audit.open("a") as file:
        file.write('{"time": "2026')  # what a kill in the middle of a write leaves
    with served(folder, *recorded, port=port) as running:
        assert is_right(texts[0], running.ask(texts[0])[0])
        assert running.end().counts == (1, 0, 1)
    rows = [json.loads(line) for line in audit.read_text().splitlines()]
    assert [row["review"] for row in rows] == [*texts, texts[0]]
    assert [row["predicted"] for row in rows] == list(map(label_of, [*texts, texts[0]]))


def test_what_the_certificate_defers_is_answered_by_the_teacher_and_a_failure_leaves_the_students(tmp_path):
    folder = write_export(tmp_path / "out", threshold=THRESHOLD)
    audit = tmp_path / "audit.jsonl"

    def blue(request, number):
        return {"answers": [{"label": "blue", "confidence": 1.0} for _ in request["texts"]]}

    with scripted(blue) as teacher:
        options = (
            "--teacher",
            teacher.url,
            "--teacher-timeout",
            "2s",
            "--audit",
            audit,
            "--audit-share",
            1,
        )
        with served(folder, *options) as running:
            texts = [*SURE[:2], *UNSURE[:2], SURE[2]]
            answers = running.ask(*texts)
            assert [answer["by"] for answer in answers] == [
                "student",
                "student",
                "teacher",
                "teacher",
                "student",
            ]
            assert [answer["deferred"] for answer in answers] == [False, False, True, True, False]
            assert answers[2]["label"] == answers[3]["label"] == "blue"
            assert is_right(texts[2], answers[2]["student"])
            assert {"texts": texts[2:4]} in teacher.requests
            wait_for(running, "audit_rows_total", 5)  # the teacher was asked about the sure ones
            failures = {
                "status 500": (500, {}, {}),
                "a label that the model does not have": {"answers": [{"label": "pink"}]},
                "no answer in 2 s": (4.0, blue({"texts": ["a"]}, 0)),
                "cannot be reached": b"",
            }
            for number, (said, answer) in enumerate(failures.items()):
                teacher.answer = lambda request, number, answer=answer: answer
                (found,) = running.ask(UNSURE[3 + number])
                assert is_right(UNSURE[3 + number], found)
                assert (found["by"], found["deferred"]) == ("student", True)
                assert said in found["teacher_error"]
            teacher.answer = blue
            assert running.ask(UNSURE[9])[0]["by"] == "teacher"
            assert running.page()["lmdistill_teacher_failures_total"] == 4
            assert running.page()["lmdistill_deferred_texts_total"] == 7
            ended = running.end()
    assert ended.counts == (10, 7, 10)
    assert f"below {THRESHOLD:.4f} are deferred to the teacher" in ended.err
    rows = {row["review"]: row for row in map(json.loads, audit.read_text().splitlines())}
    assert len(rows) == 10
    for text in (*texts, UNSURE[9]):  # also those that the student answered itself
        assert rows[text]["teacher"] == "blue"
        assert rows[text]["predicted"] == label_of(text)
        assert rows[text]["defer"] is (text in UNSURE)
        assert abs(rows[text]["confidence"] - confidence_of(text)) < 1e-4
    assert all(rows[UNSURE[3 + number]]["teacher"] is None for number in range(4))


def test_without_a_teacher_deferred_texts_are_marked(folder, tmp_path):
    """Scores have no confidence, and a model of pairs refuses single texts; in one process each."""
    with served(write_export(tmp_path / "out", pairs=True, threshold=THRESHOLD)) as running:
        (sure, unsure) = running.ask([SURE[0], SURE[0]], [UNSURE[0], UNSURE[0]])
        assert (sure["by"], sure["deferred"]) == ("student", False)
        assert (unsure["by"], unsure["deferred"], unsure["label"]) == ("student", True, label_of(UNSURE[0]))
        assert "teacher_error" not in unsure
        status, said, _ = running.send(json.dumps({"text": "a"}))
        assert status == 422
        assert said["error"].startswith(
            "text 1 is a single text, and the model was trained on pairs of texts"
        )


def test_a_port_in_use_is_one_line(server, folder, refused):
    assert refused(folder, "--port", server.port) == (
        f"error: port {server.port} of 127.0.0.1 is in use. Choose another --port, 0 for a free one, or stop the "
        "program that uses it.\n"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--max-wait", "2"), r"'2' is no time with a unit, such as 2ms"),
        (("--teacher-timeout", "soon"), r"'soon' is no time with a unit"),
        (("--teacher-timeout", "0s"), r"--teacher-timeout must be over 0 s"),
        (("--max-batch", "0"), r"--max-batch must be at least 1, got 0"),
        (("--graph", "openvino"), r"has no graph 'openvino'; there are onnx"),
        (("--audit", "audit.csv"), r"--audit writes JSON lines"),
        (("--host", "no host"), r"--host no host is no address of this machine"),
        (("--teacher", "ftp://a"), r"--teacher must be an address"),
    ],
)
def test_options_that_cannot_be_are_one_line(folder, refused, tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    assert re.search(said, refused(folder, "--port", 0, *options))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_another_server_writes_and_a_server_that_asks_itself_are_one_line(
    folder, refused, tmp_path
):
    with sole_writer(tmp_path / "audit.jsonl"):
        said = refused(folder, "--port", 0, "--audit", tmp_path / "audit.jsonl")
    assert "audit.jsonl is being written by another command" in said
    assert "choose another --audit." in said
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = refused(folder, "--port", port, "--teacher", f"http://localhost:{port}/predict")
    assert "is the address of this server" in said


def test_folders_that_cannot_be_served_are_one_line(refused, tmp_path):
    assert "holds no exported model" in refused(tmp_path, "--port", 0)
    broken = write_export(tmp_path / "out")
    (broken / "onnx" / "model.onnx").write_bytes(b"no graph")
    assert "since the export" in refused(broken, "--port", 0)


def test_a_missing_package_is_named_with_what_to_type(folder, refused, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "lmdistill.commands.serve.find_spec", lambda name: None if name == "uvicorn" else real(name)
    )
    said = refused(folder)
    assert said == 'error: serve needs uvicorn, which is not installed. Run: pip install "lmdistill[serve]"\n'


def test_scores_and_8_bit_graphs_are_served(tmp_path):
    folder = write_export(tmp_path / "out", kind="regression", graph="onnx-int8")
    with served(folder) as running:
        texts = [text_of(n, n + 1) for n in range(20)]
        for text, answer in zip(texts, running.ask(*texts), strict=True):
            assert set(answer) == {"score", "by", "deferred"}
            assert answer["score"] == pytest.approx(expected(text)[0], abs=1e-5)
        assert running.page()["lmdistill_batch_texts_count"] == 20  # one text at a time
