"""The body of a request for predictions: what is read of it, and what is refused with one sentence."""

import json
from dataclasses import dataclass
from typing import Any

from lmdistill.serving.predictor import Text

MOST_BYTES = 4 * 2**20
"""Bytes of the body of a request at most."""

FORM = 'Send an object such as {"texts": ["a text"]}'

OK, BAD_REQUEST, NOT_FOUND, WRONG_METHOD, TIMEOUT = 200, 400, 404, 405, 408
TOO_LARGE, WRONG_TYPE, UNUSABLE, FAILED, BUSY = 413, 415, 422, 500, 503


class RefusedError(Exception):
    """A request that is not answered.

    Args:
        status: Status of the reply, in [400, 599].
        sentence: What is wrong with the request, and what to do; it quotes no text of it.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


@dataclass(frozen=True, kw_only=True)
class BodyLimits:
    """What a request may hold, and what the model reads."""

    max_texts: int
    """Texts at most."""

    max_characters: int
    """Characters of a text, or of both texts of a pair, at most."""

    pairs: bool | None
    """Whether the model reads pairs; None if that is not known, so that both are taken."""


def read_texts(body: bytes, limits: BodyLimits) -> list[Text]:
    """The texts of a request, or its pairs.

    Args:
        body: A JSON object with `texts`, a list of texts or of pairs, or with `text`, one of them.
        limits: What it may hold.

    Raises:
        RefusedError: If it is not JSON (400), too large (413), or not what the model reads (422).
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise RefusedError(BAD_REQUEST, f"the body is not JSON. {FORM}.") from None
    texts = _listed(found)
    if len(texts) > limits.max_texts:
        raise RefusedError(
            TOO_LARGE,
            f"the request has {len(texts)} texts, and {limits.max_texts} are allowed. Send them in parts.",
        )
    return [_text(one, number, limits) for number, one in enumerate(texts, start=1)]


def _listed(found: Any) -> list[Any]:
    """What stands in `texts` or `text`."""
    if not isinstance(found, dict):
        raise RefusedError(UNUSABLE, f"the body is no JSON object. {FORM}.")
    if set(found) == {"text"}:
        return [found["text"]]
    if set(found) != {"texts"}:
        raise RefusedError(
            UNUSABLE, f"the body needs the key texts, or text for one, and no other key. {FORM}."
        )
    if not isinstance(found["texts"], list):
        raise RefusedError(UNUSABLE, f"texts is no list. {FORM}.")
    return found["texts"]


def _text(found: Any, number: int, limits: BodyLimits) -> Text:
    """One text or pair."""
    is_pair = isinstance(found, list) and len(found) == 2 and all(isinstance(one, str) for one in found)
    if not is_pair and not isinstance(found, str):
        raise RefusedError(
            UNUSABLE, f"text {number} is neither a string nor a list of two strings. Send one of these."
        )
    if limits.pairs is not None and is_pair != limits.pairs:
        reads, sent = ("pairs of texts", "a single text") if limits.pairs else ("single texts", "a pair")
        form = '["first text", "second text"]' if limits.pairs else "a string"
        raise RefusedError(
            UNUSABLE, f"text {number} is {sent}, and the model was trained on {reads}. Send {form} for each."
        )
    parts = found if is_pair else [found]
    size = sum(map(len, parts))
    if size > limits.max_characters:
        raise RefusedError(
            TOO_LARGE,
            f"text {number} has {size} characters, and {limits.max_characters} are allowed. Shorten it.",
        )
    if any("\ud800" <= sign <= "\udfff" for part in parts for sign in part):
        raise RefusedError(
            UNUSABLE, f"text {number} has half of a surrogate pair, which is no character. Remove it."
        )
    return (parts[0], parts[1]) if is_pair else str(found)
