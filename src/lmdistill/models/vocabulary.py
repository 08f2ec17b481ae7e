"""Alignment of the vocabularies of student and teacher: the same token for every id, and no unused ids."""

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
"""Texts that both tokenizers must split into the same tokens."""


def tokenizer_size(tokenizer: Any) -> int:
    """Size of a tokenizer's vocabulary: the largest id plus 1, including special tokens."""
    return int(max(tokenizer.get_vocab().values())) + 1


def trim_vocabulary(network: LanguageNetwork, role: str = "model") -> None:
    """Limit the outputs of a network to the tokens of its tokenizer, in place; see `align_vocabularies`.

    Args:
        network: Its `vocabulary` is set to the size of the tokenizer; weights do not change.
        role: Name of the network in messages, such as "student".

    Raises:
        MismatchError: If the network has fewer outputs than the tokenizer has tokens.
    """
    size, rows = tokenizer_size(network.tokenizer), network.rows
    if rows < size:
        raise MismatchError(
            f"the tokenizer has {size} tokens and the {role} ({network.source}) predicts {rows}. Use a "
            "model with its own tokenizer."
        )
    if network.vocabulary > size:
        log.info("%s has %d outputs for %d tokens; the others are ignored", network.source, rows, size)
    network.limit_vocabulary(size)


def align_vocabularies(student: LanguageNetwork, teacher: LanguageNetwork) -> None:
    """Limit both networks to the same tokens, in place.

    Embedding matrices often have more rows than the tokenizer has tokens, and student and teacher may have
    different numbers of such padding rows. They are excluded from the distributions of both networks, because
    their logits are not trained.

    Args:
        student: Its `vocabulary` is set to the size of the tokenizer; weights do not change.
        teacher: Changed in the same way.

    Raises:
        MismatchError: If the tokenizers differ; the message gives the first two ids that do.
    """
    if student.tokenizer is not teacher.tokenizer:
        _require_same_tokenizer(student, teacher)
    trim_vocabulary(student, "student")
    trim_vocabulary(teacher, "teacher")


def _require_same_tokenizer(student: LanguageNetwork, teacher: LanguageNetwork) -> None:
    """Check that both tokenizers have the same ids and end token, and split `PROBES` in the same way."""
    ours, theirs = (_tokens_by_id(network.tokenizer) for network in (student, teacher))
    differing = [i for i in sorted(ours.keys() | theirs.keys()) if ours.get(i) != theirs.get(i)]
    problem = f"the tokenizers of {student.source} and {teacher.source} differ"
    if differing:
        shown = ", ".join(f"id {i} is {_quoted(ours, i)} and {_quoted(theirs, i)}" for i in differing[:2])
        raise MismatchError(
            f"{problem}: {shown}; {len(differing)} ids in all. Distilling tokens needs one tokenizer: use "
            "models of one family."
        )
    end_tokens = [network.tokenizer.eos_token for network in (student, teacher)]
    if end_tokens[0] != end_tokens[1]:
        raise MismatchError(
            f"{problem}: their end tokens are {end_tokens[0]!r} and {end_tokens[1]!r}. Use the same one."
        )
    for text in PROBES:
        ids = [network.tokenizer(text)["input_ids"] for network in (student, teacher)]
        if ids[0] != ids[1]:
            raise MismatchError(
                f"{problem} although their vocabularies are the same: they split {text!r} into different "
                f"tokens, {len(ids[0])} and {len(ids[1])} of them. Save one tokenizer with both models."
            )


def _tokens_by_id(tokenizer: Any) -> dict[int, str]:
    """The token of each id, as a string."""
    return {number: token for token, number in tokenizer.get_vocab().items()}


def _quoted(tokens: dict[int, str], number: int) -> str:
    return repr(tokens[number]) if number in tokens else "nothing"
