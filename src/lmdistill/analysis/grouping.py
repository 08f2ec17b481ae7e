"""Which runs belong together: in a table, since they were judged alike, and in a row, as its seeds."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from lmdistill.analysis.paired_comparison import ExampleScores
from lmdistill.core.fingerprint import fingerprint
from lmdistill.records.record import Record, RecordedRun
from lmdistill.records.schema import NetworkFacts

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")

OF_TEACHER = "agreement"
"""A metric of language models that only those have which have a teacher."""

SEEDS = ("seed", "seeds", "training.seed", "teacher.training.seed")
"""Fields of a recipe in which the runs of a row differ."""

Known = Mapping[Path, ExampleScores | None]
"""The contributions of each run, by its folder."""


def flat(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Fields of a method or a recipe by their dotted names, those of its parts too.

    Examples:
        >>> flat({"name": "sft", "completions": {"student": 0.5}})
        {'name': 'sft', 'completions.student': 0.5}
    """
    found: dict[str, Any] = {}
    for name, value in settings.items():
        found |= flat(value, f"{above}{name}.") if isinstance(value, Mapping) else {above + name: value}
    return found


def grouped(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """Items by key, both in order of appearance."""
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def one_each(runs: Iterable[RecordedRun]) -> list[RecordedRun]:
    """The first run of each teacher's network: a teacher of many students counts once."""
    taught = [(run, run.record.teacher.fingerprint) for run in runs if run.record.teacher is not None]
    return [some[0][0] for some in grouped(taught, lambda pair: pair[1]).values()]


def teaching(runs: Sequence[RecordedRun]) -> list[RecordedRun]:
    """The runs that made a teacher of others."""
    taught = {run.record.teacher.fingerprint for run in runs if run.record.teacher is not None}
    return [run for run in runs if run.record.kind == "finetune" and run.record.student.fingerprint in taught]


def comparison_key(run: RecordedRun) -> Hashable:
    """Equal for runs that are asked the same of the same task, with a teacher or without."""
    task = run.record.task
    return task.name, tuple(metric for metric in task.metrics if metric != OF_TEACHER)


def _examples(run: RecordedRun, known: Known) -> dict[str, Hashable]:
    """What is known of the dev examples that a run was judged on."""
    task, answers = run.record.task, known[run.path]
    found = {
        "rows": tuple(sorted((name, rows) for name, rows in task.rows.items() if name != "train")),
        "contents": task.dev_fingerprint,
        "labels": None if answers is None else answers.examples,
    }
    return {name: value for name, value in found.items() if value is not None}


def same_dev_set(runs: Sequence[RecordedRun], known: Known) -> list[list[RecordedRun]]:
    """Runs by the dev examples that they were judged on; what is not known of a run speaks for no group."""
    groups: list[tuple[dict[str, Hashable], list[RecordedRun]]] = []
    for run in runs:
        own = _examples(run, known)
        for facts, group in groups:
            if all(facts.get(name, value) == value for name, value in own.items()):
                facts.update(own)
                group.append(run)
                break
        else:
            groups.append((own, [run]))
    return [group for _, group in groups]


def layers_of(network: NetworkFacts) -> tuple[int, int]:
    """How many layers there are, and the weights in them; heads differ from task to task."""
    return network.layers, network.parameters.encoder


def student_size(record: Record) -> tuple[int, float]:
    """Layers and the weights in them; of a pruned student layers and the share of the units that it keeps.

    Seeds rank units differently, and widths in steps of eight then differ by a few weights.
    """
    keep = 1.0 if record.schedule is None else record.schedule.keep
    layers, weights = layers_of(record.student)
    return layers, float(weights) if keep == 1 else keep


def asked_data(run: RecordedRun) -> Mapping[str, float]:
    """How much of the training data was asked for."""
    data = run.record.recipe.get("data") or run.record.recipe.get("texts")
    found = data if isinstance(data, dict) else {}
    return {name: float(found[name]) for name in ("fraction", "rows") if found.get(name) is not None}


def row_key(run: RecordedRun) -> Hashable:
    """Equal for runs of one name that differ in the seed only, as far as shapes, rows and method tell.

    What else their recipes say is not asked here: a difference in it is an alarm.
    """
    record = run.record
    teacher = None if record.teacher is None else layers_of(record.teacher)
    method = {name: value for name, value in record.method.items() if value is not None}
    return (
        *(record.name, student_size(record), record.student.parameters.embeddings, teacher),
        *(record.task.rows.get("train"), fingerprint(method)),
    )


def row_labels(groups: Sequence[Sequence[RecordedRun]]) -> list[str]:
    """The name of each group, and what tells it from others of the same name."""
    records = [group[0].record for group in groups]
    labels = []
    for record in records:
        twins = [other for other in records if other.name == record.name]
        facts: list[Callable[[Record], str]] = [
            lambda r: f"{r.student.layers} layers",
            _weight,
            lambda r: f"{r.task.rows.get('train', 0):,} examples",
            lambda r: "no teacher" if r.teacher is None else f"taught by {r.teacher.layers} layers",
            *(lambda r, field=field: f"{field}={r.method.get(field)}" for field in record.method),
        ]
        telling = [fact(record) for fact in facts if len({fact(twin) for twin in twins}) > 1]
        labels.append(f"{record.name} ({', '.join(telling)})" if telling else record.name)
    return labels


def shared_settings(runs: Sequence[RecordedRun]) -> tuple[str, ...]:
    """The settings, as in `layers=3`, in the names of all students: they tell no row from another.

    None where there is one name only; a teacher's own run does not count.
    """
    made = teaching(runs)
    names = [name.split(" ") for name in dict.fromkeys(run.record.name for run in runs if run not in made)]
    if len(names) < 2:
        return ()
    return tuple(word for word in names[0][1:] if "=" in word and all(word in other[1:] for other in names))


def _weight(record: Record) -> str:
    """Parameters of a student; of a pruned one what it keeps."""
    if record.schedule is not None and record.schedule.keep < 1:
        return f"keeps {100 * record.schedule.keep:g} %"
    return f"{record.student.parameters.total:,} parameters"


def numbered(labels: Iterable[str]) -> list[str]:
    """Labels that differ: one that was there before gets a number.

    Examples:
        >>> numbered(["FT", "KD", "KD"])
        ['FT', 'KD', 'KD, 2']
    """
    found: list[str] = []
    for label in labels:
        number = next(n for n in range(1, len(found) + 2) if _with(label, n) not in found)
        found.append(_with(label, number))
    return found


def _with(label: str, number: int) -> str:
    """The label, with its number from the second on."""
    return label if number == 1 else f"{label}, {number}"


def without(label: str, settings: Sequence[str]) -> str:
    """A label less the settings that its whole table shares.

    Examples:
        >>> without("FT layers=3 ratio=2", ["layers=3"])
        'FT ratio=2'
    """
    return " ".join(word for word in label.split(" ") if word not in settings)
