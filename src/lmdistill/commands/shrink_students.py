"""The trained students of a search, exported and measured as they would be served."""

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

from lmdistill.commands.export import export
from lmdistill.commands.exported_files import Export, Format
from lmdistill.core.errors import ModelError
from lmdistill.records.record import read_record
from lmdistill.serving.manifest import is_exported, read_manifest
from lmdistill.studies.shrink.choice import Student
from lmdistill.studies.shrink.measured_shapes import MeasuredShape
from lmdistill.studies.shrink.shapes import Shape
from lmdistill.studies.shrink.training_rounds import RoundScores

log = logging.getLogger("lmdistill")

FOLDER = "exported"
"""Folder of the exported students in that of a search."""


def exported_students(
    shape: Shape, last: RoundScores, fit: Sequence[MeasuredShape], out: Path
) -> list[Student]:
    """The trained student of a shape, exported and measured as each graph that fits.

    Args:
        shape: Its shape.
        last: The round that trained it.
        fit: The shape as each graph that keeps the limits.
        out: Folder of the search; what was exported of this run before is used again.
    """
    run, folder = last.folders[shape.name], out / FOLDER / shape.name
    graphs = [one.graph for one in fit]
    formats = tuple(dict.fromkeys(_format(graph) for graph in graphs))
    wanted = Export(to=formats, int8=any(graph.endswith("-int8") for graph in graphs), min_agreement=0.0)
    if not _is_of(folder, run, graphs):
        shutil.rmtree(folder, ignore_errors=True)
        log.info("exporting %s", shape.name)
        folder.parent.mkdir(parents=True, exist_ok=True)
        export(run, folder, wanted)
    manifest = read_manifest(folder)
    assert manifest.checks is not None
    alarms = read_record(run).alarms
    parameters = {one.graph: one.parameters for one in fit}
    found = []
    for graph in graphs:
        one = manifest.checks.measured[graph]
        assert one.p50_ms is not None  # timed above
        assert one.p95_ms is not None
        found.append(
            Student(
                shape=shape,
                graph=graph,
                folder=str(folder),
                run=str(run),
                steps=last.steps,
                bytes=one.bytes,
                parameters=parameters[graph],
                p50_ms=one.p50_ms,
                p95_ms=one.p95_ms,
                quality=next(iter(one.scores.values())),
                agreement=one.teacher_agreement,
                alarms=alarms,
            )
        )
    return found


def _format(graph: str) -> Format:
    """Format of a graph's file."""
    return "openvino" if graph.startswith("openvino") else "onnx"


def _is_of(folder: Path, run: Path, graphs: Sequence[str]) -> bool:
    """Whether an exported folder is of this run and has the graphs."""
    if not is_exported(folder):
        return False
    try:
        manifest = read_manifest(folder)
    except ModelError:
        return False
    checks = manifest.checks
    return (
        Path(manifest.origin.model) == run / "student"
        and checks is not None
        and all(graph in checks.measured and checks.measured[graph].p50_ms is not None for graph in graphs)
    )
