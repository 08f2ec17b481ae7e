"""The answer of a server: the reply, its first tokens, and what it has cost."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lmdistill.labelling.request_errors import CallFailedError, Failure, server_words

MOST_TOKENS = 10**9
"""Largest number of tokens of a call that is believed."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a server answered."""

    text: str
    """The model's reply."""

    finish: str
    """Why it ended: `stop`, `length`, `content_filter` or the server's own word."""

    refusal: str = ""
    """The server's words if the model refused; "" if it did not."""

    top: tuple[tuple[str, float], ...] | None = None
    """(token, log-probability in nats) at the first position; None if the server gave none."""

    input_tokens: int | None = None
    """Tokens of the prompt; None if the server does not say."""

    output_tokens: int | None = None
    """Tokens of the reply; None if the server does not say."""


def parse_reply(body: str) -> Reply:
    """The reply in the body of an answer.

    Args:
        body: JSON as `/chat/completions` gives it. Fields that are not needed may be missing or wrong.

    Raises:
        CallFailedError: It is not JSON, or has no reply. The answer may cost money.

    Examples:
        >>> parse_reply('{"choices": [{"message": {"content": "good"}, "finish_reason": "stop"}]}').text
        'good'
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise _unusable("the answer is not JSON") from None
    try:
        choice = value["choices"][0]
        message = choice["message"]
        text, refusal = message.get("content"), message.get("refusal")
    except (KeyError, IndexError, TypeError, AttributeError):
        words = f": {server_words(body)}" if isinstance(value, Mapping) and "error" in value else ""
        raise _unusable(f"the answer has no reply in choices[0].message{words}") from None
    if not isinstance(text, str | None):
        raise _unusable(f"the reply is a {type(text).__name__}, where a text is needed")
    usage = value.get("usage")
    return Reply(
        text=text or "",
        finish=str(choice.get("finish_reason") or ""),
        refusal=refusal if isinstance(refusal, str) else "",
        top=_first_tokens(choice.get("logprobs")),
        input_tokens=_count(usage, "prompt_tokens"),
        output_tokens=_count(usage, "completion_tokens"),
    )


def _unusable(reason: str) -> CallFailedError:
    """The error for an answer without a reply; another try may bring one."""
    return CallFailedError(Failure(action="retry", reason=reason, may_cost=True))


def _first_tokens(logprobs: Any) -> tuple[tuple[str, float], ...] | None:
    """The most likely tokens at the first position, as `logprobs` of a choice has them."""
    try:
        top = logprobs["content"][0]["top_logprobs"]
        found = tuple((str(one["token"]), float(one["logprob"])) for one in top)
    except (KeyError, IndexError, TypeError, ValueError):
        return None
    return found or None


def _count(usage: Any, name: str) -> int | None:
    """A number of tokens; None if it is missing, or no number that can be one."""
    value = usage.get(name) if isinstance(usage, Mapping) else None
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS
    return value if is_count else None
