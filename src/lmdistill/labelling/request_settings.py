"""Settings of requests: where probabilities come from, and how many replies they take."""

from dataclasses import dataclass, replace
from typing import Literal

from lmdistill.core.errors import ConfigError
from lmdistill.labelling.answer_cache import Question
from lmdistill.labelling.label_probabilities import Source


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How the teacher is asked."""

    probabilities: Literal["auto", "logprobs", "samples"] = "auto"
    """Where probabilities come from; auto takes log-probabilities if the server gives them."""

    samples: int = 5
    """Replies for each text where there are no log-probabilities, >= 1."""

    temperature: float = 1.0
    """Sampling temperature of samples, >= 0. Log-probabilities are always those of temperature 1."""

    max_new: int = 16
    """Longest reply in tokens, >= 1."""

    def __post_init__(self) -> None:
        if self.samples < 1 or self.max_new < 1:
            raise ConfigError(f"--samples and --max-new must be >= 1, got {self.samples} and {self.max_new}.")
        if not 0 <= self.temperature <= 2:
            raise ConfigError(f"--temperature must be between 0 and 2, got {self.temperature}.")


def questions_of(host: str, model: str, asking: Asking, prompt: str, source: Source) -> list[Question]:
    """The questions whose replies give the probabilities for a prompt: one, or one for each sample.

    Args:
        host: Identity of the server.
        model: Name of the model.
        asking: Number of samples, temperature and longest reply.
        prompt: The prompt.
        source: Where the probabilities come from.
    """
    is_scored = source == "logprobs"
    first = Question(
        host=host,
        model=model,
        prompt=prompt,
        logprobs=is_scored,
        temperature=1.0 if is_scored else asking.temperature,
        max_new=asking.max_new,
    )
    return [replace(first, sample=number) for number in range(1 if is_scored else asking.samples)]
