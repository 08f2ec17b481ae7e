"""The trainings of a search: rounds of runs in one folder, each in a process, as those of a study."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lmdistill.core.errors import ConfigError, LmdistillError, RunError
from lmdistill.recipes.classifier import Recipe
from lmdistill.recipes.files import recipe_of
from lmdistill.records.record import read_record
from lmdistill.runs.run_folder import RunFolder
from lmdistill.studies.combinations import changed
from lmdistill.studies.grid import StudyCell
from lmdistill.studies.runner import CellStatus, Watch, standings, work
from lmdistill.studies.shrink.halving import FINALISTS, Round, best, rounds
from lmdistill.studies.shrink.hours import Hours
from lmdistill.studies.shrink.shapes import Shape
from lmdistill.studies.study_folder import StudyFolder

log = logging.getLogger("lmdistill")

LARGE_GAP = 0.3
"""Kept share from which down a shape is taught through an assistant, if the recipe has a schedule for one."""


class _OutOfTime(Exception):
    """The hours are used up."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What every round of a search shares."""

    table: Mapping[str, Any]
    """Plain values of the recipe, with one method."""

    steps: int
    """Optimizer steps of its full training, about."""

    min_steps: int
    """The recipe's fewest steps."""

    seed: int
    """Seed of every run."""

    jobs: int
    """Runs at a time, >= 1."""

    command: tuple[str, ...]
    """Command line that starts a run, up to its recipe."""


@dataclass(frozen=True, kw_only=True)
class RoundScores:
    """What one round found."""

    round: Round
    """Its share of the training and of the hours."""

    steps: int | None
    """Optimizer steps of its trainings; None for full ones."""

    scores: Mapping[str, float] = field(default_factory=dict)
    """Headline score on dev by the name of a shape, as a fraction."""

    losses: Mapping[str, float] = field(default_factory=dict)
    """Mean loss on dev by the name of a shape; those without one are left out."""

    constant: float | None = None
    """Headline score of a constant answer on dev; None if it is not known."""

    folders: Mapping[str, Path] = field(default_factory=dict)
    """Run folder by the name of a shape."""

    failed: Mapping[str, str] = field(default_factory=dict)
    """Why the run of a shape failed, by its name."""

    left_out: tuple[str, ...] = ()
    """Shapes for which there was no time."""


def train(
    plan: Plan, shapes: Sequence[Shape], folder: Path, hours: Hours, *, watch: Watch = lambda board: None
) -> tuple[RoundScores, ...]:
    """Train shapes by successive halving; what is already trained is not trained again.

    Args:
        plan: Recipe, steps and processes.
        shapes: Those that keep the limits, the preferred ones first; at least one.
        folder: Of the runs.
        hours: Counts and limits the time.
        watch: Called with the progress of the runs of a round.

    Returns:
        The scores of each round that was begun, the full training last. There are fewer where time ran out.

    Raises:
        RunError: If all runs of a round failed.
        KeyboardInterrupt: If this process was told to end; its child processes have ended by then.
    """
    found, left = list[RoundScores](), list(shapes)
    for number, each in enumerate(rounds(len(shapes))):
        done = _run_round(plan, left, number, each, folder, hours, watch)
        found.append(done)
        if not done.scores and done.failed:
            name, reason = next(iter(done.failed.items()))
            raise RunError(f"every run of the round failed; {name}: {reason}")
        names = best(done.scores, each.survivors, [shape.name for shape in left], done.losses)
        _tell_nothing_learned(done)
        left = [shape for shape in left if shape.name in names]
        if not left or hours.share >= 1:
            break
    return tuple(found)


def _run_round(
    plan: Plan,
    shapes: Sequence[Shape],
    number: int,
    each: Round,
    folder: Path,
    hours: Hours,
    watch: Watch,
) -> RoundScores:
    """Run one round until it is done, or until its part of the hours is used up."""
    is_full = each.fraction == 1
    steps = None if is_full else max(1, math.ceil(each.fraction * plan.steps))
    cells = {
        shape.name: _cell(plan, shape, steps, "full" if is_full else f"round-{number + 1}", folder)
        for shape in shapes
    }
    named = "the full training" if is_full else f"round {number + 1}, {steps} steps a shape"
    log.info("%s: %d shapes, %s", named, len(cells), hours.text)
    board = standings(list(cells.values()))

    def tend(now: list[CellStatus]) -> bool:
        hours.save()
        hours.tell()
        if hours.share >= 1:
            raise _OutOfTime
        at_work = sum(one.state in ("done", "running", "elsewhere") for one in now)
        if hours.share >= each.deadline and at_work >= FINALISTS:
            now[:] = [one for one in now if one.state != "waiting"]
        return False

    try:
        work(board, StudyFolder(path=folder), command=plan.command, jobs=plan.jobs, watch=watch, tend=tend)
    except _OutOfTime:
        log.warning("the hours are used up: %s", hours.text)
    hours.save(now=True)
    return _scores(cells, board, each, steps)


def _scores(
    cells: Mapping[str, StudyCell], board: Sequence[CellStatus], each: Round, steps: int | None
) -> RoundScores:
    """Scores of the finished runs of a round."""
    failed = {one.cell.name: one.message for one in board if one.state == "failed"}
    scores, losses, folders = dict[str, float](), dict[str, float](), dict[str, Path]()
    constant = None
    for name, cell in cells.items():
        if RunFolder(path=cell.folder).is_finished:
            record = read_record(cell.folder)
            split, metric = record.headline
            score = record.metrics[split].get(metric)
            scores[name] = math.nan if score is None else float(score)
            folders[name] = cell.folder
            constant = record.majority.get(split, {}).get(metric)
            loss = None if record.risk is None else record.risk.dev
            losses |= {} if loss is None or not math.isfinite(loss) else {name: float(loss)}
    broken = {name: failed[cell.name] for name, cell in cells.items() if cell.name in failed}
    return RoundScores(
        round=each,
        steps=steps,
        scores=scores,
        losses=losses,
        constant=constant,
        folders=folders,
        failed=broken,
        left_out=tuple(name for name in cells if name not in scores and name not in broken),
    )


def _tell_nothing_learned(done: RoundScores) -> None:
    """Say so if no shape of a short round is better than a constant answer."""
    if done.steps is None or done.constant is None or not done.scores:
        return
    if max(done.scores.values()) <= done.constant:
        log.warning(
            "no shape is better than a constant answer after %d steps, so the round is decided by the loss. "
            "Train longer or at another rate, as in --set training.epochs=...",
            done.steps,
        )


def _cell(plan: Plan, shape: Shape, steps: int | None, part: str, folder: Path) -> StudyCell:
    """The run of a shape in one round."""
    recipe = shape_recipe(plan, shape, steps)
    name = f"{shape.name}-{part}"
    return StudyCell(
        name=name, folder=folder / name, recipe=recipe, labels={"shape": shape.name, "round": part}
    )


def shape_recipe(plan: Plan, shape: Shape, steps: int | None = None) -> Recipe:
    """The recipe of a shape, with its full training or with fewer steps.

    Short trainings have no assistants; a full one has those of the recipe where the shape is narrow and the
    schedule can end in it.

    Args:
        plan: Recipe and seed.
        shape: The student's shape.
        steps: Optimizer steps; None for all of them.

    Raises:
        ConfigError: If the recipe does not take the shape.
    """
    own: dict[str, Any] = {**shape.settings, "seeds": [plan.seed]}
    if steps is not None:
        own |= {"training.max_steps": steps, "training.min_steps": min(plan.min_steps, steps)}
    scheduled = "schedule" in plan.table and steps is None and shape.keep <= LARGE_GAP
    direct = {**own, "schedule": {"name": "direct"}}
    for settings in ([own] if scheduled else []) + [direct]:
        try:
            recipe = recipe_of(changed(plan.table, settings, "shape"))
        except LmdistillError:
            if settings is direct:
                raise
            continue
        if not isinstance(recipe, Recipe):
            raise ConfigError("shrink is for classifiers and scorers, and the recipe is of a language model.")
        return recipe
    raise AssertionError("direct is always tried")
