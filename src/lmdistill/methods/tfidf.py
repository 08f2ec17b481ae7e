"""A linear model on TF-IDF features as a baseline; it is no network, so its run is one of its own."""

from dataclasses import dataclass
from typing import Literal

from lmdistill.core.errors import ConfigError
from lmdistill.methods.preconditions import require_range

LARGEST_SIZE = 20
"""Most words or characters of an n-gram."""


@dataclass(frozen=True, kw_only=True)
class TFIDF:
    r"""A linear model on TF-IDF features of the texts, taught by the same labels and answers.

    .. math:: \frac{1}{2} \lVert W \rVert^2 + C \sum_i w_i \left[ (1 - \alpha) \, CE(y_i, g(x_i)) + \alpha \,
        CE(softmax(f(x_i) / \tau), g(x_i)) \right]

    f is the teacher, g the model. Each term is the mean over its own rows, as in KD; the weights w see to
    that. With scores both terms are squared errors. It is trained to its one minimum, so a seed changes
    nothing. Of `training` only `class_weights` counts, and `student` and `schedule` have no effect.

    References:
        The objective is that of scikit-learn's `LogisticRegression` and `Ridge`; see `linear.fit`. Soft
        targets: Hinton et al., 2015. Deviation from `kd`: the temperature is the teacher's alone.
    """

    alpha: float = 0.5
    """Weight of the teacher term, in [0, 1]; the label term has 1 - alpha. 0 needs no teacher."""

    temperature: float = 1.0
    """Softmax temperature of the teacher, > 0."""

    words: tuple[int, int] | None = (1, 2)
    """Fewest and most words of an n-gram, in [1, 20]; null for no n-grams of words."""

    characters: tuple[int, int] | None = (2, 4)
    """Fewest and most characters of an n-gram, in [1, 20]; null for no n-grams of characters."""

    max_features: int = 200_000
    """Largest number of n-grams of words, and of characters, >= 1; the most frequent ones are kept."""

    sublinear: bool = True
    """Whether 1 + ln f stands for the number f of times that an n-gram occurs in a text."""

    C: float | tuple[float, ...] = (1.0, 3.0, 10.0)
    """Weight of the loss against the regularisation, > 0; of several the one with the smallest loss on
    held-out training rows is used."""

    def __post_init__(self) -> None:
        require_range("alpha", self.alpha, low=0, high=1)
        require_range("temperature", self.temperature, low=0, open_low=True)
        for name in ("words", "characters"):
            sizes = getattr(self, name)
            if sizes is not None and not 1 <= sizes[0] <= sizes[1] <= LARGEST_SIZE:
                raise ConfigError(
                    f"{name} must be [fewest, most] with 1 <= fewest <= most <= {LARGEST_SIZE}, got "
                    f"{list(sizes)}."
                )
        if self.words is None and self.characters is None:
            raise ConfigError("words and characters are both null; set one of them, as in words: [1, 2].")
        if self.max_features < 1:
            raise ConfigError(f"max_features must be >= 1, got {self.max_features}.")
        if not self.grid:
            raise ConfigError("C is empty; give one value or several, as in C: [1, 3, 10].")
        for value in self.grid:
            require_range("C", value, low=0, open_low=True)

    @property
    def grid(self) -> tuple[float, ...]:
        """The values of C to choose from."""
        return self.C if isinstance(self.C, tuple) else (self.C,)

    @property
    def uses_teacher(self) -> bool:
        """Whether a teacher is needed."""
        return self.alpha > 0

    @property
    def teacher_input(self) -> Literal["none", "logits", "network"]:
        """The logits of the teacher are enough."""
        return "logits" if self.uses_teacher else "none"
