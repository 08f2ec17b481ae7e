"""What networks weigh and take: sizes, operations, latencies, and how much faster than the teacher."""

from collections.abc import Callable, Hashable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial

from lmdistill.analysis.costs import cost_of, speedup_of
from lmdistill.analysis.grouping import grouped
from lmdistill.analysis.metric_format import NONE, Value
from lmdistill.analysis.number_format import megabytes, millions, milliseconds, percent, times
from lmdistill.analysis.significance import mean_of
from lmdistill.records.record import Record, RecordedRun
from lmdistill.records.schema import NetworkFacts
from lmdistill.report.grid import Grid
from lmdistill.report.tables.details import billions


@dataclass(frozen=True, kw_only=True)
class Size:
    """Networks of one shape."""

    label: str
    """What they are."""

    networks: tuple[NetworkFacts, ...]
    """Each as a run describes it, >= 1."""

    records: tuple[Record, ...]
    """The runs whose students they are; none for teachers."""

    teacher: NetworkFacts | None
    """What they are compared with, where there is one for all."""


Figure = tuple[Callable[[Size], Value], Callable[[Value], str]]
"""A number of a size, and how it is written."""


def sizes(runs: Sequence[RecordedRun]) -> tuple[Size, ...]:
    """Teachers, then students, each shape once, the largest first; heads of tasks do not part them."""
    taught = [run.record.teacher for run in runs if run.record.teacher is not None]
    prints = {teacher.fingerprint for teacher in taught}
    teachers = grouped(taught, shape_of)
    learners = [run.record for run in runs if not _is_only_teacher(run.record, prints)]
    students = grouped(learners, _learner)
    only = next(iter(teachers.values()))[0] if len(teachers) == 1 else None
    found = [
        Size(label=_label("Teacher", some), networks=tuple(some), records=(), teacher=only)
        for some in teachers.values()
    ]
    for records in students.values():
        networks = [record.student for record in records]
        label = _label("Student", networks)
        found.append(Size(label=label, networks=tuple(networks), records=tuple(records), teacher=only))
    return tuple(sorted(found, key=lambda size: (bool(size.records), -size.networks[0].parameters.encoder)))


def shape_of(network: NetworkFacts) -> Hashable:
    """Equal for networks that weigh the same below their head."""
    return network.layers, network.parameters.embeddings, network.parameters.encoder


def _is_only_teacher(record: Record, taught_others: Set[str]) -> bool:
    """Whether a run made a teacher and no student: a student that taught another one is both."""
    return record.kind == "finetune" and record.student.fingerprint in taught_others


def _learner(record: Record) -> Hashable:
    """The shape of the student."""
    return shape_of(record.student)


def _label(role: str, networks: Sequence[NetworkFacts]) -> str:
    """What a size is called."""
    first = networks[0]
    return f"{role}, {first.layers} layers, {millions(first.parameters.encoder)} in them"


def figures(runs: Sequence[RecordedRun]) -> Mapping[str, Figure]:
    """Title to figure, in order."""
    networks = [network for size in sizes(runs) for network in size.networks]
    batches = sorted({int(batch) for network in networks for batch in network.latency})
    found: dict[str, Figure] = {
        "parameters": (lambda size: size.networks[0].parameters.total, millions),
        "of teacher's, %": (_share_of_parameters, percent),
        "FLOPs an example": (_flops, billions),
        "of teacher's FLOPs, %": (_share_of_flops, percent),
        "on disk": (lambda size: cost_of(size.networks, 1).disk_bytes, megabytes),
    }
    for batch in batches:
        found[f"latency p50, batch {batch}"] = (partial(_size_latency, batch), milliseconds)
        found[f"speed-up, batch {batch}"] = (partial(_size_speedup, batch), times)
    return found


def _size_latency(batch: int, size: Size) -> Value:
    """The median of all its networks."""
    return cost_of(size.networks, batch).latency_ms


def _size_speedup(batch: int, size: Size) -> Value:
    """Against the teacher in the same process; the teacher is as fast as itself."""
    if size.records:
        return speedup_of(size.records, batch)
    return None if _size_latency(batch, size) is None else 1.0


def _share_of_parameters(size: Size) -> Value:
    """Embeddings and head included."""
    if size.teacher is None:
        return None
    return size.networks[0].parameters.total / size.teacher.parameters.total


def _flops(size: Size) -> Value:
    """The mean over runs, whose examples may differ in length."""
    return mean_of(network.flops for network in size.networks)


def _share_of_flops(size: Size) -> Value:
    """The mean ratio within runs, since both networks of a run read the same example."""
    if not size.records:
        return None if _flops(size) is None else 1.0
    pairs = [(record.student.flops, record.teacher.flops) for record in size.records if record.teacher]
    return mean_of(ours / theirs for ours, theirs in pairs if ours and theirs)


def costs_grid(runs: Sequence[RecordedRun]) -> Grid | None:
    """A line for each shape of network; None where there are fewer than two shapes of students."""
    shapes = sizes(runs)
    if sum(bool(size.records) for size in shapes) < 2:
        return None
    filled = {
        title: (get, text)
        for title, (get, text) in figures(runs).items()
        if any(get(size) is not None for size in shapes)
    }
    places = {(x.device, x.threads) for size in shapes for n in size.networks for x in n.latency.values()}
    where = "; ".join(f"{device}, {threads} threads" for device, threads in sorted(places))
    return Grid(
        caption="What networks weigh and take",
        header=("", "runs", *filled),
        rows=tuple(
            (size.label, str(len(size.records) or NONE), *(text(get(size)) for get, text in filled.values()))
            for size in shapes
        ),
        notes=(
            "Latency: median over runs. Speed-up: mean over runs of the ratio within a run.",
            *([f"Measured on: {where}."] if where else []),
        ),
        alarms=(),
        name="costs",
    )
