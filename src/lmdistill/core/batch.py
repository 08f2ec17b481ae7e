"""Batches, network inputs and outputs.

Axis letters in the shape annotations of this package:
    b  examples in a batch        v  vocabulary entries or classes
    m  interpolated examples      d  hidden size
    t  token positions            *p any position axes: (b,) for classification, (b, t) for next tokens
"""

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal, TypeVar, cast

import torch
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor

Tensors = TypeVar("Tensors")


def to_device(value: Tensors, device: torch.device) -> Tensors:
    """Copy a dataclass with all its tensors, also those of nested dataclasses, to `device`."""
    assert is_dataclass(value)
    values = {f.name: getattr(value, f.name) for f in fields(value)}
    values = {name: item.to(device) if hasattr(item, "to") else item for name, item in values.items()}
    return cast(Tensors, replace(cast(Any, value), **values))


@dataclass(frozen=True, kw_only=True)
class MixupPartners:
    """The second examples of mixup: row i of the inputs is interpolated with row i of these."""

    ids: Int[Tensor, "b t"]
    """Token ids of the second examples."""

    mask: Int[Tensor, "b t"]
    """Attention mask of the second examples: 1 for a token, 0 for padding."""

    share: Float[Tensor, " b"]
    """Weight of the first example, in [0, 1]; lambda in the mixup papers."""

    segments: Int[Tensor, "b t"] | None = None
    """Segment ids of the second examples; None keeps the segment embeddings of the first."""

    def to(self, device: torch.device) -> "MixupPartners":
        """Copy to `device`."""
        return to_device(self, device)


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Inputs of a network: token ids, and for mixup those of the second examples."""

    ids: Int[Tensor, "b t"]
    """Token ids, padded on the right."""

    mask: Int[Tensor, "b t"]
    """Attention mask: 1 for a token, 0 for padding."""

    segments: Int[Tensor, "b t"] | None = None
    """Segment ids of text pairs (`token_type_ids`), for models that have segment embeddings."""

    partners: MixupPartners | None = None
    """Second examples of mixup; the network interpolates word embeddings. None for plain inputs."""

    def to(self, device: torch.device) -> "Inputs":
        """Copy to `device`."""
        return to_device(self, device)


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Outputs of a network."""

    logits: Float[Tensor, "*p v"]
    """Logits of each position; v = 1 for a regression."""

    hidden: tuple[Float[Tensor, "b t d"], ...] = ()
    """Hidden states after the embeddings (index 0) and after each layer; empty unless requested."""

    read_at: Int[Tensor, " b"] | None = None
    """Position of the token whose state the head reads, a decoder's last one; None for the first."""

    def read_state(self, layer: int) -> Float[Tensor, "b d"]:
        """Hidden state after `layer` layers of the token whose last state the head of a classifier reads."""
        states = self.hidden[layer]
        if self.read_at is None:
            return states[:, 0]
        return states[torch.arange(len(states), device=states.device), self.read_at]


@dataclass(frozen=True, kw_only=True)
class LMHead:
    """The output layer of a language model: it maps a hidden state to one logit for each vocabulary entry."""

    weight: Float[Tensor, "v d"]
    """Weights: a row for each of the v vocabulary entries, of the hidden size d."""

    bias: Float[Tensor, " v"] | None = None
    """Bias, if there is one."""

    scale: float = 1.0
    """Factor of all logits, applied after the bias."""

    softcap: float | None = None
    """Limit c, > 0: logits z become c * tanh(z / c), after the scale. None applies no limit."""

    def logits(self, states: Float[Tensor, "*n d"]) -> Float[Tensor, "*n v"]:
        """The logits of some hidden states, computed at once (not in chunks)."""
        logits = torch.nn.functional.linear(states, self.weight, self.bias) * self.scale
        return logits if self.softcap is None else self.softcap * torch.tanh(logits / self.softcap)


@dataclass(frozen=True, kw_only=True)
class KnownPositions:
    """The positions that enter a loss term that others do not: those with a gold label, or with an answer."""

    mask: Bool[Tensor, "*p"]
    """Whether a position enters; the term's targets are 0 at others."""

    weight: Float[Tensor, ""] | None = None
    """Factor of the term, from the engine: scored positions of the step divided by those that enter, so that
    the term is the mean over the latter. None is 1."""

    def to(self, device: torch.device) -> "KnownPositions":
        """Copy to `device`."""
        return to_device(self, device)


@dataclass(frozen=True, kw_only=True)
class StoredAnswers:
    """Outputs of the teacher that were computed before, or that a file has."""

    logits: Float[Tensor, "*p v"]
    """Logits of each position, 0 without an answer."""

    answered: KnownPositions | None = None
    """The positions with an answer, which teacher terms see; None if all have one."""

    def to(self, device: torch.device) -> "StoredAnswers":
        """Copy to `device`."""
        return to_device(self, device)


@dataclass(frozen=True, kw_only=True)
class MixedExamples:
    """Examples interpolated by mixup, and the labels of both originals."""

    inputs: Inputs
    """Inputs for the student, with `partners` set."""

    labels: Num[Tensor, " m"] | Num[Tensor, "m v"]
    """Labels of the first examples: class numbers (integers), scores (floats), or a row of 0 and 1 each."""

    partner_labels: Num[Tensor, " m"] | Num[Tensor, "m v"]
    """Labels of the second examples."""

    weights: Float[Tensor, " m"] | None = None
    """Weight of the class of the first label; None if all classes count the same."""

    partner_weights: Float[Tensor, " m"] | None = None
    """The same of the second label."""

    share: Float[Tensor, " m"]
    """Weight of the first example (lambda), in [0, 1]."""

    scored: Bool[Tensor, " m"]
    """Whether a mixed example enters the loss."""

    teacher_inputs: Inputs | None = None
    """The same pairs and weights for a teacher with another tokenizer; None if both use one tokenizer."""

    labelled: KnownPositions | None = None
    """The mixed examples of which both originals have a gold label; None if all have."""

    @property
    def multi_label(self) -> bool:
        """Whether an example has any number of labels: a row of 0 and 1."""
        return self.labels.ndim > self.scored.ndim

    @property
    def for_teacher(self) -> Inputs:
        """Inputs for the teacher."""
        return self.inputs if self.teacher_inputs is None else self.teacher_inputs

    def to(self, device: torch.device) -> "MixedExamples":
        """Copy to `device`."""
        return to_device(self, device)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One micro-batch: inputs, labels and the positions that enter the loss."""

    inputs: Inputs
    """Inputs for the student."""

    scored: Bool[Tensor, "*p"]
    """Whether a position enters the loss; false for prompts and padding."""

    labels: Num[Tensor, "*p"] | Num[Tensor, "*p v"]
    """Label of each position: a class number or token id (integers), a score (floats), or a row of 0 and 1
    for tasks with any number of labels a text."""

    labelled: KnownPositions | None = None
    """The positions with a gold label; None if all have one. Only teacher terms see the others."""

    label_weights: Float[Tensor, "*p"] | None = None
    """Factor of each label loss, the weight of the label's class; None is 1. Teacher terms have none."""

    examples: Int[Tensor, " b"] | None = None
    """Row numbers in the data set, for error messages."""

    teacher_inputs: Inputs | None = None
    """Inputs for a teacher with another tokenizer; None if both use one tokenizer."""

    stored: StoredAnswers | None = None
    """Stored outputs of the teacher for these inputs; None if it has to be run."""

    mixed: MixedExamples | None = None
    """Interpolated examples, for methods whose `mixing` is set."""

    prepass: "TeacherPrepass | None" = None
    """Results of the teacher on all micro-batches of the step, for methods that are a `PrepassMethod`."""

    count: int = 0
    """Number of scored positions, from the collator; losses are averaged over it."""

    equal_share: Float[Tensor, ""] | None = None
    """Factor of a loss that gives this micro-batch the weight of every other one of the step, however many
    positions they score; from the engine. None for a micro-batch alone, whose factor is 1."""

    @property
    def multi_label(self) -> bool:
        """Whether an example has any number of labels: a row of 0 and 1."""
        return self.labels.ndim > self.scored.ndim

    @property
    def for_teacher(self) -> Inputs:
        """Inputs for the teacher."""
        return self.inputs if self.teacher_inputs is None else self.teacher_inputs

    def to(self, device: torch.device) -> "Batch":
        """Copy to `device`."""
        return to_device(self, device)


@dataclass(frozen=True, kw_only=True)
class TeacherPrepass:
    """Results of running the teacher on one micro-batch before its loss, and scores of the whole step."""

    scores: Float[Tensor, " n"]
    """One score for each scored position of this micro-batch, in the order of `labels[scored]`."""

    states: Float[Tensor, "n d"]
    """The teacher's final hidden states at these positions, so that it is not run again."""

    head: LMHead
    """The teacher's output layer."""

    step_scores: Float[Tensor, " s"]
    """Scores of all micro-batches and processes of the step, including this one, in any order."""


@dataclass(frozen=True, kw_only=True)
class MixupSettings:
    """Settings of mixup: how the sampler draws pairs of examples and their weights."""

    ratio: int = 1
    """Mixed examples for each original example, >= 1."""

    concentration: float = 0.4
    """Both parameters of the Beta distribution from which weights are drawn, > 0."""

    share: Literal["sample", "batch"] = "sample"
    """Draw one weight for each mixed example, or one for each batch."""

    fold: bool = False
    """Replace a weight by max(weight, 1 - weight), so that the first example dominates."""

    partner: Literal["train", "batch"] = "train"
    """Draw second examples uniformly from the whole training set, or from the same batch (over all
    processes); never the example itself."""

    segments: Literal["mix", "keep"] = "mix"
    """Interpolate segment embeddings as well, or keep those of the first example."""
