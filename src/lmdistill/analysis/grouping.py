"""Grouping of runs: into tables by task and dev examples, and into rows as seeds of one configuration."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from lmdistill.analysis.number_format import layers_text
from lmdistill.analysis.paired_comparison import ExampleScores
from lmdistill.core.fingerprint import fingerprint
from lmdistill.records.record import Record, RecordedRun
from lmdistill.records.schema import NetworkFacts

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")

OF_TEACHER = "agreement"
"""A metric of language models that is only defined with a teacher."""

SEEDS = ("seed", "seeds", "training.seed", "teacher.training.seed")
"""Fields of a recipe that hold seeds, in which the runs of a row differ."""

PLACES = (
    *("teacher.model", "student.model", "teacher.tokenizer", "data.source", "data.dev"),
    *("data.test", "texts.source", "texts.dev", "writing.prompts"),
)
"""Paths in a recipe; the runs of a row may differ in them, as in the seeds."""

MOST_SETTINGS = 3
"""Largest number of settings that a label shows."""

Known = Mapping[Path, ExampleScores | None]
"""Contributions of the dev examples for each run, by its folder."""


def flat(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Fields of a method or a recipe by their dotted names, including nested fields.

    Args:
        settings: Fields by name; nested mappings are flattened.
        above: Prefix of the dotted names.

    Examples:
        >>> flat({"name": "sft", "completions": {"student": 0.5}})
        {'name': 'sft', 'completions.student': 0.5}
    """
    fields: dict[str, Any] = {}
    for name, value in settings.items():
        fields |= flat(value, f"{above}{name}.") if isinstance(value, Mapping) else {above + name: value}
    return fields


def grouped(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """Items by key; keys and items keep their order of appearance."""
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def one_each(runs: Iterable[RecordedRun]) -> list[RecordedRun]:
    """The first run of each teacher network, so that a teacher with many students counts once."""
    pairs = [(run, run.record.teacher.fingerprint) for run in runs if run.record.teacher is not None]
    return [same_teacher[0][0] for same_teacher in grouped(pairs, lambda pair: pair[1]).values()]


def teaching(runs: Sequence[RecordedRun]) -> list[RecordedRun]:
    """The fine-tuning runs whose network is the teacher of another run."""
    teachers = {run.record.teacher.fingerprint for run in runs if run.record.teacher is not None}
    return [
        run for run in runs if run.record.kind == "finetune" and run.record.student.fingerprint in teachers
    ]


def comparison_key(run: RecordedRun) -> Hashable:
    """The task and its metrics, without those that need a teacher; equal for runs of one table."""
    task = run.record.task
    return task.name, tuple(metric for metric in task.metrics if metric != OF_TEACHER)


def _examples(run: RecordedRun, known: Known) -> dict[str, Hashable]:
    """Number, fingerprint and labels of the run's dev examples, as far as they are known."""
    task, contributions = run.record.task, known[run.path]
    facts = {
        "rows": tuple(sorted((name, rows) for name, rows in task.rows.items() if name != "train")),
        "contents": task.dev_fingerprint,
        "labels": None if contributions is None else contributions.examples,
    }
    return {name: value for name, value in facts.items() if value is not None}


def same_dev_set(runs: Sequence[RecordedRun], known: Known) -> list[list[RecordedRun]]:
    """Groups of runs that were evaluated on the same dev examples.

    Two runs are in one group unless the number, the fingerprint or the labels of their dev examples differ. A
    value that was not recorded does not separate runs.
    """
    return _agreeing((_examples(run, known), run) for run in runs)


def _agreeing(items: Iterable[tuple[dict[str, Any], Item]]) -> list[list[Item]]:
    """Groups of items whose facts do not contradict each other; a fact that is missing separates nothing."""
    groups: list[tuple[dict[str, Any], list[Item]]] = []
    for own, item in items:
        for facts, group in groups:
            if all(facts.get(name, value) == value for name, value in own.items()):
                facts.update(own)
                group.append(item)
                break
        else:
            groups.append((own, [item]))
    return [group for _, group in groups]


def layers_of(network: NetworkFacts) -> tuple[int, int]:
    """Number of layers and of the parameters in them, without embeddings and head; all of a linear model."""
    return network.layers, network.parameters.encoder if network.layers else network.parameters.total


def student_size(record: Record) -> tuple[int, float]:
    """Number of layers and of their parameters; for a pruned student, layers and the kept share of units.

    Pruned students are compared by the kept share, because seeds rank units differently and the rounding of
    widths to multiples of eight then changes the number of parameters slightly.
    """
    keep = 1.0 if record.schedule is None else record.schedule.keep
    layers, weights = layers_of(record.student)
    return layers, float(weights) if keep == 1 else keep


def asked_data(run: RecordedRun) -> Mapping[str, float]:
    """The `fraction` and `rows` of the training data that the recipe sets; empty if it sets neither."""
    data = run.record.recipe.get("data") or run.record.recipe.get("texts")
    settings = data if isinstance(data, dict) else {}
    return {name: float(settings[name]) for name in ("fraction", "rows") if settings.get(name) is not None}


def settings_of(record: Record) -> dict[str, Any]:
    """Settings of a recipe by their dotted names, without seeds and paths."""
    return {name: value for name, value in flat(record.recipe).items() if name not in (*SEEDS, *PLACES)}


def rows_of_seeds(runs: Iterable[RecordedRun]) -> list[list[RecordedRun]]:
    """The rows of a table: runs with one `row_key` whose recipes agree in every setting that both have.

    Older recipes lack settings that were added later, so a missing one does not separate runs.
    """
    groups = grouped(runs, row_key).values()
    return [row for group in groups for row in _agreeing((settings_of(run.record), run) for run in group)]


def row_key(run: RecordedRun) -> Hashable:
    """A key that is equal for the seeds of one row; see `rows_of_seeds` for the other settings of a recipe.

    It consists of the name, the sizes of student and teacher, the number of training examples and the method.
    """
    record = run.record
    teacher = None if record.teacher is None else layers_of(record.teacher)
    method = {name: value for name, value in record.method.items() if value is not None}
    return (
        *(record.name, student_size(record), record.student.parameters.embeddings, teacher),
        *(record.task.rows.get("train"), fingerprint(method)),
    )


def row_labels(groups: Sequence[Sequence[RecordedRun]]) -> list[str]:
    """The name of each group's runs, with the facts that differ between groups of the same name.

    Groups that differ in none of them get the settings of their recipes that differ.
    """
    records = [group[0].record for group in groups]
    facts = [(record.name, *_differing_facts(record, records)) for record in records]
    labels = []
    for record, own in zip(records, facts, strict=True):
        twins = [other for other, theirs in zip(records, facts, strict=True) if theirs == own]
        name, *differing = [*own, *_differing_settings(record, twins)]
        labels.append(f"{name} ({', '.join(differing)})" if differing else name)
    return labels


def _differing_facts(record: Record, records: Sequence[Record]) -> list[str]:
    """Facts of a record that differ between the records of its name."""
    same_name = [other for other in records if other.name == record.name]
    facts: list[Callable[[Record], str]] = [
        lambda r: layers_text(r.student.layers),
        _size_text,
        lambda r: f"{r.task.rows.get('train', 0):,} examples",
        lambda r: "no teacher" if r.teacher is None else f"teacher with {layers_text(r.teacher.layers)}",
        *(lambda r, field=field: f"{field}={r.method.get(field)}" for field in record.method),
    ]
    return [fact(record) for fact in facts if len({fact(other) for other in same_name}) > 1]


def _differing_settings(record: Record, twins: Sequence[Record]) -> list[str]:
    """Settings of a recipe that differ between records, such as `learning_rate=0.001`."""
    if len(twins) < 2:
        return []
    own, others = settings_of(record), [settings_of(twin) for twin in twins]
    differing = [
        f"{name.removeprefix('training.').removeprefix('optimizer.')}={_setting_text(value)}"
        for name, value in own.items()
        if any(other.get(name, value) != value for other in others)
    ]
    more = len(differing) - MOST_SETTINGS
    return differing if more <= 0 else [*differing[:MOST_SETTINGS], f"{more} more settings"]


def _setting_text(value: Any) -> str:
    """A setting as text; numbers are short."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def shared_settings(runs: Sequence[RecordedRun]) -> tuple[str, ...]:
    """The settings, such as `layers=3`, that occur in the names of all students.

    Runs that trained a teacher do not count. The result is empty if all students have one name.
    """
    teachers = teaching(runs)
    names = [
        name.split(" ") for name in dict.fromkeys(run.record.name for run in runs if run not in teachers)
    ]
    if len(names) < 2:
        return ()
    return tuple(word for word in names[0][1:] if "=" in word and all(word in other[1:] for other in names))


def _size_text(record: Record) -> str:
    """Number of parameters of a student, or the kept share of a pruned student."""
    if record.schedule is not None and record.schedule.keep < 1:
        return f"keeps {100 * record.schedule.keep:g} %"
    return f"{record.student.parameters.total:,} parameters"


def numbered(labels: Iterable[str]) -> list[str]:
    """Unique labels: a repeated label gets a number, from 2 on.

    Examples:
        >>> numbered(["FT", "KD", "KD"])
        ['FT', 'KD', 'KD, 2']
    """
    unique: list[str] = []
    for label in labels:
        number = next(n for n in range(1, len(unique) + 2) if _with_number(label, n) not in unique)
        unique.append(_with_number(label, number))
    return unique


def _with_number(label: str, number: int) -> str:
    """The label, followed by the number if it is not 1."""
    return label if number == 1 else f"{label}, {number}"


def without(label: str, settings: Sequence[str]) -> str:
    """A label without the given settings, such as those that all rows of a table share.

    Examples:
        >>> without("FT layers=3 ratio=2", ["layers=3"])
        'FT ratio=2'
    """
    return " ".join(word for word in label.split(" ") if word not in settings)
