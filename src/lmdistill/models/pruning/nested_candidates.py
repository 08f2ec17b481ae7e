"""A network and the narrower ones inside it, trained as one."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Generic

import torch
from torch import Tensor, nn

from lmdistill.core.batch import BackwardPass, Outputs
from lmdistill.core.errors import ModelError
from lmdistill.models.causal_lm import AnyNetwork, LanguageNetwork
from lmdistill.models.classifier import Network
from lmdistill.models.pruning.families import Widths
from lmdistill.models.pruning.slicing import view


class NestedNetwork(nn.Module, Generic[AnyNetwork]):
    """A network with sorted units, and candidates that are its first units, by the fraction they keep.

    Its weights are those of the whole; those that no candidate has are frozen. A candidate is chosen in the
    call, so that whatever is wrapped around this module sees every use of a weight.
    """

    def __init__(self, whole: AnyNetwork, widths: Mapping[float, Widths]) -> None:
        super().__init__()
        self.whole: AnyNetwork = whole
        # In a plain mapping, so that shared weights are not listed again for each candidate.
        self._views: dict[float, AnyNetwork] = {kept: view(whole, chosen) for kept, chosen in widths.items()}
        used = {id(weight) for candidate in self._views.values() for weight in candidate.parameters()}
        for weight in whole.parameters():
            weight.requires_grad_(id(weight) in used)  # what no candidate has would only decay
        words = SharedEmbedding(whole.model.get_input_embeddings())
        for candidate in self._views.values():
            candidate.model.set_input_embeddings(words)
        self._words = (words,)  # not registered here either
        for name in ("num_layers", "num_classes", "width", "labels", "vocabulary"):
            if hasattr(whole, name):
                setattr(self, name, getattr(whole, name))
        self.train(whole.training)

    def candidate(self, kept: float) -> AnyNetwork:
        """The candidate that keeps this fraction; it learns what the whole learns.

        Raises:
            ModelError: If there is none.
        """
        if kept not in self._views:
            known = ", ".join(f"{one:g}" for one in self._views)
            raise ModelError(f"no candidate keeps {kept:g}; there are {known}. Choose one of them.")
        return self._views[kept]

    def forward(
        self, *inputs: Any, kept: float | None = None, backward_pass: BackwardPass | None = None, **asked: Any
    ) -> Any:
        """Run a candidate, or the whole where none is named; other arguments are theirs.

        Args:
            *inputs: What is read.
            kept: Which candidate.
            backward_pass: Where several candidates read the same batch, each with a backward pass of its own:
                which of them this is. The gradient of the word embeddings, as large as their table, is then
                made once, in the last of these backward passes.
            **asked: What a network is asked.
        """
        if kept is None:
            return self.whole(*inputs, **asked)
        chosen = self.candidate(kept)
        self._words[0].backward_pass = backward_pass
        return _with_all(chosen(*inputs, **asked), self._unused(chosen))

    def train(self, mode: bool = True) -> "NestedNetwork[AnyNetwork]":
        """Dropout on or off, in all of them."""
        super().train(mode)
        for candidate in self._views.values():
            candidate.train(mode)
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "NestedNetwork[AnyNetwork]":
        """Move the whole and, with it, what the candidates hold beside weights."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for candidate in self._views.values():
            candidate._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def _unused(self, chosen: Network | LanguageNetwork) -> list[Tensor]:
        """Weights of what a candidate has lost; processes that train together wait for all gradients."""
        if not (self.training and torch.distributed.is_available() and torch.distributed.is_initialized()):
            return []
        used = {id(parameter) for parameter in chosen.parameters()}
        return [p for p in self.whole.parameters() if p.requires_grad and id(p) not in used]


class SharedEmbedding(nn.Module):
    """The word embeddings of all candidates; what a batch teaches them is gathered, and learned at once."""

    def __init__(self, table: Any) -> None:
        super().__init__()
        self.table = table
        self.backward_pass: BackwardPass | None = None
        self.gathered: dict[int, Tensor] = {}

    @property
    def weight(self) -> Tensor:
        """The table."""
        found: Tensor = self.table.weight
        return found

    def forward(self, ids: Tensor) -> Tensor:
        """A row of the table for each id."""
        if (
            self.backward_pass is None
            or torch.compiler.is_compiling()
            or type(self.table) is not nn.Embedding
        ):
            plain: Tensor = self.table(ids)
            return plain
        rows: Tensor = AccumulatedEmbedding.apply(self.table.weight, ids, self, self.backward_pass)  # type: ignore[no-untyped-call]
        return rows


class AccumulatedEmbedding(torch.autograd.Function):
    """A look-up whose backward pass only adds up what came back, until the last pass over the same ids."""

    @staticmethod
    def forward(
        ctx: Any, weight: Tensor, ids: Tensor, words: SharedEmbedding, backward_pass: BackwardPass
    ) -> Tensor:
        """Rows of the table."""
        ctx.save_for_backward(ids)
        ctx.words, ctx.backward_pass = words, backward_pass
        return nn.functional.embedding(ids, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, None, None, None]:
        """The gradient of the table in the last pass, nothing before."""
        (ids,), (own,) = ctx.saved_tensors, gradients
        words, backward_pass = ctx.words, ctx.backward_pass
        so_far = own if backward_pass.index == 0 else own + words.gathered.pop(backward_pass.call)
        if not backward_pass.is_last:
            words.gathered[backward_pass.call] = so_far
            return None, None, None, None
        table = words.table
        padding = -1 if table.padding_idx is None else table.padding_idx
        whole = torch.ops.aten.embedding_dense_backward(so_far, ids, table.num_embeddings, padding, False)
        return whole, None, None, None


def _with_all(found: Outputs | Mapping[str, Tensor], unused: list[Tensor]) -> Outputs | Mapping[str, Tensor]:
    """The same outputs, with a gradient of 0 for the weights that played no part."""
    if not unused:
        return found
    nothing = torch.stack([parameter.sum() for parameter in unused]).sum() * 0.0
    if isinstance(found, Outputs):
        return replace(found, logits=found.logits + nothing)
    first = next(iter(found))
    return {**found, first: found[first] + nothing}
