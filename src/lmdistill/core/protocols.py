"""Interfaces of networks and methods, as the engine uses them. Axis letters are those of `core.batch`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor

from lmdistill.core.batch import Batch, Inputs, LMHead, MixupSettings, Outputs, TeacherPrepass


@runtime_checkable
class Net(Protocol):
    """A student or a teacher, as methods see it."""

    num_layers: int
    """Number of transformer layers."""

    num_classes: int
    """Number of outputs; 1 for a regression."""

    width: int
    """Hidden size: features of each token between the layers."""

    labels: tuple[str, ...]
    """Name of each class, in the order of the logits; empty if the outputs are no classes."""

    def __call__(self, inputs: Inputs, *, hidden: bool = False) -> Outputs:
        """Run the network once; `hidden` also returns the hidden states."""
        ...


@runtime_checkable
class Method(Protocol):
    """A training method: it computes the loss of a student on one batch."""

    @property
    def uses_teacher(self) -> bool:
        """Whether a teacher is needed."""
        ...

    @property
    def mixing(self) -> MixupSettings | None:
        """How interpolated examples for `Batch.mixed` are drawn; None if the method uses none."""
        ...

    def check(self, student: Net, teacher: Net | None) -> None:
        """Raise `MismatchError` if this student and teacher cannot be used; called before the first step."""

    def losses(self, student: Net, teacher: Net | None, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """The loss terms by name, each weighted and summed over scored positions; the loss is their sum.

        The engine divides by the number of scored positions.
        """
        ...


@runtime_checkable
class MultiBackwardMethod(Method, Protocol):
    """A method that computes the loss of a batch in parts with a backward pass each, to save memory."""

    def loss_closures(
        self, student: Net, teacher: Net | None, batch: Batch
    ) -> Sequence[Callable[[], dict[str, Float[Tensor, ""]]]]:
        """Functions to be called in this order, each followed by a backward pass; their sum is `losses`.

        The last one must use every trainable parameter, because processes exchange gradients then.
        """
        ...


@runtime_checkable
class HeadFunction(Protocol):
    """A function of final hidden states and the output layer, called inside the network's forward pass."""

    def __call__(self, states: Float[Tensor, "n d"], head: LMHead) -> Mapping[str, Tensor]:
        """Named tensors computed from `n` hidden states; logits are computed in chunks to save memory."""
        ...


@runtime_checkable
class LanguageNet(Protocol):
    """A student or a teacher that is a causal language model.

    Position t of the inputs predicts the token at t + 1. The caller selects the positions, so that no logits
    are computed for prompts and padding.
    """

    num_layers: int
    """Number of transformer layers."""

    width: int
    """Hidden size: features of each token between the layers."""

    vocabulary: int
    """Number of tokens that it predicts; entries of the output layer beyond it are ignored."""

    def __call__(
        self, inputs: Inputs, *, at: Bool[Tensor, "b t"], head_fn: HeadFunction
    ) -> Mapping[str, Tensor]:
        """Apply `head_fn` to the final hidden states where `at` is true, row by row, and return its tensors.

        `head_fn` runs inside `forward`, because distributed wrappers must see every use of a parameter.
        """
        ...


@runtime_checkable
class PrepassMethod(Method, Protocol):
    """A method whose loss weights depend on all micro-batches of an optimizer step.

    The engine first runs `prepass` on every micro-batch, and then passes the results to `losses`.
    """

    @property
    def needs_prepass(self) -> bool:
        """Whether this method needs a prepass with its current settings."""
        ...

    def prepass(self, teacher: Net | None, batch: Batch) -> TeacherPrepass:
        """Run the teacher on one micro-batch; the engine then fills in `step_scores` for the whole step."""
        ...
