"""The nouns every other package shares.

Axis letters, used in every annotation of this package:
    b  examples in a batch        v  vocabulary entries or classes
    m  interpolated examples      d  hidden size
    t  token positions            *p any leading position axes: (b,) for a class, (b, t) for next tokens
"""

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal, TypeVar, cast

import torch
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor

Tensors = TypeVar("Tensors")


def to_device(value: Tensors, device: torch.device) -> Tensors:
    """Copy of a dataclass with every tensor in it on `device`, nested dataclasses too."""
    assert is_dataclass(value)
    there = {f.name: getattr(value, f.name) for f in fields(value)}
    there = {name: part.to(device) if hasattr(part, "to") else part for name, part in there.items()}
    return cast(Tensors, replace(cast(Any, value), **there))


@dataclass(frozen=True, kw_only=True)
class MixupPartners:
    """The other half of interpolated inputs: row i of the inputs is mixed with row i of these."""

    ids: Int[Tensor, "b t"]
    """Token ids of the partners."""

    mask: Int[Tensor, "b t"]
    """1 where the partner has a token, 0 where it is padded."""

    share: Float[Tensor, " b"]
    """What the first example keeps of itself, in [0, 1]; the paper's lambda."""

    segments: Int[Tensor, "b t"] | None = None
    """Segment ids of the partners; None keeps the first example's segments unmixed."""

    def to(self, device: torch.device) -> "MixupPartners":
        """Copy with every tensor on `device`."""
        return to_device(self, device)


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a network reads: token ids, or two sets of them and how to interpolate their embeddings."""

    ids: Int[Tensor, "b t"]
    """Token ids, padded on the right."""

    mask: Int[Tensor, "b t"]
    """1 for a token, 0 for padding."""

    segments: Int[Tensor, "b t"] | None = None
    """Segment ids of text pairs (BERT's token_type_ids), where the model has them."""

    partners: MixupPartners | None = None
    """Partners to interpolate with, inside the network, at its word embeddings."""

    def to(self, device: torch.device) -> "Inputs":
        """Copy with every tensor on `device`."""
        return to_device(self, device)


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What a network writes."""

    logits: Float[Tensor, "*p v"]
    """One row of scores for each position; v = 1 for a regression."""

    hidden: tuple[Float[Tensor, "b t d"], ...] = ()
    """States after the embeddings (index 0) and after each layer; empty unless asked for."""


@dataclass(frozen=True, kw_only=True)
class LMHead:
    """The output layer of a language model: how a state becomes one logit for each vocabulary entry."""

    weight: Float[Tensor, "v d"]
    """Output matrix."""

    bias: Float[Tensor, " v"] | None = None
    """Added to the products."""

    scale: float = 1.0
    """Every logit is multiplied by this."""

    softcap: float | None = None
    """Logits are bent into (-softcap, softcap) by a hyperbolic tangent, after the scale; None leaves them."""

    def logits(self, states: Float[Tensor, "*n d"]) -> Float[Tensor, "*n v"]:
        """The logits of each state, all at once."""
        found = torch.nn.functional.linear(states, self.weight, self.bias) * self.scale
        return found if self.softcap is None else self.softcap * torch.tanh(found / self.softcap)


@dataclass(frozen=True, kw_only=True)
class MixedExamples:
    """Interpolated examples: original i with its partner, `share` of the first and the rest of the second."""

    inputs: Inputs
    """The student's view, with `partners` set."""

    labels: Num[Tensor, " m"]
    """Labels of the originals; class numbers or scores."""

    partner_labels: Num[Tensor, " m"]
    """Labels of the partners."""

    share: Float[Tensor, " m"]
    """Lambda of each mixed example, in [0, 1]."""

    scored: Bool[Tensor, " m"]
    """Which mixed examples count."""

    teacher_inputs: Inputs | None = None
    """The teacher's view, if it has a tokenizer of its own: same pairs, same shares."""

    @property
    def for_teacher(self) -> Inputs:
        """What the teacher reads."""
        return self.inputs if self.teacher_inputs is None else self.teacher_inputs

    def to(self, device: torch.device) -> "MixedExamples":
        """Copy with every tensor on `device`."""
        return to_device(self, device)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Inputs, targets and the positions that count."""

    inputs: Inputs
    """The student's view."""

    labels: Num[Tensor, "*p"]
    """Class numbers (integers) or scores (floats), one a position."""

    scored: Bool[Tensor, "*p"]
    """The only truth about which positions count."""

    examples: Int[Tensor, " b"] | None = None
    """Row numbers in the data set, to name examples in messages."""

    teacher_inputs: Inputs | None = None
    """The teacher's view, if it has a tokenizer of its own."""

    mixed: MixedExamples | None = None
    """Interpolated examples, for methods that ask for them with `mixing`."""

    prepass: "TeacherPrepass | None" = None
    """What a method has found out about the whole step, for methods that are a `PrepassMethod`."""

    count: int = 0
    """Scored positions, counted by the collator: the one denominator of every loss on this batch."""

    @property
    def for_teacher(self) -> Inputs:
        """What the teacher reads."""
        return self.inputs if self.teacher_inputs is None else self.teacher_inputs

    def to(self, device: torch.device) -> "Batch":
        """Copy with every tensor on `device`."""
        return to_device(self, device)


@dataclass(frozen=True, kw_only=True)
class TeacherPrepass:
    """A first look at a batch, and at everything else that belongs to its step."""

    scores: Float[Tensor, " n"]
    """One number for each scored position of this batch, in the order of `inputs[scored]`."""

    states: Float[Tensor, "n d"]
    """The teacher's final states there, so that it need not run again."""

    head: LMHead
    """The teacher's output layer."""

    step_scores: Float[Tensor, " s"]
    """The numbers of all micro-batches and processes of the step, these included, in any order."""


@dataclass(frozen=True, kw_only=True)
class BackwardPass:
    """Which of several passes over one batch a network is in; all of them ask it the same questions."""

    call: int
    """How often it has been called in this pass, from 0."""

    index: int
    """The pass, from 0."""

    count: int
    """How many there are, >= 1; each is followed by its backward pass."""

    @property
    def is_last(self) -> bool:
        """Whether no pass comes after this one."""
        return self.index == self.count - 1


@dataclass(frozen=True, kw_only=True)
class MixupSettings:
    """What the sampler must draw for a method that learns from interpolated examples."""

    ratio: int = 1
    """Mixed examples an original, >= 1."""

    concentration: float = 0.4
    """Both parameters of the Beta distribution of the share, > 0."""

    share: Literal["sample", "batch"] = "sample"
    """Draw one share an example, or one a batch."""

    fold: bool = False
    """Use max(share, 1 - share), so that the first example always dominates."""

    partner: Literal["batch", "train"] = "batch"
    """Take partners from the same global batch, or from the whole training set."""

    segments: Literal["mix", "keep"] = "mix"
    """Interpolate segment embeddings too, or keep those of the first example."""
