"""Whether the weights of a file are those of the model that was made for them: all used, and all numbers."""

import re
from collections.abc import Collection
from typing import Any

import torch
from torch import nn

from lmdistill.core.errors import ModelError

UNUSED = re.compile(
    r"(^|\.)(position_ids|token_type_ids|inv_freq|masked_bias)$|(^|\.)(attn|attention)\.bias$|(^|\.)pooler\."
)
"""Weights in files of which models may make no use: tables that are computed, masks, and poolers."""


def require_used(
    location: str, model: Any, unexpected: Collection[str], *, unread: tuple[str, ...] = ()
) -> None:
    """Check that the model has a place for all weights of the backbone in its files.

    It has not if, for example, its configuration has fewer layers. Weights of other heads may be left out.

    Args:
        location: Folder or hub id, for the message.
        model: A model of transformers with its weights.
        unexpected: Names of weights in the files that the model did not load.
        unread: Prefixes of the names of weights that are not loaded on purpose.

    Raises:
        ModelError: If there are such weights.
    """
    backbone: nn.Module = model.base_model
    prefix = "" if backbone is model else f"{model.base_model_prefix}."
    parts = {name.split(".")[0] for name, _ in (*backbone.named_children(), *backbone.named_parameters())}
    left = sorted(
        name
        for name in unexpected
        if name.removeprefix(prefix).split(".")[0] in parts
        and not UNUSED.search(name)
        and not name.removeprefix(prefix).startswith(unread)
    )
    if left:
        raise ModelError(
            f"the weights of {location} do not fit its config.json: {len(left)} of them have no place in the "
            f"model, such as {left[0]}. Name a folder whose files belong together."
        )


def require_finite_weights(location: str, model: nn.Module) -> None:
    """Check that no weight is NaN or infinite.

    Args:
        location: Folder or hub id, for the message.
        model: Any network.

    Raises:
        ModelError: If there are such weights; it names the first tensor.
    """
    for name, weights in model.named_parameters():
        # The sum takes no memory; it may overflow, and then every weight is looked at.
        if weights.is_floating_point() and not weights.detach().sum(dtype=torch.float32).isfinite():
            count = int((~weights.detach().isfinite()).sum())
            if count:
                raise ModelError(
                    f"{count} weights of {name} in {location} are NaN or infinite. Copy or download them "
                    "again; if they were trained so, train them at a lower rate."
                )
