"""What a record says of a teacher that is more than one classifier as it is."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from lmdistill.records.number_ranges import (
    Amount,
    Count,
    KnownAmount,
    KnownShare,
    Positive,
    Scores,
    Share,
    Whole,
)
from lmdistill.records.schema import Part


class TeacherModel(Part):
    """One of the models that teach."""

    source: str
    """Folder or hub id that it was loaded from; what it was fine-tuned from."""
    fingerprint: str
    """Fingerprint of its weights."""
    layers: Count
    """Number of layers."""
    parameters: Count
    """Number of parameters."""
    metrics: Scores
    """Its metrics by dev split and name."""
    seed: Whole | None = None
    """Training seed of its fine-tuning for the task; None if it came with a head, or was prompted."""


class Temperature(Part):
    """The temperature that the teacher's logits are divided by."""

    value: Amount
    """The temperature, in [0.01, 100]."""
    rows: Positive
    """Number of held-out training rows that it was fitted on, >= 1."""
    nll_before: Amount
    """Mean negative log-likelihood of these rows without it, in nats."""
    nll_after: Amount
    """The same with it."""
    may_be_seen: bool
    """Whether a model came fine-tuned, so that it may have been trained on these rows."""


class Disagreement(Part):
    """How much the models differ on the same texts."""

    divided: KnownShare = None
    """Share of texts for which they do not all predict the same class, in [0, 1]; None for scores."""
    pairwise: KnownShare = None
    """The same for two models, averaged over pairs, in [0, 1]; None for scores."""
    jensen_shannon: KnownAmount = None
    """Mean of KL(model || mean of the models), in nats; None for scores."""
    spread: KnownAmount = None
    """Mean standard deviation of their scores; None for classes."""


class PromptFacts(Part):
    """The prompt of a decoder that teaches by the likelihood of label words."""

    template: str
    """The prompt with its fields."""
    words: Mapping[str, str]
    """The word of each label, in the order of the labels."""
    calibrated: bool
    """Whether scores behind prompts without content were subtracted."""
    content_free: Mapping[str, float]
    """Mean log-probability of the tokens of each label's word behind prompts without content, in nats."""
    chat_template: bool
    """Whether the prompt was sent through a chat template."""
    truncated: Mapping[str, Share]
    """Share of texts that were cut by dev split, in [0, 1]."""


class TeachingFacts(Part):
    """How one or several models teach."""

    models: tuple[TeacherModel, ...]
    """The models, in the order of the recipe."""
    combine: Literal["log_probabilities", "probabilities", "logits"] = "log_probabilities"
    """What was averaged over them."""
    temperature: Temperature | None = None
    """The fitted temperature; None if the logits are used as they are."""
    prompt: PromptFacts | None = None
    """The prompt; None for classifiers."""
    disagreement: Mapping[str, Disagreement] = Field(default_factory=dict)
    """By split, empty for one model; on train only where the method reads the logits."""
