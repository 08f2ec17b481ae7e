"""Values of all loss terms and the gradient of their weighted sum, computed in chunks of positions."""

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
from lmdistill.objectives.divergence import divergence_named

Gradients = tuple[Tensor | None, Tensor | None, Tensor | None]
"""Gradients of hidden states, weight and bias of the output layer; None if not requested."""


@dataclass(frozen=True, kw_only=True)
class ChunkedForwardBackward:
    """Forward and backward computation in chunks; called with the differentiable tensors."""

    terms: LossTerms
    """Loss terms and their weights."""

    labels: Int[Tensor, " n"]
    """Target token ids, in [0, v)."""

    head: LMHead
    """Scale and softcap of the student's output layer; weight and bias are passed to the call."""

    teacher_states: Float[Tensor, "n e"] | None
    """The teacher's final hidden states; None if no term needs a teacher."""

    teacher_head: LMHead | None
    """The teacher's output layer; None if no term needs a teacher."""

    rows: int
    """Positions per chunk, >= 1."""

    precision: torch.dtype
    """Data type of the student's matrix products."""

    needs_grad: tuple[bool, ...]
    """Whether gradients are requested for hidden states, weight and bias."""

    def __post_init__(self) -> None:
        if not self.terms.uses_teacher:
            return
        if self.teacher_states is None or self.teacher_head is None:
            raise MismatchError(
                "a divergence needs a teacher, and teacher_states or teacher_head is missing. Give both."
            )
        student, teacher = len(self.head.weight), len(self.teacher_head.weight)
        if student != teacher:
            raise MismatchError(
                f"the student's output layer has {student} entries and the teacher's {teacher}. Limit both "
                "to the tokens that they share."
            )

    def __call__(
        self,
        states: Float[Tensor, "n d"],
        weight: Float[Tensor, "v d"],
        bias: Float[Tensor, " v"] | None,
    ) -> tuple[Float[Tensor, "k n"], Gradients]:
        """Values of the k terms, and the requested gradients of their weighted sum, in at least float32."""
        precise = torch.promote_types(self.precision, torch.float32)
        values = states.new_empty((len(self.terms.weights), len(states)), dtype=precise)
        states_grad, weight_grad, bias_grad = (
            tensor.new_zeros(tensor.shape, dtype=precise) if tensor is not None and needed else None
            for tensor, needed in zip((states, weight, bias), self.needs_grad, strict=True)
        )
        terms = self._terms_for(bias)
        with torch.autocast(states.device.type, enabled=False):
            head = replace(self.head, weight=weight, bias=bias)
            student = make_layer(states, head, rows=self.rows, precision=self.precision)
            teacher = self._teacher_layer()
            for at in chunks(len(states), self.rows):
                gradient = self._compute_chunk(terms, values, at, student, teacher)
                if states_grad is not None:
                    states_grad[at] = gradient @ student.head.weight
                if weight_grad is not None:
                    add_outer(weight_grad, gradient, student.chunk(at))
                if bias_grad is not None:
                    bias_grad += gradient.sum(0, dtype=precise)
        return values, (states_grad, weight_grad, bias_grad)

    def _terms_for(self, bias: Float[Tensor, " v"] | None) -> LossTerms:
        """The terms; by autograd if a bias of -inf masks entries, because closed forms need finite logits."""
        biases = (bias, None if self.teacher_head is None else self.teacher_head.bias)
        if not any(one is not None and bool(one.isneginf().any()) for one in biases):
            return self.terms
        terms = self.terms
        if not isinstance(terms.divergence, str):
            return terms
        return replace(terms, divergence=divergence_named(terms.divergence, beta=terms.beta, skew=terms.skew))

    def _teacher_layer(self) -> Layer | None:
        """The teacher's output layer, or None if no term needs a teacher."""
        if not self.terms.uses_teacher or self.teacher_states is None or self.teacher_head is None:
            return None
        precision = precision_of(self.teacher_states)
        return make_layer(self.teacher_states, self.teacher_head, rows=self.rows, precision=precision)

    def _compute_chunk(
        self,
        terms: LossTerms,
        values: Float[Tensor, "k n"],
        at: slice,
        student: Layer,
        teacher: Layer | None,
    ) -> Float[Tensor, "c v"]:
        """Write the values of a chunk to `values`; return the gradient by the products, in their memory."""
        products = student.products(at)
        teacher_products = None if teacher is None else teacher.products(at)
        for block in blocks(products):
            rows = slice(at.start + block.start, at.start + block.stop)
            logits = scale_and_cap(products[block], self.head)
            teacher_logits = None
            if teacher_products is not None and teacher is not None:
                teacher_logits = scale_and_cap(teacher_products[block], teacher.head)
            term_values, gradient = compare(terms, rows, logits, teacher_logits, self.labels[rows])
            values[:, rows] = torch.stack(list(term_values.values()))
            products[block] = scale_and_cap_backward(gradient, logits, self.head)
        return products
