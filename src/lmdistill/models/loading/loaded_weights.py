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


def require_used(place: str, model: Any, unexpected: Collection[str], *, unread: tuple[str, ...] = ()) -> None:
    """Refuse weights of a backbone that the model has no place for, as when its configuration has fewer layers.

    Other heads than the model's may be left out.

    Args:
        place: Where the weights are from.
        model: A stock model with its weights.
        unexpected: Names of weights in the files that the model did not take.
        unread: How the names of weights begin that are left out on purpose.

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
            f"the weights of {place} do not fit its config.json: {len(left)} of them have no place in the model, "
            f"such as {left[0]}. Name a folder whose files belong together."
        )


def require_finite_weights(place: str, model: nn.Module) -> None:
    """Refuse weights that are NaN or infinite.

    Args:
        place: Where they are from.
        model: Any network.

    Raises:
        ModelError: If one is, with the name of the tensor.
    """
    for name, weights in model.named_parameters():
        # The sum takes no memory; it may overflow, and then every weight is looked at.
        if weights.is_floating_point() and not weights.detach().sum(dtype=torch.float32).isfinite():
            count = int((~weights.detach().isfinite()).sum())
            if count:
                raise ModelError(
                    f"{count} weights of {name} in {place} are NaN or infinite. Copy or download them again; if "
                    "they were trained so, train them at a lower rate."
                )
