"""One pass over all positions, a chunk at a time: values of every term, and the gradient of their sum."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lmdistill.core.batch import LMHead
from lmdistill.core.errors import MismatchError
from lmdistill.objectives.chunked.output_layer import (
    Layer,
    add_outer,
    blocks,
    chunks,
    make_layer,
    precision_of,
    scale_and_cap,
    scale_and_cap_backward,
)
from lmdistill.objectives.chunked.terms import LossTerms, compare

Gradients = tuple[Tensor | None, Tensor | None, Tensor | None]
"""By the states, by the output matrix and by its bias; None where none is wanted."""


@dataclass(frozen=True, kw_only=True)
class ChunkedForwardBackward:
    """Everything a pass needs, besides the tensors that may want a gradient."""

    terms: LossTerms
    """What is learned."""

    labels: Int[Tensor, " n"]
    """Targets."""

    head: LMHead
    """How the student's products become logits; its weights are arguments."""

    teacher_states: Float[Tensor, "n e"] | None
    """The teacher's final states, where a term needs them."""

    teacher_head: LMHead | None
    """The teacher's output layer."""

    rows: int
    """Positions a chunk, >= 1."""

    precision: torch.dtype
    """Of the student's products."""

    wanted: tuple[bool, ...]
    """Whether a gradient is wanted by states, weight and bias."""

    def __post_init__(self) -> None:
        if not self.terms.uses_teacher:
            return
        if self.teacher_states is None or self.teacher_head is None:
            raise MismatchError(
                "a divergence compares with a teacher; give teacher_states and teacher_head, both."
            )
        ours, theirs = len(self.head.weight), len(self.teacher_head.weight)
        if ours != theirs:
            raise MismatchError(
                f"the student's output layer has {ours} entries and the teacher's {theirs}; cut both to "
                "the entries that they share."
            )

    def __call__(
        self,
        states: Float[Tensor, "n d"],
        weight: Float[Tensor, "v d"],
        bias: Float[Tensor, " v"] | None,
    ) -> tuple[Float[Tensor, "k n"], Gradients]:
        """Values of each term, and the wanted gradients of their weighted sum, in at least 32 bits."""
        precise = torch.promote_types(self.precision, torch.float32)
        values = states.new_empty((len(self.terms.weights), len(states)), dtype=precise)
        by_states, by_weight, by_bias = (
            part.new_zeros(part.shape, dtype=precise) if part is not None and wanted else None
            for part, wanted in zip((states, weight, bias), self.wanted, strict=True)
        )
        with torch.autocast(states.device.type, enabled=False):
            head = replace(self.head, weight=weight, bias=bias)
            student = make_layer(states, head, rows=self.rows, precision=self.precision)
            teacher = self._teacher()
            for at in chunks(len(states), self.rows):
                gradient = self._fill(values, at, student, teacher)
                if by_states is not None:
                    by_states[at] = gradient @ student.head.weight
                if by_weight is not None:
                    add_outer(by_weight, gradient, student.chunk(at))
                if by_bias is not None:
                    by_bias += gradient.sum(0, dtype=precise)
        return values, (by_states, by_weight, by_bias)

    def _teacher(self) -> Layer | None:
        """Its layer, if it is needed."""
        if not self.terms.uses_teacher or self.teacher_states is None or self.teacher_head is None:
            return None
        precision = precision_of(self.teacher_states)
        return make_layer(self.teacher_states, self.teacher_head, rows=self.rows, precision=precision)

    def _fill(
        self, values: Float[Tensor, "k n"], at: slice, student: Layer, teacher: Layer | None
    ) -> Float[Tensor, "c v"]:
        """Write the values of a chunk; its gradient by the products, in the memory where these were."""
        products = student.products(at)
        theirs = None if teacher is None else teacher.products(at)
        for block in blocks(products):
            rows = slice(at.start + block.start, at.start + block.stop)
            logits = scale_and_cap(products[block], self.head)
            other = None if theirs is None or teacher is None else scale_and_cap(theirs[block], teacher.head)
            found, gradient = compare(self.terms, rows, logits, other, self.labels[rows])
            values[:, rows] = torch.stack(list(found.values()))
            products[block] = scale_and_cap_backward(gradient, logits, self.head)
        return products
