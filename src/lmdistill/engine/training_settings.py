"""How to train, as values: no method, no data, no model."""

from dataclasses import dataclass, field
from typing import Literal

from lmdistill.core.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """AdamW (fused) and its learning rate over the run.

    Defaults are those of PKD's protocol, which MixKD takes its KD and PKD rows from; MixKD itself names none.
    """

    learning_rate: float = 5e-5
    """Largest rate, > 0; PKD searches 5e-5, 2e-5 and 1e-5."""

    weight_decay: float = 0.01
    """Decoupled decay of matrices, >= 0; vectors (biases, norms) never decay."""

    warmup: float = 0.1
    """Share of the steps over which the rate rises, in [0, 1)."""

    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """How the rate falls afterwards."""

    clip: float = 1.0
    """Largest norm of the gradient, > 0; 0 leaves it alone."""

    def __post_init__(self) -> None:
        if not self.learning_rate > 0:
            raise ConfigError(f"learning_rate must be > 0, got {self.learning_rate}.")
        if not self.weight_decay >= 0:
            raise ConfigError(f"weight_decay must be >= 0, got {self.weight_decay}.")
        if not 0 <= self.warmup < 1:
            raise ConfigError(f"warmup must be in [0, 1), got {self.warmup}.")
        if not self.clip >= 0:
            raise ConfigError(f"clip must be >= 0, got {self.clip}.")


@dataclass(frozen=True, kw_only=True)
class Training:
    """Everything about a run that is neither the method nor the data."""

    epochs: int = 4
    """Passes over the training set, >= 1."""

    batch_size: int = 32
    """Examples of one optimizer step, over all processes and micro-batches, >= 1."""

    accumulate: int = 1
    """Micro-batches in which a process works off its share of a batch, >= 1; changes memory, not results."""

    precision: Literal["fp32", "bf16"] = "fp32"
    """Arithmetic of the forward passes; weights and losses stay fp32."""

    compile: bool = False
    """Pass the student through torch.compile."""

    group_by_length: bool = True
    """Put examples of similar length together."""

    eval_every: int = 0
    """Steps between evaluations on dev, >= 0; 0 means once an epoch."""

    checkpoint_every: int = 200
    """Steps between checkpoints, >= 1: what a kill can cost."""

    patience: int = 0
    """Evaluations without a better score after which the run stops, >= 0; 0 means never."""

    keep: Literal["last", "best"] = "last"
    """Which weights the run ends with: of the last step, or of the best evaluation on dev."""

    seed: int = 0
    """Of the batches, the dropout and what is mixed."""

    optimizer: Optimizer = field(default_factory=Optimizer)
    """AdamW's settings."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "accumulate", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be >= 1, got {getattr(self, name)}.")
        for name in ("eval_every", "patience", "seed"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must be >= 0, got {getattr(self, name)}.")
