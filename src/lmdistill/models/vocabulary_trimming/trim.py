"""A classifier with the part of its vocabulary that texts need, and the check that logits are the same."""

import logging
import random
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from lmdistill.core.batch import Inputs
from lmdistill.core.errors import ModelError
from lmdistill.models.classifier import Network
from lmdistill.models.vocabulary_trimming.chosen_pieces import ChosenPieces, Size, choose_pieces
from lmdistill.models.vocabulary_trimming.embeddings import reserved_ids, with_rows
from lmdistill.models.vocabulary_trimming.text_pieces import (
    Texts,
    changed_texts,
    require_same_pieces,
    used_pieces,
)
from lmdistill.models.vocabulary_trimming.tokenizer_definition import definition_of
from lmdistill.models.vocabulary_trimming.trimmed_tokenizer import trimmed_tokenizer
from lmdistill.records.vocabulary_facts import VocabularyFacts

COMPARED = 256
"""Largest number of texts whose logits are compared: the longest and the shortest quarter, the rest drawn."""

BATCH = 32
"""Texts whose logits are computed together."""

TOLERANCE = 1e-5
"""Largest difference of logits before and after."""

log = logging.getLogger("lmdistill")


def pieces_for(
    network: Network, texts: Texts, size: Size, *, setting: str = "student.vocabulary"
) -> ChosenPieces:
    """The word pieces of a smaller vocabulary for a network; see `choose_pieces`.

    Args:
        network: A classifier with a fast tokenizer of the kind WordPiece, BPE or Unigram.
        texts: What the network was trained on.
        size: Number of pieces, >= 1; or "texts" for those that are needed.
        setting: What the user calls `size`, for the message.

    Raises:
        ModelError: If the vocabulary of this tokenizer cannot be trimmed.
        ConfigError: If the texts need more than `size` pieces.
    """
    definition = definition_of(network.tokenizer, network.source)
    used = used_pieces(network.tokenizer, definition, texts)
    known = set(definition.ids.values())
    return choose_pieces(
        definition, used, size, reserved=reserved_ids(network.model) & known, setting=setting
    )


def trim_to_pieces(
    network: Network, chosen: ChosenPieces, texts: Texts, dev: Mapping[str, Texts], *, max_length: int
) -> tuple[Network, VocabularyFacts]:
    """A network with some word pieces only, whose logits for the texts are the same.

    Rows of the embeddings and ids of the tokenizer are renumbered together, in their old order. The word
    pieces of all texts are compared, and the logits of up to `COMPARED` of them.

    Args:
        network: A classifier in float32; not changed.
        chosen: From `pieces_for` with the same texts.
        texts: What the network was trained on; at least one.
        dev: Other texts by the name of their split, in which changes are counted.
        max_length: Longest input in tokens, for the logits.

    Returns:
        The new network on the same device, or `network` itself if no piece is dropped; and what changed.

    Raises:
        ModelError: If a text has other word pieces or other logits than before, or the tokenizer or the
            embeddings cannot be trimmed.
    """
    definition = definition_of(network.tokenizer, network.source)
    small = network
    if chosen.is_whole:
        log.info("%s keeps its whole vocabulary of %d word pieces", network.source, chosen.before)
    else:
        tokenizer = trimmed_tokenizer(network.tokenizer, definition, chosen.new_ids, network.source)
        model = with_rows(network.model, chosen.kept, source=network.source)
        small = Network(model, tokenizer, source=network.source)
    before, after = network.tokenizer, small.tokenizer
    lengths = require_same_pieces(before, after, texts, chosen.new_ids)
    sample = texts.select(_sampled(lengths))
    tables: Any = [one.model.get_input_embeddings() for one in (network, small)]
    return small, VocabularyFacts(
        pieces_before=chosen.before,
        pieces=len(chosen.kept),
        needed=chosen.needed,
        composing=chosen.composing,
        filled=chosen.filled,
        embedding_bytes_before=4 * tables[0].weight.numel(),
        embedding_bytes=4 * tables[1].weight.numel(),
        texts=len(texts.first),
        compared_logits=len(sample.first),
        largest_difference=_difference(network, small, sample, max_length),
        changed={name: changed_texts(before, after, rows, chosen.new_ids) for name, rows in dev.items()},
    )


def _sampled(lengths: Sequence[int]) -> list[int]:
    """Numbers of the longest and the shortest texts and of some others, by length."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    if len(order) <= COMPARED:
        return order
    quarter = COMPARED // 4
    middle = order[quarter:-quarter]
    drawn = sorted(random.Random(0).sample(range(len(middle)), COMPARED - 2 * quarter))
    return [*order[:quarter], *(middle[place] for place in drawn), *order[-quarter:]]


def _difference(network: Network, small: Network, texts: Texts, max_length: int) -> float:
    """The largest difference of the logits of both networks.

    Raises:
        ModelError: If it is above `TOLERANCE`.
    """
    largest = 0.0
    for start in range(0, len(texts.first), BATCH):
        rows = texts.select(range(start, min(start + BATCH, len(texts.first))))
        before, after = (_logits(one, rows, max_length) for one in (network, small))
        largest = max(largest, float((before - after).abs().max()))
    if not largest <= TOLERANCE:  # true of NaN too
        raise ModelError(
            f"the logits of {network.source} differ by {largest:.3g} with the trimmed vocabulary, and at "
            f"most {TOLERANCE:g} is allowed: another part of the model depends on its ids. Leave its "
            "vocabulary whole."
        )
    return largest


@torch.no_grad()
def _logits(network: Network, texts: Texts, max_length: int) -> Float[Tensor, "b v"]:
    """Logits of texts, in evaluation mode."""
    encoded = network.tokenizer(
        list(texts.first),
        None if texts.second is None else list(texts.second),
        truncation="longest_first",
        max_length=max_length,
        padding=True,
        return_attention_mask=True,
        return_tensors="pt",
    ).to(network.model.device)
    mode = network.training
    network.eval()
    inputs = Inputs(
        ids=encoded["input_ids"], mask=encoded["attention_mask"], segments=encoded.get("token_type_ids")
    )
    logits: Tensor = network(inputs).logits.float()
    network.train(mode)
    return logits
