"""The parts of a record: task, networks, environment, quality and cost."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from lmdistill.records.number_ranges import (
    Amount,
    Count,
    KnownAmount,
    KnownCorrelation,
    KnownShare,
    Number,
    Positive,
    Share,
)


class Part(BaseModel):
    """A piece of a record: it cannot be changed, and a misspelt field is refused.

    What a file says is read by `parsing.parse_part`, which ignores fields of newer versions.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True, ser_json_inf_nan="strings"
    )


class TaskFacts(Part):
    """The task and its data."""

    name: str
    """Name of the task."""
    kind: Literal["classification", "regression", "language"]
    """Classes, scores, or next tokens."""
    labels: tuple[str, ...]
    """Names of the classes in the order of the logits; empty for a regression."""
    metrics: Annotated[tuple[str, ...], Field(min_length=1)]
    """Names of the metrics, headline first."""
    source: str
    """Source of the data."""
    fingerprint: str
    """Fingerprint of the data."""
    dev_fingerprint: str | None = None
    """Fingerprint of the dev examples alone; None in older records."""
    rows: dict[str, Count]
    """Number of examples by split; of train those with a label."""
    unlabelled_rows: Count = 0
    """Number of training examples without a label, which only teacher terms see."""
    truncated: dict[str, Share] = {}
    """Share of truncated examples by split, in [0, 1]."""
    synthetic: bool = False
    """Whether a program made the texts."""
    multi_label: bool = False
    """Whether a text has any number of the labels; `kind` is "classification" then."""
    columns: tuple[str, ...] = ()
    """Text columns that the examples were read from; empty in older records and for language models."""
    notes: tuple[str, ...] = ()
    """What was inferred, dropped or counted while loading."""


class Environment(Part):
    """Versions, machine and commit of a run."""

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
    """Device of the networks."""
    threads: Count
    """CPU threads of torch."""
    commit: str | None
    """Commit of the git checkout in the working directory, None outside of one."""
    dirty: bool | None
    """Whether that checkout had changes."""


class Parameters(Part):
    """Number of parameters of a network by part."""

    embeddings: Count
    """Parameters of word, position and segment embeddings and their norm."""
    encoder: Count
    """Parameters of the layers and of what they share."""
    head: Count
    """Parameters after the layers: pooler and classifier."""
    total: Count
    """The sum of the three."""


class Latency(Part):
    """How long one forward pass over a batch takes, and under which conditions."""

    p50_ms: Amount
    """Median over passes, in milliseconds."""
    p95_ms: Amount
    """95th percentile over passes, in milliseconds: one pass in twenty is slower."""
    num_runs: Positive
    """Timed passes, >= 1; warm-up passes are not counted."""
    batch_size: Positive
    """Examples in the batch, >= 1."""
    tokens: Count
    """Positions of each example, padding included."""
    device: str
    """"cpu", or the accelerator's name."""
    threads: Count
    """CPU threads that torch may use within one operation."""


class NetworkFacts(Part):
    """Size and cost of a network."""

    source: str
    """Folder or hub id the network was loaded from."""
    layers: Count
    """Number of layers."""
    parameters: Parameters
    """Number of parameters by part."""
    disk_bytes: Count | None = None
    """Size of the saved weights in bytes."""
    flops: KnownAmount = None
    """Floating-point operations for one example."""
    fingerprint: str
    """Fingerprint of the weights."""
    latency: dict[str, Latency] = {}
    """Latency by batch size (as text)."""


class TokenGroup(Part):
    """Means over some of the scored tokens."""

    count: Count
    """Number of tokens, >= 0; everything else is None where there are none."""
    nats: KnownAmount
    """Mean of the student's -log q(token), >= 0."""
    teacher_nats: KnownAmount = None
    """Mean of the teacher's -log p(token), >= 0; None without a teacher."""
    agreement: KnownShare = None
    """Share of tokens at which both have the same first choice, in [0, 1]."""


class Stretch(TokenGroup):
    """The scored tokens, of all texts, that stand at about the same place."""

    first: Count
    """Tokens of its text that stand before the first of them, >= 1; a power of two."""
    last: Count
    """The same of the last of them; one less than the next power of two."""


class TokenFacts(Part):
    """Tokens grouped by the teacher's uncertainty."""

    easy: TokenGroup
    """The half of the tokens with lower uncertainty."""
    hard: TokenGroup
    """The half with higher uncertainty."""
    histogram: tuple[Count, ...]
    """Number of tokens by the teacher's uncertainty, 1 - p(token), in equal bins of [0, 1]."""


class Separation(Part):
    """Separation of the classes in the hidden states of a network, before any projection."""

    silhouette: KnownCorrelation
    """Mean silhouette of the examples, in [-1, 1]."""
    spread_ratio: KnownAmount
    """Spread of the classes' centres divided by the spread inside classes, >= 0."""


class MapFacts(Part):
    """The map of a run; its points are in a file of their own."""

    split: str
    """Split of its examples."""
    examples: Count
    """Number of examples."""
    pool: Literal["first", "mean"]
    """Representation of a text: the final state of its first token, or the mean over its tokens."""
    projection: Literal["tsne", "pca"]
    """Projection to two dimensions."""
    student: Separation
    """Separation in the student's states."""
    teacher: Separation | None = None
    """Separation in the teacher's states; None without a teacher."""


class Risk(Part):
    """Mean loss on training and dev examples, and the generalization gap."""

    train: KnownAmount
    """Mean loss on a sample of training examples."""
    dev: KnownAmount
    """Mean loss on dev examples."""
    gap: Number
    """Dev loss minus training loss."""
    train_error: KnownShare = None
    """Error rate on the same training examples; None for scores and in older records."""
    dev_error: KnownShare = None
    """Error rate on dev examples; None for scores and in older records."""
    sample_size: Count | None = None
    """Number of sampled training examples; None in older records."""
    train_interval: tuple[float, float] | None = None
    """95 % interval of `train` for all training examples; None in older records."""


class Training(Part):
    """Steps, epochs and time of the training."""

    steps: Count
    """Number of optimizer steps, those before an interruption included."""
    epochs: Amount
    """Passes over the training data."""
    seconds: Amount
    """Wall-clock seconds of the training loop in the last process."""
    examples_per_second: KnownAmount
    """Training examples a second, mixed ones not counted; None if not measured."""
    resumed: Annotated[bool | int, Field(ge=0)] = False
    """Optimizer steps done before the run was continued; they are not timed."""


class Candidate(Part):
    """A candidate for the teacher assistant."""

    kept: Share
    """Kept fraction of the teacher's heads and neurons, in (0, 1]."""
    round: Positive = 1
    """Number of the round, from 1."""
    parameters: Count
    """Parameters of the layers; embeddings and head are not pruned."""
    latency_ms: KnownAmount = None
    """Median latency of one example in milliseconds."""
    metric: Number
    """Dev metric in [0, 1], a part of the score."""
    score: Number = None
    """Trade-off score; None if the schedule has none."""
    student_metric: Number = None
    """Dev metric of the student it taught; None if it taught none."""
    chosen: bool = False
    """Whether it was chosen as the assistant."""


class Work(Part):
    """Cost of a schedule."""

    teacher_steps: Amount
    """Forward and backward passes of the teacher's layers on one batch, counted from kept fractions."""
    seconds: KnownAmount = None
    """Wall-clock seconds of its training loops."""


class ScheduleFacts(Part):
    """The schedule of a run and its candidates."""

    name: str
    """Name of the schedule."""
    keep: Share
    """Kept fraction of the student, in (0, 1]."""
    metric: str
    """Metric that candidates are judged by."""
    lam: Number = None
    """Weight of the sparsity in the trade-off score."""
    candidates: tuple[Candidate, ...] = ()
    """Candidates by round, largest first; empty for direct distillation."""
    work: Work
    """Cost of all stages, the last one included."""
    exhaustive: Work | None = None
    """Estimated cost of trying every assistant, at the same pace."""
