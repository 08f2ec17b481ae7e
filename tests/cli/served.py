"""`lmdistill serve` as a process of its own on a free port, and a client for it."""

import http.client
import json
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass

from tests.tiny_recipe import ROOT, environment

HEAVY = {
    "torch",
    "transformers",
    "datasets",
    "accelerate",
    "scipy",
    "sklearn",
    "pandas",
    "pyarrow",
    "matplotlib",
}
CODE = f"""
import atexit, sys
atexit.register(lambda: print("heavy:", *sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr))
from lmdistill.cli.main import main
main(sys.argv[1:])
"""
"""The command line, which says at its end what heavy packages it has imported."""


@dataclass(frozen=True)
class Ended:
    """What a server left behind."""

    code: int
    out: str
    err: str

    @property
    def counts(self):
        """Texts answered, deferred and audited, as its last line says them."""
        found = re.fullmatch(
            r"stopped: (\d+) texts answered, (\d+) of them deferred, (\d+) audited\n", self.out
        )
        assert found, self.out
        return tuple(map(int, found.groups()))


class Served:
    """A running server."""

    def __init__(self, process):
        self.process, self.said, self.port = process, [], 0
        for line in process.stderr:
            self.said.append(line)
            if found := re.match(r"ready on http://127\.0\.0\.1:(\d+):", line):
                self.port = int(found[1])
                break
        assert self.port, "".join(self.said)
        self.rest = threading.Thread(target=lambda: self.said.extend(process.stderr), daemon=True)
        self.rest.start()

    def client(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def send(self, body, *, method="POST", path="/predict", headers=None, client=None):
        """Status, parsed body and headers of the reply to any request."""
        own = client or self.client()
        own.request(method, path, body, {"Content-Type": "application/json"} if headers is None else headers)
        reply = own.getresponse()
        content = reply.read()
        if client is None:
            own.close()
        is_json = reply.headers.get_content_type() == "application/json"
        return reply.status, json.loads(content) if is_json else content.decode(), reply.headers

    def ask(self, *texts, client=None):
        """The answers to texts."""
        status, found, _ = self.send(json.dumps({"texts": texts}), client=client)
        assert status == 200, found
        assert len(found["answers"]) == len(texts)
        return found["answers"]

    def page(self):
        """The numbers of /metrics by name."""
        lines = self.send(None, method="GET", path="/metrics", headers={})[1].splitlines()
        return {
            name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")
        }

    def end(self, number=signal.SIGTERM):
        """Send a signal and wait; what is left."""
        self.process.send_signal(number)
        out = self.process.stdout.read()
        code = self.process.wait(30)
        self.rest.join(5)
        return Ended(code, out, "".join(self.said))


@contextmanager
def served(folder, *options, port=0, cwd=ROOT):
    """A server of an exported folder."""
    words = ["serve", folder, "--port", port, *options]
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, *map(str, words)],
        cwd=cwd, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with process:
        try:
            yield Served(process)
        finally:
            process.kill()
