"""A network and the narrower ones inside it, trained as one."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Generic

import torch
from torch import Tensor, nn

from lmdistill.core.errors import ModelError
from lmdistill.core.types import Outputs
from lmdistill.models.causal import AnyNetwork, LanguageNetwork
from lmdistill.models.narrow import view
from lmdistill.models.narrow_families import Widths
from lmdistill.models.network import Network


class NestedNetwork(nn.Module, Generic[AnyNetwork]):
    """A network with sorted units, and candidates that are its first units, by the fraction they keep.

    Its weights are those of the whole. A candidate is chosen in the call, so that whatever is wrapped around
    this module sees every use of a weight.
    """

    def __init__(self, whole: AnyNetwork, widths: Mapping[float, Widths]) -> None:
        super().__init__()
        self.whole = whole
        # In a plain mapping, so that shared weights are not listed again for each candidate.
        self._views = {kept: view(whole, chosen) for kept, chosen in widths.items()}
        for name in ("num_layers", "num_classes", "width", "labels", "vocabulary"):
            if hasattr(whole, name):
                setattr(self, name, getattr(whole, name))
        self.train(whole.training)

    def part(self, kept: float) -> AnyNetwork:
        """The candidate that keeps this fraction; it learns what the whole learns.

        Raises:
            ModelError: If there is none.
        """
        if kept not in self._views:
            known = ", ".join(f"{one:g}" for one in self._views)
            raise ModelError(f"no candidate keeps {kept:g}; there are {known}. Choose one of them.")
        return self._views[kept]

    def forward(self, *inputs: Any, kept: float | None = None, **asked: Any) -> Any:
        """Run a candidate, or the whole where none is named; arguments are theirs."""
        if kept is None:
            return self.whole(*inputs, **asked)
        chosen = self.part(kept)
        return _with_all(chosen(*inputs, **asked), self._unused(chosen))

    def train(self, mode: bool = True) -> "NestedNetwork[AnyNetwork]":
        """Dropout on or off, in all of them."""
        super().train(mode)
        for candidate in self._views.values():
            candidate.train(mode)
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "NestedNetwork[AnyNetwork]":
        """Move the whole and, with it, what the candidates hold beside weights."""
        super()._apply(fn, recurse)
        for candidate in self._views.values():
            candidate._apply(fn, recurse)
        return self

    def _unused(self, chosen: Network | LanguageNetwork) -> list[Tensor]:
        """Weights of what a candidate has lost; processes that train together wait for all gradients."""
        if not (self.training and torch.distributed.is_available() and torch.distributed.is_initialized()):
            return []
        used = {id(parameter) for parameter in chosen.parameters()}
        return [p for p in self.whole.parameters() if p.requires_grad and id(p) not in used]


def _with_all(found: Outputs | Mapping[str, Tensor], unused: list[Tensor]) -> Outputs | Mapping[str, Tensor]:
    """The same outputs, with a gradient of 0 for the weights that played no part."""
    if not unused:
        return found
    nothing = torch.stack([parameter.sum() for parameter in unused]).sum() * 0.0
    if isinstance(found, Outputs):
        return replace(found, logits=found.logits + nothing)
    first = next(iter(found))
    return {**found, first: found[first] + nothing}
