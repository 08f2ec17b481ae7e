"""Networks whose weights are of another type, or rounded to it."""

import copy
from typing import Any

import torch

from lmdistill.core.errors import ModelError
from lmdistill.models.causal_lm import AnyNetwork


def in_dtype(network: AnyNetwork, name: str) -> AnyNetwork:
    """A network with weights of this type; `network` itself if they are.

    Args:
        network: Not changed.
        name: Name of torch's type, such as "float16".
    """
    dtype: torch.dtype = getattr(torch, name)
    if network.model.dtype == dtype:
        return network
    model: Any = copy.deepcopy(network.model)
    return network.with_model(model.to(dtype), source=network.source)


def rounded(network: AnyNetwork, name: str) -> AnyNetwork:
    """A network whose weights are rounded to numbers of a smaller type, and keep their own type.

    It computes what the network computes after it was saved with that type and loaded in its own.

    Args:
        network: Not changed.
        name: Name of torch's type, such as "float16".

    Raises:
        ModelError: If a weight is too large for the type.
    """
    dtype: torch.dtype = getattr(torch, name)
    model: Any = copy.deepcopy(network.model)
    with torch.no_grad():
        for weight, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(tensor.to(dtype))
                if not tensor.isfinite().all():
                    raise ModelError(
                        f"weights of {network.source} are too large for {name}, such as one in {weight}; its "
                        f"largest number is {torch.finfo(dtype).max:g}. Save it as bfloat16 or float32."
                    )
    return network.with_model(model, source=network.source)
