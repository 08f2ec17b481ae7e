"""The student of a recipe for classifiers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from lmdistill.core.errors import ConfigError
from lmdistill.recipes.pruning import Pruning

SavedAs = Literal["float32", "float16", "bfloat16"]
"""Types of saved weights."""


@dataclass(frozen=True, kw_only=True)
class Student:
    """The classifier to train: its initial weights, its layers, and the fraction that it keeps."""

    init: Literal["teacher", "pretrained", "random"] = "teacher"
    """Initial weights: the fine-tuned teacher's (the paper), the pretrained ones, or random ones."""

    layers: int | tuple[int, ...] | Literal["all"] = 3
    """Number of the teacher's layers to keep, `all`, or a list of their numbers from 0."""

    which: Literal["first", "last", "alternate"] = "first"
    """Which layers are kept if `layers` is a number."""

    model: str | None = None
    """Hub id or folder of another model with its own tokenizer and width, or a run folder for its student,
    such as one of MNLI: a head for other classes is replaced by a new one. `layers` is then not used."""

    keep: float = 1.0
    """Fraction of the heads and neurons of these layers to keep, in (0, 1]; the rest are pruned."""

    pruning: Pruning = field(default_factory=Pruning)
    """How heads and neurons are chosen if `keep` is below 1."""

    threshold: float | Literal["dev"] = 0.5
    """Probability from which on each label of a multi-label task is predicted, in (0, 1); or `dev` for the
    one with the best F1 of each label on dev, where scores are then optimistic."""

    vocabulary: int | Literal["texts"] | None = None
    """Word pieces that it keeps after its training, >= 1; `texts` for those that its training texts and other
    words need. Tokenizer and embeddings are trimmed together; by default they stay whole."""

    saved_as: SavedAs = "float32"
    """Type of the saved weights. Scores are those of the rounded weights, computed in float32."""

    def __post_init__(self) -> None:
        if self.threshold != "dev" and not 0 < self.threshold < 1:
            raise ConfigError(f"threshold must be in (0, 1) or dev, got {self.threshold}.")

        if isinstance(self.vocabulary, int) and self.vocabulary < 1:
            raise ConfigError(f"vocabulary must be >= 1 or texts, got {self.vocabulary}.")

    def require_network(self, methods: Iterable[str]) -> None:
        """Refuse settings of word embeddings and weights for methods that train no network."""
        usual = Student()
        for name in ("vocabulary", "saved_as"):
            if getattr(self, name) != getattr(usual, name):
                raise ConfigError(
                    f"student.{name} is {getattr(self, name)}, and {', '.join(methods)} trains a linear "
                    "model without word pieces. Leave it out."
                )

    @property
    def own(self) -> Mapping[str, bool]:
        """Settings that initialise the student from something else than the teacher's first layers."""
        return {
            "init": self.init != "teacher",
            "which": self.which != "first",
            "model": self.model is not None,
        }
