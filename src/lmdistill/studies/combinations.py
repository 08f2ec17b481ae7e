"""The combinations of a study: one value of each axis, and what its row is called in tables.

No recipe is made here, so that a table can be put in the order of its study without importing torch.
"""

import copy
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lmdistill.core.errors import ConfigError, UnknownNameError
from lmdistill.core.file_names import fitted
from lmdistill.recipes.code_policy import Code
from lmdistill.recipes.yaml_tables import put
from lmdistill.studies.axes import METHOD, Choice, choices, meant, with_unambiguous_names
from lmdistill.studies.schema import Study

SEED = "seed"

MOST = 10_000
"""Most combinations of a study."""


@dataclass(frozen=True, kw_only=True)
class Combination:
    """One value of each axis."""

    base: Mapping[str, Any]
    """The settings that all cells begin with."""

    changes: Mapping[str, Any]
    """Settings of every cell, by dotted field."""

    choices: tuple[Choice, ...]
    """The value of each axis."""

    axes: tuple[tuple[Choice, ...], ...]
    """All values of each."""

    seeds: tuple[int, ...]
    """Those that are not skipped."""

    code: Code = "refuse"
    """What becomes of a class in a Python file; see `recipes.parsing.parse`."""

    def settings(self, drawn: Sequence[Choice] = ()) -> dict[str, Any]:
        """Plain values of its recipe; `drawn` is set beside the axes."""
        own = {path: value for choice in (*self.choices, *drawn) for path, value in choice.changes.items()}
        return changed(self.base, {**self.changes, **own}, "axes")

    @property
    def row(self) -> str | None:
        """Label in tables; None where the settings name a method by its class alone, or none at all."""
        if any(METHOD in choice.changes for choice in self.choices):
            return row_label("", self.choices, self.axes)
        table = self.settings()
        methods = table.get("methods")
        if table.get(METHOD) is None and isinstance(methods, Mapping) and len(methods) == 1:
            return row_label(str(next(iter(methods))), self.choices, self.axes)
        return None


def combinations(
    study: Study, searched: Sequence[Sequence[Choice]] = (), *, code: Code = "refuse"
) -> tuple[Combination, ...]:
    """One value of each axis, in the order of the axes.

    Args:
        study: With nothing left open, as `read_study` gives it.
        searched: What is set beside the axes, so that no axis may set it too.
        code: What becomes of a class in a Python file; see `recipes.parsing.parse`.

    Raises:
        ConfigError: If two axes set one field, or none is left.
    """
    assert isinstance(study.base, dict)  # read_study has looked it up
    if "seeds" in study.set:
        raise ConfigError("set.seeds: seeds are a key of the study beside set. Move them there.")
    base = {key: value for key, value in study.base.items() if key != "seeds"}
    axes = [choices(axis, values) for axis, values in study.axes.items()]
    methods, changes = _methods_of(changed(base, study.set, "set"), [*axes, *searched]), study.set
    if methods:  # their values hold what is set in them
        axes += methods
        changes = {path: value for path, value in changes.items() if path.split(".")[0] != "methods"}
    axes = with_unambiguous_names(axes)
    _require_apart(changes, [*axes, *searched])
    if (count := math.prod(map(len, axes))) > MOST:
        raise ConfigError(f"axes have {count:,} combinations, and {MOST:,} are the most. Shorten them.")
    skips, found = _skips(study, axes), []
    for chosen in itertools.product(*axes):
        seeds = tuple(seed for seed in study.seeds if not _is_skipped(skips, chosen, seed))
        if seeds:
            found.append(
                Combination(
                    base=base, changes=changes, choices=chosen, axes=tuple(axes), seeds=seeds, code=code
                )
            )
    if not found:
        raise ConfigError("skip leaves out every cell of the study. Remove an entry of it.")
    return tuple(found)


def row_label(label: str, combination: Sequence[Choice], axes: Sequence[Sequence[Choice]]) -> str:
    """Label in tables: the method, and every axis but the task, which has a table of its own."""
    parts = []
    for choice, values in zip(combination, axes, strict=True):
        tasks = [repr(value.changes.get("task")) for value in values]
        if METHOD in choice.changes:
            label = choice.label
        elif choice.axis != "task" or len(set(tasks)) < len(tasks):
            parts.append(choice.title)
    return " ".join(fitted(part) for part in [label, *parts])


def changed(base: Mapping[str, Any], changes: Mapping[str, Any], said: str) -> dict[str, Any]:
    """`base` with fields set; whole tables before what is inside them, in whatever order they were written.

    One method in `methods` can be reached as `method`, and a new `method` takes the place of all.
    """
    table = copy.deepcopy(dict(base))
    for path, value in sorted(changes.items(), key=lambda item: item[0].count(".")):
        first, _, rest = path.partition(".")
        several = table.get("methods")
        if path in (METHOD, "methods"):
            table.pop(METHOD, None)
            table.pop("methods", None)
        elif first == METHOD and METHOD not in table and isinstance(several, dict) and len(several) == 1:
            path = f"methods.{next(iter(several))}.{rest}"
        put(table, path, copy.deepcopy(value), said=f"{said}: {path}")
    return table


def _methods_of(start: Mapping[str, Any], axes: Sequence[Sequence[Choice]]) -> list[tuple[Choice, ...]]:
    """The axis of a base with several methods, where no axis chooses them."""
    methods = start.get("methods")
    chosen = {path for values in axes for choice in values for path in choice.changes}
    if not isinstance(methods, Mapping) or len(methods) < 2 or chosen & {METHOD, "methods"}:
        return []
    return [choices(METHOD, {label: {METHOD: settings} for label, settings in methods.items()})]


def _require_apart(changes: Mapping[str, Any], axes: Sequence[Sequence[Choice]]) -> None:
    """No field is set by two axes, or by an axis and for all cells."""
    seen = dict.fromkeys(changes, "set")
    for values in axes:
        for path in {path for choice in values for path in choice.changes}:
            if path in seen:
                raise ConfigError(f"{path} is set by {seen[path]} and by {values[0].place}. Remove one.")
        seen |= {path: choice.place for choice in values for path in choice.changes}


def _skips(study: Study, axes: Sequence[Sequence[Choice]]) -> list[dict[str, set[str]]]:
    """The entries of `skip`, by labels; what is skipped must be there."""
    known = {values[0].axis: values for values in axes}
    seeds = [str(seed) for seed in study.seeds]
    found = [dict[str, set[str]]() for _ in study.skip]
    for entry, labels in zip(study.skip, found, strict=True):
        for axis, wanted in entry.items():
            if axis not in {*known, SEED}:
                raise UnknownNameError("axis to skip", axis, [*known, SEED])
            labels[axis] = {str(wanted)} & {*seeds} if axis == SEED else meant(known[axis], wanted)
            if not labels[axis]:
                there = seeds if axis == SEED else [choice.label for choice in known[axis]]
                raise UnknownNameError(f"value of {axis} to skip", str(wanted), there)
    return found


def _is_skipped(skips: Sequence[Mapping[str, set[str]]], combination: Sequence[Choice], seed: int) -> bool:
    """Whether an entry of `skip` fits in all that it says."""
    told = {**{choice.axis: choice.label for choice in combination}, SEED: str(seed)}
    return any(all(told[axis] in labels for axis, labels in entry.items()) for entry in skips)
