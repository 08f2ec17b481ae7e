"""Search for the best student within limits: measure shapes, train the ones that fit, export and choose."""

import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lmdistill.commands.export_checks import CheckTexts
from lmdistill.commands.measure_shapes import Untrained, measure_shapes, timed_texts
from lmdistill.commands.open_model import find_teacher
from lmdistill.commands.shrink_page import write_page
from lmdistill.commands.shrink_source import ShrinkSource, chosen_graphs, open_shrink_source
from lmdistill.commands.shrink_students import exported_students, trained_shapes
from lmdistill.core.atomic_io import remove_leftovers, write_json, write_text
from lmdistill.core.errors import ConfigError, RunError
from lmdistill.core.file_lock import hold
from lmdistill.methods import FineTune
from lmdistill.recipes.files import recipe_text
from lmdistill.recipes.yaml_tables import table_from, table_in
from lmdistill.records.record import read_record
from lmdistill.runs.run_folder import first_difference
from lmdistill.studies.runner import Watch
from lmdistill.studies.shrink.choice import Student, choose
from lmdistill.studies.shrink.hours import Hours, require_hours
from lmdistill.studies.shrink.limits import Limits
from lmdistill.studies.shrink.measured_shapes import MeasuredShape, fitting, nothing_fits
from lmdistill.studies.shrink.outcome import FILE, SearchOutcome
from lmdistill.studies.shrink.shapes import Shape, grid
from lmdistill.studies.shrink.training_rounds import Plan, shape_recipe, train

log = logging.getLogger("lmdistill")

RECIPE = "shrink.yaml"
"""The recipe of a search, in its folder."""


@dataclass(frozen=True, kw_only=True)
class ShrinkSettings:
    """Which shapes are tried, and how."""

    limits: Limits
    """What the student must keep."""

    runtimes: tuple[str, ...] = ("onnx-int8",)
    """Graphs that may be served."""

    layers: tuple[int, ...] = ()
    """Numbers of layers to try; evenly spaced ones up to the teacher's if empty."""

    widths: tuple[float, ...] = ()
    """Kept shares of heads and neurons to try; those of `shapes.WIDTHS` if empty."""

    models: tuple[str, ...] = ()
    """Other student models to try as they are."""

    hours: float | None = None
    """Hours that the search may take in all; None is no limit."""

    timed_texts: int = 60
    """Dev texts on which each shape is timed, >= 1."""

    jobs: int = 1
    """Trainings at a time, >= 1."""

    def __post_init__(self) -> None:
        require_hours(self.hours)
        if not self.limits.any:
            raise ConfigError(
                "there is no limit to search within. Set at least one of --max-latency, --max-p95, "
                "--max-size, --max-params, --min-quality and --min-agreement."
            )


def shrink(
    recipe: str,
    out: Path,
    settings: ShrinkSettings,
    *,
    command: Sequence[str],
    overrides: Sequence[str] = (),
    train_shapes: bool = True,
    watch: Watch = lambda board: None,
) -> SearchOutcome:
    """Search for the best student that keeps all limits; the same call continues an interrupted search.

    Args:
        recipe: A built-in recipe or a YAML file, of one method that trains a classifier or a scorer.
        out: Folder of the search.
        settings: Limits, shapes and hours.
        command: Command line that starts a run, up to its recipe.
        overrides: `a.b=value` for fields of the recipe.
        train_shapes: Whether shapes are trained; else they are only measured.
        watch: Called with the progress of the runs of a round.

    Returns:
        What was measured and trained, and the chosen student.

    Raises:
        ConfigError: If no shape keeps the limits, which names the nearest; or for a recipe or a setting that
            cannot be used.
        RunError: If `out` holds another search, another command works there, or every run failed.
    """
    graphs = chosen_graphs(settings.runtimes)
    with _own(out):
        hours = Hours(out, settings.hours)
        source = open_shrink_source(recipe, overrides, out)
        _claim(out, source)
        _require_teacher(source, settings.limits)
        shapes = _shapes(source, settings)
        untrained = Untrained(
            base=source.base,
            pruning=source.recipe.student.pruning,
            source=source.export_source(),
            graphs=graphs,
            timed_texts=settings.timed_texts,
        )
        measured, impossible = measure_shapes(untrained, shapes, out)
        hours.save(now=True)
        found = SearchOutcome(
            limits=settings.limits, shapes=measured, impossible=impossible, hours=hours.used
        )
        fit = fitting(measured, settings.limits)
        if not fit:
            raise ConfigError(nothing_fits(measured, settings.limits))
        plan = _plan(source, settings, tuple(command))
        candidates = list(dict.fromkeys(one.shape for one in fit))
        for shape in candidates:
            write_text(out / "recipes" / f"{shape.name}.yaml", recipe_text(shape_recipe(plan, shape)))
        if train_shapes:
            rounds = train(plan, candidates, out / "runs", hours, watch=watch)
            found = _chosen(replace(found, rounds=rounds), fit, timed_texts(untrained), out)
            hours.save(now=True)
            found = replace(found, hours=hours.used)
            write_json(out / FILE, _as_json(found))
            write_page(found, out)
            _link(found, out)
        return found


def _plan(source: ShrinkSource, settings: ShrinkSettings, command: tuple[str, ...]) -> Plan:
    """What every round shares."""
    return Plan(
        table=source.table,
        steps=source.steps,
        min_steps=source.recipe.training.min_steps,
        seed=source.recipe.seeds[0],
        jobs=settings.jobs,
        command=command,
    )


def _chosen(
    found: SearchOutcome, fit: Sequence[MeasuredShape], texts: CheckTexts, out: Path
) -> SearchOutcome:
    """Export the students of the last round that has any, and choose one of them."""
    last = next((one for one in reversed(found.rounds) if one.scores), None)
    if last is None:
        raise RunError(
            f"the hours ended before one shape was trained ({found.hours:.2f} were used). Raise --hours; the "
            "same command continues."
        )
    has_agreement = found.limits.agreement is not None
    students = list[Student]()
    for trained in trained_shapes(last, fit):
        students += exported_students(trained, texts, out, needs_teacher=has_agreement)
    return replace(
        found,
        students=tuple(students),
        chosen=choose(students, found.limits),
        out_of_time=last.round.fraction < 1 or bool(last.left_out),
    )


def _link(found: SearchOutcome, out: Path) -> None:
    """Links in the folder of a search to the chosen student and to its teacher, for further commands."""
    assert found.chosen is not None
    run = Path(found.chosen.run)
    teacher = find_teacher(run, read_record(run))
    for name, target in (("student", found.chosen.folder), ("teacher", teacher)):
        place, part = out / name, out / f".{name}.link"
        if target is None or not Path(target).is_dir():
            place.unlink(missing_ok=True)  # a teacher on the hub, or none
            continue
        part.unlink(missing_ok=True)
        part.symlink_to(os.path.relpath(Path(target).resolve(), out.resolve()), target_is_directory=True)
        part.replace(place)


def _as_json(found: SearchOutcome) -> dict[str, Any]:
    """All of it as JSON values; NaN and paths as words."""
    table = asdict(found)
    for each in table["rounds"]:
        each["scores"] = {n: v if math.isfinite(v) else None for n, v in each["scores"].items()}
        each["folders"] = {name: str(path) for name, path in each["folders"].items()}
    return table


def _require_teacher(source: ShrinkSource, limits: Limits) -> None:
    """Refuse a limit of agreement where no network teaches, before anything is trained."""
    recipe = source.recipe
    without = all(isinstance(method, FineTune) for method in recipe.methods.values())
    if limits.agreement is not None and (without or recipe.teacher.answers is not None):
        which = "fine-tunes without a teacher" if without else "has answers of a file as its teacher"
        raise ConfigError(
            f"--min-agreement is {limits.agreement:g}, and the recipe {which}, so there is no network to "
            "agree with. Leave it out, and certify the student against the answers later."
        )


def _shapes(source: ShrinkSource, settings: ShrinkSettings) -> tuple[Shape, ...]:
    """The shapes to measure."""
    own = source.recipe.student.model
    if own is not None and (settings.layers or settings.widths):
        raise ConfigError(
            f"student.model is {own}, whose layers are not cut. Leave --layers and --widths out, or set "
            "student.model=null."
        )
    if own is not None:
        return grid(1, [], [1.0], (own, *settings.models))[1:]
    return grid(source.base(None).num_layers, settings.layers, settings.widths, settings.models)


@contextmanager
def _own(out: Path) -> Iterator[None]:
    """Hold the folder of a search; refuse if another command has it."""
    out.mkdir(parents=True, exist_ok=True)
    file = hold(out / ".shrink.lock", wait=False)
    if file is None:
        raise RunError(f"another command searches in {out}. Wait for it, or choose another --out.")
    with file:
        remove_leftovers(out)
        yield


def _claim(out: Path, source: ShrinkSource) -> None:
    """Write the recipe of the search, or check that the folder holds a search of this recipe."""
    path = out / RECIPE
    if not path.is_file():
        strangers = [
            one.name for one in out.iterdir() if one.name not in (".shrink.lock", "runs", "hours.json")
        ]
        if strangers:
            raise RunError(f"{out} exists and holds no search ({strangers[0]}). Choose another --out.")
        write_text(path, recipe_text(source.recipe))
        return
    ours: Mapping[str, Any] = table_from(recipe_text(source.recipe), str(path))
    differing = first_difference(table_in(path), dict(ours))
    if differing:
        name, old, new = differing
        raise RunError(
            f"{out} holds a search of another recipe: {name} is {old!r} there and {new!r} here. Choose "
            "another --out, or remove the folder."
        )
