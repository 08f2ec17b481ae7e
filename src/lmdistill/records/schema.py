"""The pieces of a record: what was learned, by which networks, where and how well."""

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _defined(value: Any) -> Any:
    """None for a number that does not exist: a correlation of a constant, say, is NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


Number = Annotated[float | None, BeforeValidator(_defined)]
Scores = dict[str, dict[str, Number]]


class Part(BaseModel):
    """A piece of a record: it cannot be changed, and a misspelt field is refused.

    What a file says is read by `parsing.parse_part`, which ignores fields of newer versions.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True, ser_json_inf_nan="strings"
    )


class TaskFacts(Part):
    """What was learned, from which data."""

    name: str
    """Name of the task."""
    kind: Literal["classification", "regression", "language"]
    """Classes, scores, or next tokens."""
    labels: tuple[str, ...]
    """Names of the classes in the order of the logits; empty for a regression."""
    metrics: Annotated[tuple[str, ...], Field(min_length=1)]
    """Names of the metrics, headline first."""
    source: str
    """Where the data came from."""
    fingerprint: str
    """Of the contents."""
    dev_fingerprint: str | None = None
    """Of the dev examples alone; None in records from before it was kept."""
    rows: dict[str, int]
    """Examples in each split."""
    truncated: dict[str, float] = {}
    """Share of examples that were cut to the longest allowed length, by split, in [0, 1]."""
    synthetic: bool = False
    """Whether a program made the texts."""
    notes: tuple[str, ...] = ()
    """What was inferred, dropped or counted on the way."""


class Environment(Part):
    """Where a run took place."""

    python: str
    """Version of Python."""
    torch: str | None
    """Version of torch; None when it is not installed, like the next two."""
    transformers: str | None
    """Version of transformers."""
    accelerate: str | None
    """Version of accelerate."""
    platform: str
    """Operating system and architecture."""
    processor: str
    """Name of the processor."""
    device: str
    """What the networks ran on."""
    threads: int
    """Threads of torch."""
    commit: str | None
    """Commit of the git checkout in the working directory, None outside of one."""
    dirty: bool | None
    """Whether that checkout had changes."""


class Parameters(Part):
    """Where the weights of a network are."""

    embeddings: int
    """In the embeddings of words, positions and segments, and in their norm."""
    encoder: int
    """In the layers, and in what they share."""
    head: int
    """After the layers: pooler and classifier."""
    total: int
    """The sum of the three."""


class Latency(Part):
    """How long one forward pass over a batch takes, and under which conditions."""

    p50_ms: float
    """Median over passes, in milliseconds."""
    p95_ms: float
    """95th percentile over passes, in milliseconds: one pass in twenty is slower."""
    num_runs: int
    """Timed passes, >= 1; warm-up passes are not counted."""
    batch_size: int
    """Examples in the batch, >= 1."""
    tokens: int
    """Positions of each example, padding included."""
    device: str
    """"cpu", or the accelerator's name."""
    threads: int
    """CPU threads that torch may use within one operation."""


class NetworkFacts(Part):
    """What a network is and costs."""

    source: str
    """Where it came from."""
    layers: int
    """Depth."""
    parameters: Parameters
    """Counts."""
    disk_bytes: int | None = None
    """Size of the saved weights."""
    flops: Number = None
    """Floating-point operations for one example."""
    fingerprint: str
    """Of the weights."""
    latency: dict[str, Latency] = {}
    """By batch size, written as text."""


class Bin(Part):
    """Predictions of about the same confidence."""

    confidence: float
    """Mean probability of the predicted class, in [0, 1]."""
    accuracy: float
    """Share that was right, in [0, 1]."""
    count: int
    """Predictions in the bin."""


class Calibration(Part):
    """Whether a network is as often right as it says."""

    ece: Number
    """Expected calibration error, in [0, 1]."""
    brier: Number
    """Mean squared error of the probabilities."""
    nll: Number
    """Mean negative log-likelihood, in nats."""
    bins: tuple[Bin, ...] = ()
    """From unsure to sure; empty bins may be left out."""


class TokenGroup(Part):
    """Means over some of the scored tokens."""

    count: int
    """Number of tokens, >= 0; everything else is None where there are none."""
    nats: Number
    """Mean of the student's -log q(token), >= 0."""
    teacher_nats: Number = None
    """Mean of the teacher's -log p(token), >= 0; None without a teacher."""
    agreement: Number = None
    """Share of tokens at which both have the same first choice, in [0, 1]."""


class Stretch(TokenGroup):
    """The scored tokens, of all texts, that stand at about the same place."""

    first: int
    """Tokens of its text that stand before the first of them, >= 1; a power of two."""
    last: int
    """The same of the last of them; one less than the next power of two."""


class TokenFacts(Part):
    """How tokens fare by how uncertain the teacher is of them."""

    easy: TokenGroup
    """Those it is surer of: the lower half."""
    hard: TokenGroup
    """The others."""
    histogram: tuple[int, ...]
    """Tokens by the teacher's uncertainty, 1 less the probability of the token, in equal parts of [0, 1]."""


class Separation(Part):
    """How far apart classes lie in the states of a network, before any projection."""

    silhouette: Number
    """Mean silhouette of the examples, in [-1, 1]."""
    spread_ratio: Number
    """Spread of the classes' centres divided by the spread inside classes, >= 0."""


class MapFacts(Part):
    """The map of a run; its points are in a file of their own."""

    split: str
    """Of its examples."""
    examples: int
    """How many."""
    pool: Literal["first", "mean"]
    """What stands for a text: the final state of its first token, or the mean over its tokens."""
    projection: Literal["tsne", "pca"]
    """How its dimensions became two."""
    student: Separation
    """Of the student's states."""
    teacher: Separation | None = None
    """Of the teacher's, where there is one."""


class Risk(Part):
    """Mean loss on what was seen and on what was not."""

    train: Number
    """On training examples."""
    dev: Number
    """On dev examples."""
    gap: Number
    """Dev minus training."""
    train_error: Number = None
    """Share of wrong answers on the same training examples; None for scores, and in older records."""
    dev_error: Number = None
    """The same on dev."""
    sample_size: int | None = None
    """Training examples that `train` is the mean of; None in older records."""
    train_interval: tuple[float, float] | None = None
    """95 % interval of `train` for all training examples; None in older records."""


class Training(Part):
    """How much work the run was."""

    steps: int
    """Optimizer steps."""
    epochs: float
    """Passes over the training data."""
    seconds: float
    """Wall-clock time of the training loop."""
    examples_per_second: Number
    """Originals a second."""
    resumed: bool | int = False
    """Optimizer steps that had been done when the run was continued after a stop; they are not timed."""


class Candidate(Part):
    """A network that could stand between teacher and student."""

    kept: float
    """Fraction of the teacher's units, in (0, 1]."""
    round: int = 1
    """In which choice it stood, from 1."""
    parameters: int
    """Of the layers; embeddings and head are not pruned."""
    latency_ms: Number = None
    """Median for one example."""
    metric: Number
    """On dev, in [0, 1]: what the score is made of."""
    score: Number = None
    """The trade-off; None where nothing was scored."""
    student_metric: Number = None
    """The same metric of the student that learned from it, where one did."""
    chosen: bool = False
    """Whether the student learned from it."""


class Work(Part):
    """How much a schedule took."""

    teacher_steps: float
    """In forward and backward passes of the whole encoder on one batch, counted from kept fractions."""
    seconds: Number = None
    """Wall-clock time of its training loops."""


class ScheduleFacts(Part):
    """How the student came to learn from whom it learned."""

    name: str
    """Of the schedule."""
    keep: float
    """What the student keeps of the teacher's units, in (0, 1]."""
    metric: str
    """What candidates are judged by."""
    lam: Number = None
    """Weight of the sparsity in the score."""
    candidates: tuple[Candidate, ...] = ()
    """All of them, round by round, falling; empty for a direct distillation."""
    work: Work
    """What it took, last stage included."""
    exhaustive: Work | None = None
    """What trying every assistant in turn would have taken, at the same pace."""
