"""One vocabulary for student and teacher: the same strings under the same ids, and no id without a string."""

import logging
from typing import Any

from lmdistill.core.errors import MismatchError
from lmdistill.models.causal_lm import LanguageNetwork

log = logging.getLogger("lmdistill")

PROBES = (
    "The quick brown fox, it's said, jumps over 13 lazy dogs.",
    "  two  spaces\n\tand a tab; naïve café, 日本語 and 🙂",
    "def f(x):\n    return x ** 2  # CamelCase and snake_case",
)
"""Texts that two tokenizers must cut alike."""


def tokenizer_size(tokenizer: Any) -> int:
    """The number of ids that a tokenizer uses: its largest one plus 1, special tokens included."""
    return int(max(tokenizer.get_vocab().values())) + 1


def trim_vocabulary(network: LanguageNetwork, role: str = "model") -> None:
    """Make a network answer for the tokens of its tokenizer only, in place; see `align_vocabularies`.

    Args:
        network: Its `vocabulary` becomes the size of the tokenizer; no weight changes.
        role: What messages call it.

    Raises:
        MismatchError: If it has fewer outputs than that.
    """
    size, rows = tokenizer_size(network.tokenizer), network.rows
    if rows < size:
        raise MismatchError(
            f"the tokenizer has {size} tokens and the {role} ({network.source}) writes {rows}. Use a "
            "model with its own tokenizer."
        )
    if network.vocabulary > size:
        log.info("%s has %d outputs for %d tokens; the others are left out", network.source, rows, size)
    network.limit_vocabulary(size)


def align_vocabularies(student: LanguageNetwork, teacher: LanguageNetwork) -> None:
    """Make both networks answer for the same tokens, in place.

    Embedding matrices are often padded beyond the tokenizer, and not equally far. Ids that stand for nothing
    are left out of both networks' distributions, instead of being given logits that nobody has learned.

    Args:
        student: Its `vocabulary` becomes the size of the tokenizer; no weight changes.
        teacher: Likewise.

    Raises:
        MismatchError: If the tokenizers differ, with the first two ids that do.
    """
    if student.tokenizer is not teacher.tokenizer:
        _require_same(student, teacher)
    trim_vocabulary(student, "student")
    trim_vocabulary(teacher, "teacher")


def _require_same(student: LanguageNetwork, teacher: LanguageNetwork) -> None:
    """Equal strings under equal ids, equal special roles, equal cuts."""
    ours, theirs = (_strings(network.tokenizer) for network in (student, teacher))
    differing = [i for i in sorted(ours.keys() | theirs.keys()) if ours.get(i) != theirs.get(i)]
    who = f"the tokenizers of {student.source} and {teacher.source} differ"
    if differing:
        shown = ", ".join(f"id {i} is {_said(ours, i)} and {_said(theirs, i)}" for i in differing[:2])
        raise MismatchError(
            f"{who}: {shown}; {len(differing)} ids in all. Distilling tokens needs one tokenizer: use models "
            "of one family."
        )
    ends = [network.tokenizer.eos_token for network in (student, teacher)]
    if ends[0] != ends[1]:
        raise MismatchError(f"{who}: their end tokens are {ends[0]!r} and {ends[1]!r}. Set them alike.")
    for text in PROBES:
        cuts = [network.tokenizer(text)["input_ids"] for network in (student, teacher)]
        if cuts[0] != cuts[1]:
            raise MismatchError(
                f"{who}: {text!r} becomes {len(cuts[0])} and {len(cuts[1])} tokens, or others, from equal "
                "vocabularies. Save one tokenizer with both models."
            )


def _strings(tokenizer: Any) -> dict[int, str]:
    """The string of each id."""
    return {number: text for text, number in tokenizer.get_vocab().items()}


def _said(strings: dict[int, str], number: int) -> str:
    return repr(strings[number]) if number in strings else "nothing"
