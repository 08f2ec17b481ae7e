"""What a failed request means: try it again, leave the text out, or stop."""

import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from lmdistill.core.printable import one_line

LONGEST_WORDS = 200
"""Characters of a server's message that are shown."""

LONGEST_RETRY_AFTER_S = 300.0
"""Seconds that a server may ask to wait; for more the command stops, and can be started again later."""

TEMPORARY = frozenset({408, 409, 425, 429})
"""Status codes below 500 after which the same request may succeed."""

UNFIT_TEXT = frozenset({400, 413, 422})
"""Status codes of requests that the server cannot use, such as a text that is too long."""

OUT_OF_MONEY = "insufficient_quota"
"""Code of a server whose account is empty; waiting does not help."""

Action = Literal["retry", "reject", "stop"]
"""Send the request again, leave the text out, or stop the command."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A request that brought no answer."""

    action: Action
    """What to do."""

    reason: str
    """What happened, on one line and without secrets."""

    status: int | None = None
    """Status code of the server; None if it sent none."""

    wait_s: float | None = None
    """Seconds that the server asks to wait, >= 0; None if it says nothing."""

    may_cost: bool = False
    """Whether the server may have computed an answer, and charges it."""

    words: str = ""
    """The server's own message, on one line and without secrets."""

    @property
    def is_unreachable(self) -> bool:
        """Whether no request reached a server."""
        return self.status is None and not self.may_cost and self.action == "retry"


class CallFailedError(Exception):
    """A request that brought no answer; `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


def failure_of_status(status: int, body: str, headers: Mapping[str, str], secret: str = "") -> Failure:
    """What an answer with an error code means.

    Args:
        status: HTTP status code, 300 to 599.
        body: Body of the answer.
        headers: Its headers, with names in lower case.
        secret: The key that was sent; it is hidden wherever the server repeats it.

    Examples:
        >>> failure_of_status(429, "", {"retry-after": "2"}).wait_s
        2.0
    """
    words = server_words(body, secret)
    said = f"{status}: {words}" if words else str(status)
    wait_s = retry_after_s(headers)
    action: Action = "stop"
    if status >= 500 or status in TEMPORARY:
        hopeless = OUT_OF_MONEY in body or (wait_s or 0.0) > LONGEST_RETRY_AFTER_S
        action = "stop" if hopeless else "retry"
    elif status in UNFIT_TEXT:
        action = "reject"
    return Failure(action=action, reason=said, status=status, wait_s=wait_s, words=words)


def server_words(body: str, secret: str = "") -> str:
    """The message in the body of an error, on one line, at most `LONGEST_WORDS` characters long.

    Args:
        body: JSON as OpenAI, FastAPI or Ollama write it, or any text.
        secret: A text that is replaced by `***`.

    Examples:
        >>> server_words('{"error": {"message": "no such model"}}')
        'no such model'
    """
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        found = body
    for name in ("error", "message", "detail"):
        if isinstance(found, Mapping) and name in found:
            found = found[name]
    text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=True)
    text = one_line(hidden(text, secret))
    return text if len(text) <= LONGEST_WORDS else text[: LONGEST_WORDS - 1] + "…"


def hidden(text: str, secret: str) -> str:
    """`text` with `***` for every occurrence of a secret; a blank one is none.

    Examples:
        >>> hidden("key sk-1 is wrong", "sk-1")
        'key *** is wrong'
    """
    return text.replace(secret, "***") if secret.strip() else text


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait as a server asks in `Retry-After`, a number or a date; None if it does not.

    Examples:
        >>> retry_after_s({"retry-after-ms": "250"}), retry_after_s({"retry-after": "soon"})
        (0.25, None)
    """
    text = headers.get("retry-after", "")
    if re.fullmatch(r"\d+(\.\d+)?", headers.get("retry-after-ms", "")):
        return float(headers["retry-after-ms"]) / 1000
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def backoff_s(attempt: int, *, first_s: float, longest_s: float, chance: float) -> float:
    """Seconds to wait before the next try: min(longest, first * 2^attempt) * u.

    Args:
        attempt: Number of the try that has failed, from 0.
        first_s: Longest wait after the first try, >= 0.
        longest_s: Longest wait after any try, >= 0.
        chance: A random number in [0, 1]; u = (1 + chance) / 2, so that clients do not return together.

    References:
        Exponential backoff with "equal jitter", as in Brooker, "Exponential Backoff And Jitter", 2015.

    Examples:
        >>> backoff_s(2, first_s=1.0, longest_s=60.0, chance=1.0)
        4.0
    """
    doubled = math.ldexp(first_s, min(attempt, 60))
    return min(longest_s, doubled) * (1 + chance) / 2
