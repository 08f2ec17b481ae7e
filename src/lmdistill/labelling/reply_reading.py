"""Replies to distributions; those that refuse, or name no label, are rejected with a reason."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lmdistill.core.errors import DataError
from lmdistill.labelling.api_reply import Reply
from lmdistill.labelling.label_probabilities import (
    MOST_UNASSIGNED,
    LabelDistribution,
    Source,
    from_samples,
    from_top_logprobs,
)
from lmdistill.labelling.label_words import LabelWords

FILTERED = "content_filter"
"""Why a reply ended, where the server's filter ended it."""

CUT = "length"
"""Why a reply ended, where it was too long."""

APOSTROPHE = "['\u2019]"
REFUSAL = re.compile(
    rf"\s*(?:sorry,|as an ai\b|unfortunately, i|i(?:{APOSTROPHE}m| am) (?:very )?(?:sorry|unable|not able)|"
    rf"i (?:cannot|can{APOSTROPHE}t|won{APOSTROPHE}t))",
    re.IGNORECASE,
)
"""How models begin to refuse in English."""

Reason = Literal["refused", "unparsable", "unfit"]
"""The model refused, the reply names no label, or the server cannot use the request."""


@dataclass(frozen=True, kw_only=True)
class Rejection:
    """Why a text has no probabilities, though the teacher or the server answered."""

    reason: Reason
    """In one word."""

    detail: str
    """In one sentence without a full stop."""

    reply: str = ""
    """The model's reply as it came; the first one without a label, if there are several."""


def read_replies(
    replies: Sequence[Reply], words: LabelWords, source: Source
) -> LabelDistribution | Rejection:
    """Probabilities from the replies to one text, or why there are none.

    A text is rejected if the replies name no label, or if more than `MOST_UNASSIGNED` of the probability, or
    of the samples, is on no label.

    Args:
        replies: One with log-probabilities, or all samples, at least one.
        words: The labels and their words.
        source: What the replies hold.

    Raises:
        ConfigError: A likely token begins the words of several labels.
    """
    numbers = [None if _refuses(reply) else words.read(reply.text) for reply in replies]
    pairs = zip(replies, numbers, strict=True)
    wrong = next((reply for reply, number in pairs if number is None), replies[0])
    try:
        if source == "samples":
            found = from_samples(numbers, len(words.labels))
        else:
            found = from_top_logprobs(_top(replies[0]), words)
    except DataError as error:
        return _rejection(wrong, str(error))
    if found.unassigned > MOST_UNASSIGNED:
        share = "of the samples" if source == "samples" else "of the probability"
        return _rejection(wrong, f"{100 * found.unassigned:.0f} % {share} is on no label")
    return found


def _top(reply: Reply) -> tuple[tuple[str, float], ...]:
    """The first tokens of a reply; an error if there are none."""
    if reply.refusal or reply.finish == FILTERED:
        raise DataError("the model refuses")
    if reply.top is None:
        raise DataError("the reply has no log-probabilities")
    return reply.top


def _refuses(reply: Reply) -> bool:
    """Whether a reply is a refusal, by the server's word or by its beginning."""
    return bool(reply.refusal) or reply.finish == FILTERED or REFUSAL.match(reply.text) is not None


def _rejection(reply: Reply, detail: str) -> Rejection:
    """The rejection of a text, with the reply that shows why."""
    if _refuses(reply):
        return Rejection(reason="refused", detail="the model refuses", reply=reply.refusal or reply.text)
    cut = "; the reply was cut, see --max-new" if reply.finish == CUT else ""
    return Rejection(reason="unparsable", detail=f"{detail}{cut}", reply=reply.text)
