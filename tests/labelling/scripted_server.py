"""An OpenAI-compatible server on this machine whose answers a test writes."""

import json
import math
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def reply(content, *, top=None, finish="stop", usage=(30, 2), **message):
    """The body of an answer; `top` are pairs of a token and its probability at the first position."""
    choice = {
        "index": 0,
        "finish_reason": finish,
        "message": {"role": "assistant", "content": content, **message},
    }
    if top is not None:
        listed = [{"token": token, "logprob": math.log(share), "bytes": None} for token, share in top]
        choice["logprobs"] = {
            "content": [{"token": listed[0]["token"], "logprob": 0.0, "top_logprobs": listed}]
        }
    body = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
    if usage is not None:
        body["usage"] = dict(zip(("prompt_tokens", "completion_tokens"), usage, strict=True))
    return body


class Script:
    """What the server answers: a function of a request and its number, and all requests that it has got.

    The function returns the body, or (status, body, headers), or a number of seconds to be silent first and
    then the body, or bytes that are sent as they are before the connection is cut.
    """

    def __init__(self, answer):
        self.answer, self.requests, self.keys = answer, [], []
        self.lock = threading.Lock()
        self.url = ""

    def take(self, request, key):
        """Count a request; what is answered."""
        with self.lock:
            self.requests.append(request)
            self.keys.append(key)
            number = len(self.requests) - 1
        return self.answer(request, number)

    @property
    def prompts(self):
        """The prompts of all requests."""
        return [request["messages"][0]["content"] for request in self.requests]


def by_text(word_of):
    """An answer with log-probabilities that prefers the label which `word_of` gives for a prompt."""

    def answer(request, number):
        prompt = request["messages"][0]["content"]
        word = word_of(prompt)
        other = "neg" if word == "pos" else "pos"
        top = [(word, 0.7), (other, 0.2), ("the", 0.05)] if request.get("logprobs") else None
        return reply(word, top=top)

    return answer


@contextmanager
def serve(answer):
    """A running server with a script."""
    script = Script(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found = script.take(json.loads(body), self.headers.get("Authorization", ""))
            seconds, found = (
                found if isinstance(found, tuple) and isinstance(found[0], float) else (0.0, found)
            )
            time.sleep(seconds)
            if isinstance(found, bytes):
                self.wfile.write(found)
                self.close_connection = True
                return
            status, content, headers = found if isinstance(found, tuple) else (200, found, {})
            data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, client_address):
            """A client that was killed or has waited long enough is part of the tests."""

    with Server(("127.0.0.1", 0), Handler) as server:
        script.url = f"http://127.0.0.1:{server.server_port}/v1"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield script
        finally:
            server.shutdown()
