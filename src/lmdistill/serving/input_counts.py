"""Lengths and unknown pieces of texts, as an exported classifier reads them."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from lmdistill.serving.predictor import Predictor


def input_counts(
    predictor: Predictor, first: Sequence[str], second: Sequence[str] | None = None
) -> tuple[Int[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Number of tokens of each text or pair after truncation, and whether one of them is the unknown piece.

    Args:
        predictor: Whose tokenizer reads them.
        first: The texts, or the first text of each pair.
        second: The second text of each pair.

    Returns:
        Tokens, special ones included, (n,), and whether the text has a piece that the vocabulary lacks, (n,);
        a vocabulary of bytes lacks none.
    """
    rows = predictor.encode(first, second)
    missing = unknown_piece(predictor.tokenizer)
    tokens = np.array([len(row.ids) for row in rows], dtype=np.int64)
    return tokens, np.array([missing in row.ids for row in rows], dtype=bool)


def unknown_piece(tokenizer: Any) -> int | None:
    """Id of the piece that stands for what the vocabulary of a `tokenizers.Tokenizer` lacks; None if none.

    Examples:
        >>> from tokenizers import Tokenizer, models
        >>> unknown_piece(Tokenizer(models.Unigram([("a", -1.0), ("<unk>", -9.0)], unk_id=1)))
        1
        >>> unknown_piece(Tokenizer(models.BPE({"a": 0}, []))) is None
        True
    """
    model = json.loads(tokenizer.to_str())["model"]
    named = model.get("unk_token")
    if named is not None:
        found: int | None = tokenizer.token_to_id(named)
        return found
    number: int | None = model.get("unk_id")
    return number
