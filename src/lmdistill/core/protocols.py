"""What methods and the engine ask of networks and of one another; axis letters as in `core.batch`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor

from lmdistill.core.batch import Batch, Head, Inputs, Mixing, Outputs, Survey


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
    def mixing(self) -> Mixing | None:
        """What interpolated examples the method wants in `Batch.mixed`, or None."""
        ...

    def check(self, student: Net, teacher: Net | None) -> None:
        """Raise `MismatchError` before the first step if the pair cannot be used."""

    def losses(self, student: Net, teacher: Net | None, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Named, weighted sums over scored positions; the objective is their sum."""
        ...


@runtime_checkable
class Multipass(Method, Protocol):
    """A method that learns from one batch piece by piece, so that memory holds the graph of one piece."""

    def passes(
        self, student: Net, teacher: Net | None, batch: Batch
    ) -> Sequence[Callable[[], dict[str, Float[Tensor, ""]]]]:
        """Work to be done in this order, each followed by its backward pass; together they are `losses`.

        The last one must reach every weight that a step can change.
        """
        ...


@runtime_checkable
class Reader(Protocol):
    """What a method does with final states and the output layer, inside the network's own forward pass."""

    def __call__(self, states: Float[Tensor, "n d"], head: Head) -> Mapping[str, Tensor]:
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

    def __call__(self, inputs: Inputs, *, at: Bool[Tensor, "b t"], reader: Reader) -> Mapping[str, Tensor]:
        """Hand the final states at the positions `at`, row by row, to `reader`; return what it makes of them.

        A distributed wrapper must see every use of a weight, so the reader runs inside `forward`.
        """
        ...


@runtime_checkable
class Surveyor(Method, Protocol):
    """A method that must look at all of a step before it can weigh any part of it."""

    @property
    def surveys(self) -> bool:
        """Whether this one does."""
        ...

    def survey(self, teacher: Net | None, batch: Batch) -> Survey:
        """A first look at one batch as if it were all of the step; the engine then fills in the others."""
        ...
