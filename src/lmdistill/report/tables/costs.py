"""Table of size and cost: parameters, FLOPs, disk size, latency and speed-up of each architecture."""

from collections.abc import Callable, Hashable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial

from lmdistill.analysis.costs import cost_of, speedup_of
from lmdistill.analysis.grouping import grouped
from lmdistill.analysis.metric_format import NONE, Value
from lmdistill.analysis.number_format import layers_text, megabytes, millions, milliseconds, percent, times
from lmdistill.analysis.significance import mean_of
from lmdistill.records.record import Record, RecordedRun
from lmdistill.records.schema import NetworkFacts
from lmdistill.report.grid import Grid
from lmdistill.report.tables.details import billions


@dataclass(frozen=True, kw_only=True)
class Size:
    """Networks with the same architecture and role."""

    label: str
    """Role, number of layers and parameters in them."""

    networks: tuple[NetworkFacts, ...]
    """The networks as their runs record them, at least one."""

    records: tuple[Record, ...]
    """The runs whose students they are; empty for teachers."""

    teacher: NetworkFacts | None
    """The teacher that they are compared with; None if the runs have teachers of several architectures."""


Figure = tuple[Callable[[Size], Value], Callable[[Value], str]]
"""A function that computes a number of a size, and one that formats it."""


def sizes(runs: Sequence[RecordedRun]) -> tuple[Size, ...]:
    """The architectures of teachers, then those of students, the largest first; task heads do not count."""
    used_teachers = [run.record.teacher for run in runs if run.record.teacher is not None]
    fingerprints = {teacher.fingerprint for teacher in used_teachers}
    teachers = grouped(used_teachers, shape_of)
    learners = [run.record for run in runs if not _is_only_teacher(run.record, fingerprints)]
    students = grouped(learners, _student_shape)
    only = next(iter(teachers.values()))[0] if len(teachers) == 1 else None
    entries = [
        Size(label=_label("Teacher", networks), networks=tuple(networks), records=(), teacher=only)
        for networks in teachers.values()
    ]
    for records in students.values():
        networks = [record.student for record in records]
        label = _label("Student", networks)
        entries.append(Size(label=label, networks=tuple(networks), records=tuple(records), teacher=only))
    return tuple(sorted(entries, key=lambda size: (bool(size.records), -size.networks[0].parameters.encoder)))


def shape_of(network: NetworkFacts) -> Hashable:
    """A key that is equal for networks with the same layers and parameters, without the head."""
    return network.layers, network.parameters.embeddings, network.parameters.encoder


def _is_only_teacher(record: Record, teachers: Set[str]) -> bool:
    """Whether a run trained a teacher and no student, given the fingerprints of all teachers."""
    return record.kind == "finetune" and record.student.fingerprint in teachers


def _student_shape(record: Record) -> Hashable:
    """`shape_of` the student."""
    return shape_of(record.student)


def _label(role: str, networks: Sequence[NetworkFacts]) -> str:
    """Role, number of layers and parameters in the layers."""
    first = networks[0]
    if not first.layers:
        return f"{role}, linear, {millions(first.parameters.total)} parameters"
    return f"{role}, {layers_text(first.layers)}, {millions(first.parameters.encoder)} layer parameters"


def figures(runs: Sequence[RecordedRun]) -> Mapping[str, Figure]:
    """The columns of the table by title, in order."""
    networks = [network for size in sizes(runs) for network in size.networks]
    batches = sorted({int(batch) for network in networks for batch in network.latency})
    columns: dict[str, Figure] = {
        "parameters": (lambda size: size.networks[0].parameters.total, millions),
        "parameters, % of teacher": (_share_of_parameters, percent),
        "FLOPs per example": (_flops, billions),
        "FLOPs, % of teacher": (_share_of_flops, percent),
        "on disk": (lambda size: cost_of(size.networks, 1).disk_bytes, megabytes),
    }
    for batch in batches:
        columns[f"latency p50, batch {batch}"] = (partial(_size_latency, batch), milliseconds)
        columns[f"speed-up, batch {batch}"] = (partial(_size_speedup, batch), times)
    return columns


def _size_latency(batch: int, size: Size) -> Value:
    """Median latency over the networks, in milliseconds."""
    return cost_of(size.networks, batch).latency_ms


def _size_speedup(batch: int, size: Size) -> Value:
    """Mean speed-up relative to the teacher timed in the same run; 1 for a teacher."""
    if size.records:
        return speedup_of(size.records, batch)
    return None if _size_latency(batch, size) is None else 1.0


def _share_of_parameters(size: Size) -> Value:
    """Parameters divided by the teacher's, including embeddings and head."""
    if size.teacher is None:
        return None
    return size.networks[0].parameters.total / size.teacher.parameters.total


def _flops(size: Size) -> Value:
    """Mean FLOPs per example over runs, whose examples may differ in length."""
    return mean_of(network.flops for network in size.networks)


def _share_of_flops(size: Size) -> Value:
    """Mean over runs of FLOPs divided by the teacher's; both networks of a run read the same example."""
    if not size.records:
        return None if _flops(size) is None else 1.0
    pairs = [(record.student.flops, record.teacher.flops) for record in size.records if record.teacher]
    return mean_of(student / teacher for student, teacher in pairs if student and teacher)


def costs_grid(runs: Sequence[RecordedRun]) -> Grid | None:
    """One row per architecture; None for fewer than two architectures of students."""
    shapes = sizes(runs)
    if sum(bool(size.records) for size in shapes) < 2:
        return None
    filled = {
        title: (get, text)
        for title, (get, text) in figures(runs).items()
        if any(get(size) is not None for size in shapes)
    }
    devices = {(x.device, x.threads) for size in shapes for n in size.networks for x in n.latency.values()}
    device_text = "; ".join(f"{device}, {threads} threads" for device, threads in sorted(devices))
    return Grid(
        caption="Size and cost of the networks",
        header=("", "runs", *filled),
        rows=tuple(
            (size.label, str(len(size.records) or NONE), *(text(get(size)) for get, text in filled.values()))
            for size in shapes
        ),
        notes=(
            "Latency: median over runs. Speed-up: mean over runs of the ratio within a run.",
            *([f"Measured on: {device_text}."] if device_text else []),
        ),
        alarms=(),
        name="costs",
    )
