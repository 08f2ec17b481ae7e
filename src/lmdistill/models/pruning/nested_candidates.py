"""A network and nested narrower candidates that share its weights, trained jointly."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Generic

import torch
from torch import Tensor, nn

from lmdistill.core.backward_pass import BackwardPass
from lmdistill.core.batch import Outputs
from lmdistill.core.errors import ModelError
from lmdistill.models.causal_lm import AnyNetwork, LanguageNetwork
from lmdistill.models.classifier import Network
from lmdistill.models.pruning.families import Widths
from lmdistill.models.pruning.slicing import view


class NestedNetwork(nn.Module, Generic[AnyNetwork]):
    """A whole network with sorted units, and candidates that consist of its first units.

    Candidates are identified by the fraction of units that they keep, and share the weights of the whole
    network. Weights that no candidate uses are frozen. The candidate is an argument of `forward`, because
    distributed wrappers must see every use of a parameter.
    """

    def __init__(self, whole: AnyNetwork, widths: Mapping[float, Widths]) -> None:
        super().__init__()
        self.whole: AnyNetwork = whole
        # A dict and not a ModuleDict, so that shared weights are not listed again for each candidate.
        self._views: dict[float, AnyNetwork] = {kept: view(whole, units) for kept, units in widths.items()}
        used = {id(weight) for candidate in self._views.values() for weight in candidate.parameters()}
        for weight in whole.parameters():
            weight.requires_grad_(id(weight) in used)  # others have no gradient, but would decay
        words = SharedEmbedding(whole.model.get_input_embeddings())
        for candidate in self._views.values():
            candidate.model.set_input_embeddings(words)
        self._words = (words,)  # in a tuple, so that it is not registered as a submodule
        for name in ("num_layers", "num_classes", "width", "labels", "multi_label", "vocabulary"):
            if hasattr(whole, name):
                setattr(self, name, getattr(whole, name))
        self.train(whole.training)

    def candidate(self, kept: float) -> AnyNetwork:
        """The candidate that keeps this fraction of units; it shares the weights of the whole network.

        Raises:
            ModelError: If there is none.
        """
        if kept not in self._views:
            known = ", ".join(f"{fraction:g}" for fraction in self._views)
            raise ModelError(f"no candidate keeps {kept:g}; there are {known}. Choose one of them.")
        return self._views[kept]

    def forward(
        self,
        *inputs: Any,
        kept: float | None = None,
        backward_pass: BackwardPass | None = None,
        **settings: Any,
    ) -> Any:
        """Run a candidate or the whole network.

        Args:
            *inputs: Positional arguments of the network's `forward`.
            kept: Fraction of units that identifies the candidate; None runs the whole network.
            backward_pass: Position of this pass, if several candidates run on the same batch with a backward
                pass each. The gradient of the word embeddings, which is as large as the embedding table, is
                then computed only once, in the last backward pass.
            **settings: Keyword arguments of the network's `forward`.
        """
        if kept is None:
            return self.whole(*inputs, **settings)
        candidate = self.candidate(kept)
        self._words[0].backward_pass = backward_pass
        return _with_unused(candidate(*inputs, **settings), self._unused(candidate))

    def train(self, mode: bool = True) -> "NestedNetwork[AnyNetwork]":
        """Set training or evaluation mode of the whole network and of all candidates."""
        super().train(mode)
        for candidate in self._views.values():
            candidate.train(mode)
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "NestedNetwork[AnyNetwork]":
        """Apply a function, such as a move to a device, to all parameters and to the candidates' buffers."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for candidate in self._views.values():
            candidate._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def _unused(self, candidate: Network | LanguageNetwork) -> list[Tensor]:
        """Trainable weights that a candidate does not use, in distributed training; otherwise none.

        They need a gradient too, because processes wait for the gradients of all parameters.
        """
        if not (self.training and torch.distributed.is_available() and torch.distributed.is_initialized()):
            return []
        used = {id(parameter) for parameter in candidate.parameters()}
        return [p for p in self.whole.parameters() if p.requires_grad and id(p) not in used]


class SharedEmbedding(nn.Module):
    """The word embeddings of all candidates; their gradients for a batch are summed before the last one."""

    def __init__(self, table: Any) -> None:
        super().__init__()
        self.table = table
        self.backward_pass: BackwardPass | None = None
        self.gathered: dict[int, Tensor] = {}

    @property
    def weight(self) -> Tensor:
        """Weight matrix of the embedding table."""
        weight: Tensor = self.table.weight
        return weight

    def forward(self, ids: Tensor) -> Tensor:
        """The embedding of each id."""
        if (
            self.backward_pass is None
            or torch.compiler.is_compiling()
            or type(self.table) is not nn.Embedding
        ):
            embeds: Tensor = self.table(ids)
            return embeds
        rows: Tensor = AccumulatedEmbedding.apply(self.table.weight, ids, self, self.backward_pass)  # type: ignore[no-untyped-call]
        return rows


class AccumulatedEmbedding(torch.autograd.Function):
    """An embedding look-up that sums output gradients until the last backward pass over the same ids."""

    @staticmethod
    def forward(
        ctx: Any, weight: Tensor, ids: Tensor, words: SharedEmbedding, backward_pass: BackwardPass
    ) -> Tensor:
        """The embedding of each id."""
        ctx.save_for_backward(ids)
        ctx.words, ctx.backward_pass = words, backward_pass
        return nn.functional.embedding(ids, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, None, None, None]:
        """The gradient of the embedding table in the last backward pass, None in earlier ones."""
        (ids,), (gradient,) = ctx.saved_tensors, gradients
        words, backward_pass = ctx.words, ctx.backward_pass
        total = gradient if backward_pass.index == 0 else gradient + words.gathered.pop(backward_pass.call)
        if not backward_pass.is_last:
            words.gathered[backward_pass.call] = total
            return None, None, None, None
        table = words.table
        padding = -1 if table.padding_idx is None else table.padding_idx
        of_table = torch.ops.aten.embedding_dense_backward(total, ids, table.num_embeddings, padding, False)
        return of_table, None, None, None


def _with_unused(
    outputs: Outputs | Mapping[str, Tensor], unused: list[Tensor]
) -> Outputs | Mapping[str, Tensor]:
    """The same outputs, from which unused weights receive a gradient of 0."""
    if not unused:
        return outputs
    zero = torch.stack([parameter.sum() for parameter in unused]).sum() * 0.0
    if isinstance(outputs, Outputs):
        return replace(outputs, logits=outputs.logits + zero)
    first = next(iter(outputs))
    return {**outputs, first: outputs[first] + zero}
