"""Asks another server for the answers to texts that the student defers."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from lmdistill.serving.answers import Value, read_value
from lmdistill.serving.manifest import Answers
from lmdistill.serving.predictor import Text

AT_ONCE = 8
"""Requests to the teacher at the same time."""

MOST_BYTES = 16 * 2**20
"""Bytes of its reply at most."""

LOCAL = ("localhost", "127.0.0.1", "::1")
"""Hosts that no proxy stands before."""


class TeacherError(Exception):
    """The teacher gave no answer that can be used; the message is one sentence and has no text in it."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, since a request would become another one without texts."""

    def redirect_request(self, *given: Any, **named: Any) -> None:
        """None, which makes the redirect an error."""
        return None


class TeacherClient:
    """The server that answers deferred texts; it speaks what `lmdistill serve` does.

    Args:
        address: Its address; `/predict` is added to one without a path.
        answers: What the student's outputs mean, which are the answers that can be used.
        timeout: Seconds that it has for a request, the wait for a free connection included, > 0.
        max_waiting: Texts that wait for it at the same time at most, >= 1.
    """

    def __init__(self, address: str, *, answers: Answers, timeout: float, max_waiting: int) -> None:
        self.address = address if urlsplit(address).path.strip("/") else f"{address.rstrip('/')}/predict"
        self.answers, self.timeout, self.max_waiting = answers, timeout, max_waiting
        self._waiting = 0
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="teacher")
        local = urlsplit(address).hostname in LOCAL
        proxies = [urllib.request.ProxyHandler({})] if local else []
        self._opener = urllib.request.build_opener(_NoRedirect, *proxies)

    async def ask(self, texts: Sequence[Text]) -> list[Value]:
        """The teacher's answer to each text.

        Raises:
            TeacherError: If it gives none that can be used, or not in time.
        """
        if self._waiting + len(texts) > self.max_waiting:
            raise TeacherError(f"{self.max_waiting} texts wait for the teacher already")
        self._waiting += len(texts)
        deadline = time.monotonic() + self.timeout
        try:
            async with asyncio.timeout(self.timeout):
                return await asyncio.get_running_loop().run_in_executor(
                    self._threads, self._asked, list(texts), deadline
                )
        except TimeoutError:
            raise self._late() from None
        finally:
            self._waiting -= len(texts)

    def close(self) -> None:
        """Ask nothing more; requests that are under way end with their time."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _asked(self, texts: list[Text], deadline: float) -> list[Value]:
        """One request, in a thread."""
        body = json.dumps({"texts": texts}, ensure_ascii=False).encode()
        request = urllib.request.Request(self.address, body, {"Content-Type": "application/json"})
        try:
            with self._opener.open(request, timeout=self._left(deadline)) as reply:
                found = self._read(reply, deadline)
        except urllib.error.HTTPError as error:
            error.close()
            raise TeacherError(f"the teacher answers with status {error.code}") from None
        except TimeoutError:
            raise self._late() from None
        except (OSError, ValueError, HTTPException) as error:
            if isinstance(getattr(error, "reason", None), TimeoutError):
                raise self._late() from None
            raise TeacherError("the teacher cannot be reached") from None
        return self._values(found, len(texts))

    def _read(self, reply: Any, deadline: float) -> bytes:
        """The body of a reply, as far as it comes in time."""
        parts, size = [], 0
        while part := reply.read1(65_536):
            parts.append(part)
            size += len(part)
            if size > MOST_BYTES:
                raise TeacherError(f"the teacher's reply has more than {MOST_BYTES} bytes")
            self._left(deadline)
        return b"".join(parts)

    def _values(self, body: bytes, count: int) -> list[Value]:
        """The answers in the body of a reply."""
        try:
            found = json.loads(body)["answers"]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise TeacherError("the teacher gives a reply that is no JSON object with answers") from None
        if not isinstance(found, list) or len(found) != count:
            raise TeacherError(f"the teacher's reply has no list of {count} answers")
        try:
            return [read_value(self.answers, one) for one in found]
        except ValueError as error:
            raise TeacherError(f"the teacher {error}") from None

    def _left(self, deadline: float) -> float:
        """Seconds until a deadline."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise self._late()
        return left

    def _late(self) -> TeacherError:
        """An error about an answer that has not come in time."""
        return TeacherError(f"the teacher gave no answer in {self.timeout:g} s")
