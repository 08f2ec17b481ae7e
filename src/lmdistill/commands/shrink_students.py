"""The trained students of a search, exported and measured as they would be served."""

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lmdistill.commands.answer_speed import Speed, time_answers
from lmdistill.commands.export import export
from lmdistill.commands.export_checks import CheckTexts
from lmdistill.commands.exported_files import Export, Format
from lmdistill.core.atomic_io import read_json, write_json
from lmdistill.core.errors import ConfigError, ModelError
from lmdistill.core.fingerprint import file_fingerprint
from lmdistill.records.record import read_record
from lmdistill.serving.manifest import MANIFEST, is_exported, read_manifest
from lmdistill.serving.predictor import load_predictor
from lmdistill.studies.shrink.choice import Student
from lmdistill.studies.shrink.measured_shapes import MeasuredShape
from lmdistill.studies.shrink.shapes import Shape
from lmdistill.studies.shrink.training_rounds import RoundScores

log = logging.getLogger("lmdistill")

FOLDER = "exported"
"""Folder of the exported students in that of a search."""

TRIES = 3
"""Times that a student is timed at most: other programs only ever add to a latency."""

CLOSE = 1.1
"""A latency up to this multiple of the untrained shape's is not measured again."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A shape after its last round."""

    shape: Shape
    """Its layers and widths."""

    fit: tuple[MeasuredShape, ...]
    """The shape as each graph that keeps the limits, untrained."""

    run: Path
    """Run folder of its last training."""

    steps: int | None
    """Optimizer steps of a training that was cut short; None for a full one."""


def trained_shapes(last: RoundScores, fit: Sequence[MeasuredShape]) -> list[Trained]:
    """The shapes of the last round, those that were measured first before the others."""
    shapes = dict.fromkeys(one.shape for one in fit if one.shape.name in last.folders)
    return [
        Trained(
            shape=shape,
            fit=tuple(one for one in fit if one.shape == shape),
            run=last.folders[shape.name],
            steps=last.steps,
        )
        for shape in shapes
    ]


def exported_students(
    trained: Trained, texts: CheckTexts, out: Path, *, needs_teacher: bool = False
) -> list[Student]:
    """The trained student of a shape, exported, and measured as each graph that fits.

    Args:
        trained: The shape and its run.
        texts: What it is timed on, as its untrained shape was.
        out: Folder of the search; what was exported and timed of this run before is used again.
        needs_teacher: Whether a limit asks for agreement with the teacher.

    Raises:
        ConfigError: If that cannot be known.
    """
    folder, graphs = out / FOLDER / trained.shape.name, [one.graph for one in trained.fit]
    if not _is_of(folder, trained.run, graphs):
        shutil.rmtree(folder, ignore_errors=True)
        log.info("exporting %s", trained.shape.name)
        folder.parent.mkdir(parents=True, exist_ok=True)
        export(trained.run, folder, _settings(graphs))
    manifest = read_manifest(folder)
    assert manifest.checks is not None  # an export has them
    if needs_teacher and manifest.checks.measured[graphs[0]].teacher_agreement is None:
        raise ConfigError(
            f"--min-agreement is set, and {trained.run} has no network as its teacher to agree with. Leave "
            "it out, or choose a recipe with a teacher."
        )
    alarms, speeds = read_record(trained.run).alarms, _speeds(trained, texts, folder, out)
    found = []
    for untrained in trained.fit:
        one, speed = manifest.checks.measured[untrained.graph], speeds[untrained.graph]
        found.append(
            Student(
                shape=trained.shape,
                graph=untrained.graph,
                folder=str(folder),
                run=str(trained.run),
                steps=trained.steps,
                bytes=one.bytes,
                parameters=untrained.parameters,
                p50_ms=speed.p50_ms,
                p95_ms=speed.p95_ms,
                quality=next(iter(one.scores.values())),
                agreement=one.teacher_agreement,
                alarms=alarms,
            )
        )
    return found


def _settings(graphs: Sequence[str]) -> Export:
    """An export of these graphs, which is refused for nothing: the limits judge it."""
    formats: list[Format] = ["openvino" if graph.startswith("openvino") else "onnx" for graph in graphs]
    return Export(
        to=tuple(dict.fromkeys(formats)),
        int8=any(graph.endswith("-int8") for graph in graphs),
        min_agreement=0.0,
        timed_texts=0,
    )


def _is_of(folder: Path, run: Path, graphs: Sequence[str]) -> bool:
    """Whether an exported folder is of this run and has the graphs."""
    if not is_exported(folder):
        return False
    try:
        manifest = read_manifest(folder)
    except ModelError:
        return False
    checks = manifest.checks
    is_same = Path(manifest.origin.model) == run / "student"
    return is_same and checks is not None and all(graph in checks.measured for graph in graphs)


def _speeds(trained: Trained, texts: CheckTexts, folder: Path, out: Path) -> Mapping[str, Speed]:
    """The speed of each graph, from the file of earlier measurements if it has them."""
    path, key = out / FOLDER / "speeds.json", file_fingerprint(folder / MANIFEST)
    try:
        known = dict(read_json(path))
    except (OSError, ValueError, TypeError):
        known = {}
    names = [one.graph for one in trained.fit]
    if set(names) <= set(known.get(key, {})):
        return {name: Speed(**known[key][name]) for name in names}
    found = _timed(trained, texts, folder)
    write_json(path, {**known, key: {name: vars(speed) for name, speed in found.items()}})
    return found


def _timed(trained: Trained, texts: CheckTexts, folder: Path) -> dict[str, Speed]:
    """The fastest of several measurements, where the first is slower than that of the untrained shape."""
    ways = {one.graph: load_predictor(folder, graph=one.graph).logits for one in trained.fit}
    expected = {one.graph: one.p50_ms for one in trained.fit}
    best = dict[str, Speed]()
    for _ in range(TRIES):
        for name, speed in time_answers(ways, texts.first, texts.second).items():
            best[name] = min(best.get(name, speed), speed, key=lambda one: one.p50_ms)
        if all(best[name].p50_ms <= CLOSE * expected[name] for name in ways):
            return best
    slow = max(ways, key=lambda name: best[name].p50_ms / expected[name])
    log.warning(
        "%s as %s takes %.2f ms a text, and untrained it took %.2f: other programs may have slowed one of "
        "the two. Time it again on an idle machine with lmdistill measure %s.",
        trained.shape.name,
        slow,
        best[slow].p50_ms,
        expected[slow],
        folder,
    )
    return best
