"""The nouns of models that write text; axis letters as in `core.batch`, and n scored positions."""

from dataclasses import dataclass

from lmdistill.core.errors import ConfigError
from lmdistill.core.protocols import Method


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


def completions_of(method: Method) -> Completions:
    """Where a method's tokens come from: its own `completions`, or the data where it says nothing."""
    found = getattr(method, "completions", None)
    return found if isinstance(found, Completions) else Completions()
