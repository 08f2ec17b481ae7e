"""What methods and the engine ask of networks and of one another; axis letters as in `core.batch`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor

from lmdistill.core.batch import Batch, Inputs, LMHead, MixupSettings, Outputs, TeacherPrepass


@runtime_checkable
class Net(Protocol):
    """A student or a teacher, as methods see it."""

    num_layers: int
    num_classes: int
    width: int
    labels: tuple[str, ...]

    def __call__(self, inputs: Inputs, *, hidden: bool = False) -> Outputs:
        """Run the network once."""
        ...


@runtime_checkable
class Method(Protocol):
    """How a student learns from one batch."""

    @property
    def uses_teacher(self) -> bool:
        """Whether `losses` reads the teacher."""
        ...

    @property
    def mixing(self) -> MixupSettings | None:
        """What interpolated examples the method wants in `Batch.mixed`, or None."""
        ...

    def check(self, student: Net, teacher: Net | None) -> None:
        """Raise `MismatchError` before the first step if the pair cannot be used."""

    def losses(self, student: Net, teacher: Net | None, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Named, weighted sums over scored positions; the objective is their sum."""
        ...


@runtime_checkable
class MultiBackwardMethod(Method, Protocol):
    """A method that learns from one batch piece by piece, so that memory holds the graph of one piece."""

    def loss_closures(
        self, student: Net, teacher: Net | None, batch: Batch
    ) -> Sequence[Callable[[], dict[str, Float[Tensor, ""]]]]:
        """Work to be done in this order, each followed by its backward pass; together they are `losses`.

        The last one must reach every weight that a step can change.
        """
        ...


@runtime_checkable
class HeadFunction(Protocol):
    """What a method does with final states and the output layer, inside the network's own forward pass."""

    def __call__(self, states: Float[Tensor, "n d"], head: LMHead) -> Mapping[str, Tensor]:
        """Named tensors made of `n` states; never all of their logits, where memory matters."""
        ...


@runtime_checkable
class LanguageNet(Protocol):
    """A student or a teacher that writes text.

    Position t of the inputs answers for the token at t + 1. Which positions are read is the caller's choice,
    so that prompts and padding cost no logits.
    """

    num_layers: int
    width: int
    vocabulary: int

    def __call__(
        self, inputs: Inputs, *, at: Bool[Tensor, "b t"], head_fn: HeadFunction
    ) -> Mapping[str, Tensor]:
        """Apply `head_fn` to the final states at the positions `at`, row by row, and return its tensors.

        A distributed wrapper must see every use of a weight, so `head_fn` runs inside `forward`.
        """
        ...


@runtime_checkable
class PrepassMethod(Method, Protocol):
    """A method that must look at all of a step before it can weigh any part of it."""

    @property
    def needs_prepass(self) -> bool:
        """Whether this one does."""
        ...

    def prepass(self, teacher: Net | None, batch: Batch) -> TeacherPrepass:
        """A first look at one batch as if it were all of the step; the engine then fills in the others."""
        ...
