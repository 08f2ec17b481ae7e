"""Joint training of nested candidates: networks that share weights, each a part of the next larger one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lmdistill.core.backward_pass import BackwardPass
from lmdistill.core.batch import Batch, Inputs, LMHead, MixupSettings, Outputs, TeacherPrepass
from lmdistill.core.completions import Completions, completions_of
from lmdistill.core.protocols import HeadFunction, LanguageNet, Method, Net, PrepassMethod
from lmdistill.methods.preconditions import require_range
from lmdistill.methods.teacher_outputs import reads_stored_logits
from lmdistill.schedules.distillation import NUM_SMALLEST


@dataclass(frozen=True, kw_only=True)
class Nested:
    r"""Apply a method to every candidate and average the losses, with one update of the shared weights.

    .. math:: L = \frac{1}{|A|} \sum_{a \in A} L_a(f, g_a)

    A is the set of candidates, f the teacher and g_a a candidate. Each candidate has its own backward pass,
    so that memory holds the graph of one candidate at a time. The teacher runs once per micro-batch.

    References:
        Zhang et al., "MiniDisc", 2022, released code: all candidates in every step, with equal weights, each
        taught by the frozen teacher. `sandwich` is a variant that is commented out there.
    """

    method: Method
    """The method that trains every candidate."""

    kept: tuple[float, ...]
    """Kept fraction of each candidate, in (0, 1]."""

    sampling: Literal["all", "sandwich"] = "all"
    """Candidates in each step: all, or the largest, the three smallest and `middle` others at random."""

    middle: int = 2
    """Number of other candidates that sandwich sampling draws in each step, >= 0."""

    def __post_init__(self) -> None:
        require_range("middle", self.middle, low=0)

    @property
    def uses_teacher(self) -> bool:
        """Whether the method needs a teacher."""
        return self.method.uses_teacher

    @property
    def reads_stored_logits(self) -> bool:
        """Whether a term of the method compares logits for the original examples."""
        return reads_stored_logits(self.method)

    @property
    def mixing(self) -> MixupSettings | None:
        """Settings of mixup of the method; all candidates use the same mixed examples."""
        return self.method.mixing

    @property
    def completions(self) -> Completions:
        """Source of the completions, as for the method; on-policy completions come from the whole network."""
        return completions_of(self.method)

    @property
    def needs_prepass(self) -> bool:
        """Whether the method needs a prepass."""
        return isinstance(self.method, PrepassMethod) and self.method.needs_prepass

    def prepass(self, teacher: Net | None, batch: Batch) -> TeacherPrepass:
        """The prepass of the method; it depends on the teacher alone, so that all candidates share it."""
        return cast(PrepassMethod, self.method).prepass(teacher, batch)

    def check(self, student: Net, teacher: Net | None) -> None:
        """The check of the method."""
        self.method.check(student, teacher)

    def losses(self, student: Net, teacher: Net | None, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """The mean of the losses of all sampled candidates, in one graph."""
        sampled = self.sample_candidates()
        cached = None if teacher is None else CachedTeacher(teacher)
        sums: dict[str, Float[Tensor, ""]] = {}
        for kept in sampled:
            terms = self._candidate_losses(NestedCandidate(student, kept), cached, batch, 1 / len(sampled))
            sums = {name: value + sums.get(name, 0.0) for name, value in terms.items()}
        return sums

    def loss_closures(
        self, student: Net, teacher: Net | None, batch: Batch
    ) -> tuple[Callable[[], dict[str, Float[Tensor, ""]]], ...]:
        """One function for each sampled candidate, the largest last."""
        sampled = self.sample_candidates()
        cached = None if teacher is None else CachedTeacher(teacher)
        candidates = [NestedCandidate(student, kept, (i, len(sampled))) for i, kept in enumerate(sampled)]
        weight = 1 / len(sampled)
        return tuple(partial(self._candidate_losses, each, cached, batch, weight) for each in candidates)

    def sample_candidates(self) -> tuple[float, ...]:
        """The kept fractions of the candidates of a step, increasing, drawn with torch's generator."""
        ascending = tuple(sorted(self.kept))
        if self.sampling == "all" or len(ascending) <= NUM_SMALLEST + 1 + self.middle:
            return ascending
        others = ascending[NUM_SMALLEST:-1]
        indices = sorted(torch.randperm(len(others))[: self.middle].tolist())
        return (*ascending[:NUM_SMALLEST], *(others[index] for index in indices), ascending[-1])

    def _candidate_losses(
        self, candidate: "NestedCandidate", teacher: "CachedTeacher | None", batch: Batch, weight: float
    ) -> dict[str, Float[Tensor, ""]]:
        """The losses of one candidate, times `weight`."""
        if teacher is not None:
            teacher.rewind()
        terms = self.method.losses(cast(Net, candidate), cast("Net | None", teacher), batch)
        return {name: weight * value for name, value in terms.items()}


class NestedCandidate:
    """One candidate of a nested network, with the interface of a network of its own.

    Args:
        whole: The nested network.
        kept: Kept fraction of the candidate.
        position: Number of its backward pass and of all backward passes over the batch, if it has its own.
    """

    def __init__(self, whole: Net, kept: float, position: tuple[int, int] | None = None) -> None:
        self._whole, self._kept, self._position, self._calls = whole, kept, position, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)

    def __call__(self, *args: Any, **settings: Any) -> Any:
        """Run the candidate by calling the whole network, so that distributed wrappers see the call."""
        if self._position is not None:
            index, count = self._position
            settings["backward_pass"] = BackwardPass(call=self._calls, index=index, count=count)
            self._calls += 1
        return cast(Any, self._whole)(*args, kept=self._kept, **settings)


class CachedTeacher:
    """A teacher that runs for the first candidate and returns the cached outputs to all others.

    Every candidate must call it with the same inputs in the same order.
    """

    def __init__(self, teacher: Net) -> None:
        self._teacher, self._cache, self._calls = teacher, list[Any](), 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._teacher, name)

    def rewind(self) -> None:
        """Start again with the first call, for the next candidate."""
        self._calls = 0

    def __call__(
        self,
        inputs: Inputs,
        *,
        hidden: bool = False,
        at: Bool[Tensor, "b t"] | None = None,
        head_fn: HeadFunction | None = None,
    ) -> Outputs | Mapping[str, Tensor]:
        """The outputs for this call, from the cache if an earlier candidate has made it."""
        if self._calls == len(self._cache):
            self._cache.append(self._run(inputs, hidden, at))
        self._calls += 1
        outputs = self._cache[self._calls - 1]
        return cast(Outputs, outputs) if head_fn is None else head_fn(*outputs)

    def _run(self, inputs: Inputs, hidden: bool, at: Bool[Tensor, "b t"] | None) -> Any:
        """Outputs of a classifier, or final hidden states and output layer of a language model."""
        if at is None:
            return self._teacher(inputs, hidden=hidden)
        captured: list[tuple[Tensor, LMHead]] = []

        def capture(states: Float[Tensor, "n d"], head: LMHead) -> Mapping[str, Tensor]:
            captured.append((states, head))
            return {}

        cast(LanguageNet, self._teacher)(inputs, at=at, head_fn=capture)
        return captured[0]
