"""Teach several networks at once that are parts of one another."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lmdistill.core.batch import BackwardPass, Batch, Inputs, LMHead, MixupSettings, Outputs, TeacherPrepass
from lmdistill.core.completions import Completions, completions_of
from lmdistill.core.protocols import HeadFunction, LanguageNet, Method, Net, PrepassMethod
from lmdistill.methods.preconditions import require_range
from lmdistill.schedules.distillation import NUM_SMALLEST


@dataclass(frozen=True, kw_only=True)
class Nested:
    r"""Any method for every candidate, the mean over candidates, one update of the weights they share.

    .. math:: L = \frac{1}{|A|} \sum_{a \in A} L_a(f, g_a)

    Each candidate has a backward pass of its own, so that memory holds one of them; the teacher runs once.

    References:
        Zhang et al., "MiniDisc", 2022, released code: all candidates in every step, with equal weights, each
        from the frozen teacher. `sandwich` is its commented-out variant.
    """

    method: Method
    """What every candidate learns."""

    kept: tuple[float, ...]
    """The candidates, by the fraction that each keeps, in (0, 1]."""

    sampling: Literal["all", "sandwich"] = "all"
    """All candidates in every step, or the largest, the three smallest and `middle` others at random."""

    middle: int = 2
    """Others that sandwich sampling draws, >= 0."""

    def __post_init__(self) -> None:
        require_range("middle", self.middle, low=0)

    @property
    def uses_teacher(self) -> bool:
        """As the method does."""
        return self.method.uses_teacher

    @property
    def mixing(self) -> MixupSettings | None:
        """As the method does: one draw for all candidates."""
        return self.method.mixing

    @property
    def completions(self) -> Completions:
        """As the method's; students sample with all that is trained."""
        return completions_of(self.method)

    @property
    def needs_prepass(self) -> bool:
        """As the method does."""
        return isinstance(self.method, PrepassMethod) and self.method.needs_prepass

    def prepass(self, teacher: Net | None, batch: Batch) -> TeacherPrepass:
        """The method's own; it is about the teacher, so one does for all candidates."""
        return cast(PrepassMethod, self.method).prepass(teacher, batch)

    def check(self, student: Net, teacher: Net | None) -> None:
        """What the method asks for."""
        self.method.check(student, teacher)

    def losses(self, student: Net, teacher: Net | None, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """All candidates in one graph."""
        chosen = self.sample_candidates()
        memory = None if teacher is None else CachedTeacher(teacher)
        found: dict[str, Float[Tensor, ""]] = {}
        for kept in chosen:
            terms = self._one(NestedCandidate(student, kept), memory, batch, 1 / len(chosen))
            found = {name: value + found.get(name, 0.0) for name, value in terms.items()}
        return found

    def loss_closures(
        self, student: Net, teacher: Net | None, batch: Batch
    ) -> tuple[Callable[[], dict[str, Float[Tensor, ""]]], ...]:
        """A piece of work for each candidate of this step, the largest last."""
        chosen = self.sample_candidates()
        memory = None if teacher is None else CachedTeacher(teacher)
        parts = [NestedCandidate(student, kept, (place, len(chosen))) for place, kept in enumerate(chosen)]
        return tuple(partial(self._one, part, memory, batch, 1 / len(chosen)) for part in parts)

    def sample_candidates(self) -> tuple[float, ...]:
        """The candidates of a step, rising; torch's generator draws them."""
        rising = tuple(sorted(self.kept))
        if self.sampling == "all" or len(rising) <= NUM_SMALLEST + 1 + self.middle:
            return rising
        others = rising[NUM_SMALLEST:-1]
        picked = sorted(torch.randperm(len(others))[: self.middle].tolist())
        return (*rising[:NUM_SMALLEST], *(others[number] for number in picked), rising[-1])

    def _one(
        self, part: "NestedCandidate", memory: "CachedTeacher | None", batch: Batch, share: float
    ) -> dict[str, Float[Tensor, ""]]:
        """The losses of one candidate, weighed by its share of the step."""
        if memory is not None:
            memory.rewind()
        terms = self.method.losses(cast(Net, part), cast("Net | None", memory), batch)
        return {name: share * value for name, value in terms.items()}


class NestedCandidate:
    """One candidate of a nested student, as methods see it."""

    def __init__(self, whole: Net, kept: float, backward_pass: tuple[int, int] | None = None) -> None:
        self._whole, self._kept, self._turn, self._asked = whole, kept, backward_pass, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)

    def __call__(self, *args: Any, **settings: Any) -> Any:
        """Run the candidate, through whatever is wrapped around the whole; it is told whose turn it is."""
        if self._turn is not None:
            place, passes = self._turn
            settings["backward_pass"] = BackwardPass(call=self._asked, index=place, count=passes)
            self._asked += 1
        return cast(Any, self._whole)(*args, kept=self._kept, **settings)


class CachedTeacher:
    """A teacher that is asked the same questions once for each candidate, and runs only for the first."""

    def __init__(self, teacher: Net) -> None:
        self._teacher, self._answers, self._turn = teacher, list[Any](), 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._teacher, name)

    def rewind(self) -> None:
        """The next question is the first one again."""
        self._turn = 0

    def __call__(
        self,
        inputs: Inputs,
        *,
        hidden: bool = False,
        at: Bool[Tensor, "b t"] | None = None,
        head_fn: HeadFunction | None = None,
    ) -> Outputs | Mapping[str, Tensor]:
        """The answer to this question, by its place in the order of questions."""
        if self._turn == len(self._answers):
            self._answers.append(self._asked(inputs, hidden, at))
        self._turn += 1
        answer = self._answers[self._turn - 1]
        return cast(Outputs, answer) if head_fn is None else head_fn(*answer)

    def _asked(self, inputs: Inputs, hidden: bool, at: Bool[Tensor, "b t"] | None) -> Any:
        """Run the teacher: its outputs, or the final states and the output layer of one that writes text."""
        if at is None:
            return self._teacher(inputs, hidden=hidden)
        seen: list[tuple[Tensor, LMHead]] = []

        def keep(states: Float[Tensor, "n d"], head: LMHead) -> Mapping[str, Tensor]:
            seen.append((states, head))
            return {}

        cast(LanguageNet, self._teacher)(inputs, at=at, head_fn=keep)
        return seen[0]
