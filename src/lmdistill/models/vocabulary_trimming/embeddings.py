"""Word embeddings with fewer rows, and the configuration that counts them."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from lmdistill.core.errors import ModelError


def reserved_ids(model: PreTrainedModel) -> set[int]:
    """Ids that a model names in its configuration, and those before its padding if positions are counted.

    The family of RoBERTa numbers positions from the id of the padding on, so that id must not change.
    """
    found = {number for value in _token_ids(model.config).values() for number in _listed(value)}
    for name, module in model.named_modules():
        is_table = name.split(".")[-1] == "position_embeddings" and isinstance(module, nn.Embedding)
        if is_table and module.padding_idx is not None:
            found |= set(range(module.padding_idx + 1))
    return found


def with_rows(model: PreTrainedModel, kept: Sequence[int], *, source: str) -> PreTrainedModel:
    """A copy of a model with some rows of its word embeddings.

    Args:
        model: Any model with one table of word embeddings, which other layers may share; not changed.
        kept: Old ids of the rows, ascending; row k of the copy is the old row `kept[k]`.
        source: Its name, for messages.

    Raises:
        ModelError: If its word embeddings are not one table.
    """
    small, new_ids = copy.deepcopy(model), {old: new for new, old in enumerate(kept)}
    table = small.get_input_embeddings()
    if not isinstance(table, nn.Embedding):
        raise ModelError(
            f"the word embeddings of {source} are a {type(table).__name__} and not one table, so its "
            "vocabulary cannot be trimmed. Use a model of another family."
        )
    old = table.weight
    rows = torch.tensor(kept, device=old.device)
    new = nn.Parameter(old.detach().index_select(0, rows), requires_grad=old.requires_grad)
    modules: Any = small.modules()
    for module in modules:
        if getattr(module, "weight", None) is old:  # tied layers have the same rows
            module.weight = new
            if isinstance(module, nn.Embedding):
                module.num_embeddings = len(kept)
                module.padding_idx = new_ids.get(-1 if module.padding_idx is None else module.padding_idx)
    config: Any = small.config
    config.vocab_size = len(kept)
    for name, value in _token_ids(config).items():
        setattr(config, name, _renumbered(value, new_ids))
    return small


def _token_ids(config: Any) -> dict[str, Any]:
    """Fields of a configuration with the ids of tokens."""
    fields = config.to_dict()
    return {name: getattr(config, name) for name in fields if name.endswith(("token_id", "token_ids"))}


def _listed(value: Any) -> list[int]:
    """One id, several or none as a list."""
    values = value if isinstance(value, list | tuple) else [value]
    return [number for number in values if isinstance(number, int) and not isinstance(number, bool)]


def _renumbered(value: Any, new_ids: Mapping[int, int]) -> Any:
    """New ids of one token or several; None for a token that the tokenizer does not have."""
    if isinstance(value, list | tuple):
        return [new_ids[number] for number in _listed(value) if number in new_ids]
    return new_ids.get(value) if isinstance(value, int) else value
