"""Training settings that do not depend on the method, the data or the model."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lmdistill.core.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """AdamW (fused) and its learning-rate schedule.

    The defaults follow the PKD paper, from which MixKD takes its KD and PKD results; the MixKD paper states
    no settings of its own.
    """

    learning_rate: float | None = 5e-5
    """Peak learning rate, > 0; the PKD paper searches 5e-5, 2e-5 and 1e-5. For language models null chooses
    it by the size of the network."""

    weight_decay: float = 0.01
    """Decoupled weight decay of matrices, >= 0; vectors (biases and norms) have none."""

    warmup: float = 0.1
    """Fraction of the steps in which the learning rate rises linearly to its peak, in [0, 1)."""

    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """Shape of the decay of the learning rate after the warmup: to 0, or constant."""

    clip: float = 1.0
    """Maximum Euclidean norm of the gradient, > 0; 0 disables clipping."""

    def __post_init__(self) -> None:
        if self.learning_rate is not None and not self.learning_rate > 0:
            raise ConfigError(f"learning_rate must be > 0, got {self.learning_rate}.")
        if not self.weight_decay >= 0:
            raise ConfigError(f"weight_decay must be >= 0, got {self.weight_decay}.")
        if not 0 <= self.warmup < 1:
            raise ConfigError(f"warmup must be in [0, 1), got {self.warmup}.")
        if not self.clip >= 0:
            raise ConfigError(f"clip must be >= 0, got {self.clip}.")

    @property
    def rate(self) -> float:
        """The learning rate.

        Raises:
            ConfigError: It is null and nothing has chosen it.
        """
        if self.learning_rate is None:
            raise ConfigError(
                "learning_rate is null, which only recipes for language models fill in. Set it."
            )
        return self.learning_rate


@dataclass(frozen=True, kw_only=True)
class Training:
    """Settings of the training loop."""

    epochs: int | None = 4
    """Number of passes over the training set, >= 1. For language models null chooses it by the size of the
    network."""

    min_steps: int = 0
    """Fewest optimizer steps, >= 0: where `epochs` passes have fewer, whole passes are added. For schedules
    that must not shrink with the data."""

    max_steps: int | None = None
    """Most optimizer steps, >= 1: the last pass is cut short. With an equal `min_steps` it is their exact
    number. No limit by default."""

    batch_size: int = 32
    """Number of examples per optimizer step, over all processes and micro-batches, >= 1."""

    accumulate: int = 1
    """Number of micro-batches per optimizer step and process, >= 1; more need less memory and give the same
    results."""

    precision: Literal["fp32", "bf16"] = "fp32"
    """Precision of the forward passes: float32, or mixed precision with bfloat16. Weights and losses are
    always float32."""

    compile: bool = False
    """Compile the student with `torch.compile`."""

    group_by_length: bool = True
    """Put examples of similar length in the same batch, which reduces padding."""

    eval_every: int = 0
    """Number of steps between evaluations on the dev set, >= 0; 0 evaluates once per epoch."""

    checkpoint_every: int = 200
    """Number of steps between checkpoints, >= 1; an interrupted run repeats at most this many."""

    patience: int = 0
    """Early stopping: number of evaluations without a better score after which training stops, >= 0; 0
    disables it."""

    keep: Literal["last", "best"] = "last"
    """Weights to keep: those of the last step, or those of the best evaluation on the dev set."""

    seed: int = 0
    """Seed of the order of examples, of dropout and of mixup, >= 0."""

    class_weights: Literal["balanced"] | tuple[float, ...] | Mapping[str | int, float] | None = None
    """Weights of the classes in the loss of gold labels: `balanced` (rows / (classes * rows of the class)),
    `[1, 9]` in the order of the labels, or `{usual: 1, urgent: 9}`. Teacher terms have none."""

    sampling: Literal["shuffled", "by_class"] = "shuffled"
    """Rows of an epoch: each once, or as many with a label drawn so that all classes are seen equally often.
    Rows without a label and the second examples of mixup are drawn as ever."""

    optimizer: Optimizer = field(default_factory=Optimizer)
    """Settings of AdamW and of its learning rate."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "accumulate", "checkpoint_every"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ConfigError(f"{name} must be >= 1, got {getattr(self, name)}.")
        for name in ("min_steps", "eval_every", "patience", "seed"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must be >= 0, got {getattr(self, name)}.")
        if self.max_steps is not None and self.max_steps < max(1, self.min_steps):
            raise ConfigError(
                f"max_steps must be >= 1 and not below min_steps ({self.min_steps}), got {self.max_steps}."
            )
        weights = self.class_weights
        for weight in weights.values() if isinstance(weights, Mapping) else weights or ():
            if not isinstance(weights, str) and not 0 < float(weight) < math.inf:
                raise ConfigError(f"class_weights must be > 0 and finite, got {weight}.")

    @property
    def passes(self) -> int:
        """Passes over the training set.

        Raises:
            ConfigError: They are null and nothing has chosen them.
        """
        if self.epochs is None:
            raise ConfigError("epochs is null, which only recipes for language models fill in. Set it.")
        return self.epochs

    @property
    def is_open(self) -> bool:
        """Whether epochs or learning rate are still to be chosen."""
        return self.epochs is None or self.optimizer.learning_rate is None
