"""Settings for training on sampled text: completions of the teacher or of the student."""

from dataclasses import dataclass

from lmdistill.core.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Completions:
    """The source of the completions that a language model is trained on. The default is the data set."""

    teacher: bool = False
    """Train on the teacher's completions of the training prompts instead of those in the data."""

    student: float = 0.0
    """Fraction of the optimizer steps, in [0, 1], that train on completions sampled from the student."""

    temperature: float = 1.0
    """Sampling temperature of the student, >= 0; 0 is greedy decoding."""

    max_new: int = 128
    """Maximum length of a sampled completion in tokens, >= 1."""

    def __post_init__(self) -> None:
        if not 0 <= self.student <= 1:
            raise ConfigError(f"student must be in [0, 1], got {self.student}.")
        if not self.temperature >= 0:
            raise ConfigError(f"temperature must be >= 0, got {self.temperature}.")
        if self.max_new < 1:
            raise ConfigError(f"max_new must be >= 1, got {self.max_new}.")


def completions_of(method: object) -> Completions:
    """The `completions` of a method, or the default (the completions in the data) if it has none."""
    completions = getattr(method, "completions", None)
    return completions if isinstance(completions, Completions) else Completions()
