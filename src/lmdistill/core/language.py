"""The nouns of models that write text; axis letters as in `core.types`, and n scored positions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor

from lmdistill.core.errors import ConfigError
from lmdistill.core.types import Batch, Head, Inputs, Method, Net, Survey


@dataclass(frozen=True, kw_only=True)
class Completions:
    """Where the tokens come from that a language model learns on."""

    teacher: bool = False
    """The teacher's own completions of the training prompts instead of those of the data."""

    student: float = 0.0
    """Share of the steps, in [0, 1], in which the student completes the prompts itself, as it is then."""

    temperature: float = 1.0
    """Of the student's sampling, >= 0; 0 always takes the most likely token."""

    max_new: int = 128
    """Longest sampled completion, in tokens, >= 1."""

    def __post_init__(self) -> None:
        if not 0 <= self.student <= 1:
            raise ConfigError(f"student must be in [0, 1], got {self.student}.")
        if not self.temperature >= 0:
            raise ConfigError(f"temperature must be >= 0, got {self.temperature}.")
        if self.max_new < 1:
            raise ConfigError(f"max_new must be >= 1, got {self.max_new}.")


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


def completions_of(method: Method) -> Completions:
    """Where a method's tokens come from: its own `completions`, or the data where it says nothing."""
    found = getattr(method, "completions", None)
    return found if isinstance(found, Completions) else Completions()
