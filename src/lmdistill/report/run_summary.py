"""A summary of the settings of one run or several, in sentences."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from lmdistill.analysis.grouping import flat, grouped, shared_settings, teaching, without
from lmdistill.analysis.number_format import layers_text, millions, percent
from lmdistill.records.record import Record, RecordedRun
from lmdistill.records.schema import NetworkFacts
from lmdistill.report.teaching_text import teacher_name

MANY = 6
"""Largest number of items that a list in a sentence shows, if it is cut."""


def run_summary(runs: Sequence[RecordedRun]) -> tuple[str, ...]:
    """Settings of one run, or the settings that several runs share and those that differ.

    Runs that trained the teacher of other runs are left out.

    Args:
        runs: At least one run.

    Returns:
        Two or three sentences.
    """
    if len(runs) == 1:
        return _of_one(runs[0].record)
    shared, teacher_runs = shared_settings(runs), teaching(runs)
    learners = [run.record for run in runs if run not in teacher_runs]
    renamed = [one.model_copy(update={"name": without(one.name, shared)}) for one in learners]
    return _of_one(renamed[0]) if len(renamed) == 1 else _of_several(renamed, shared)


def listed(items: Sequence[str], last: str = "and") -> str:
    """Items as an enumeration; of more than `MANY` + 1 items, the first `MANY` and the number of the others.

    Examples:
        >>> listed(["a", "b", "c"]), listed(["a", "b"], "or"), listed(["a"])
        ('a, b and c', 'a or b', 'a')
        >>> listed(list("abcdefgh"))
        'a, b, c, d, e, f and 2 more'
    """
    if len(items) > MANY + 1:
        items = [*items[:MANY], f"{len(items) - MANY} more"]
    return f" {last} ".join(part for part in (", ".join(items[:-1]), items[-1]) if part)


def _source_name(source: str) -> str:
    """A source without the folders of an absolute path; for a run's student, the name of the run folder."""
    path = PurePath(source)
    if not path.is_absolute():
        return source
    return path.parent.name if path.name == "student" else path.name


def _shape(network: NetworkFacts) -> str:
    """Number of layers and parameters, in words."""
    shape = layers_text(network.layers) if network.layers else "a linear model of TF-IDF features"
    return f"{shape} and {millions(network.parameters.total)} parameters"


def _student(record: Record) -> str:
    """The student's layers and parameters, and the share of the teacher's units that it keeps."""
    keep = 1.0 if record.schedule is None else record.schedule.keep
    kept = "" if keep == 1 else f" ({100 * keep:g} % of the teacher's heads and neurons)"
    return f"{_shape(record.student)}{kept}"


def _teacher(record: Record) -> str:
    """The teacher's layers, parameters and source, or the file with its answers."""
    if record.answers is not None:
        return f"answers in {_source_name(record.answers.source)} ({record.answers.kind})"
    if record.teacher is None:
        return "none"
    return f"{_shape(record.teacher)} ({teacher_name(record, _source_name)})"


def _number(count: int, noun: str) -> str:
    """A count with its noun in singular or plural."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _data(record: Record) -> str:
    """Number of training examples, their share of the data if one is set, and texts without labels."""
    unlabelled = record.task.unlabelled_rows
    more = f" and {_number(unlabelled, 'text')} without {'a label' if unlabelled == 1 else 'labels'}"
    return f"{_labelled(record)}{more if unlabelled else ''}"


def _labelled(record: Record) -> str:
    """Number of training examples with a label, and the share of the data if the recipe sets one."""
    rows, unit = record.task.rows.get("train"), _unit(record)
    if rows is None:
        return f"an unknown number of training {unit}s"
    data = record.recipe.get("data") or record.recipe.get("texts")
    data = data if isinstance(data, Mapping) else {}
    fraction = data.get("fraction")
    if isinstance(fraction, float) and fraction < 1:
        share = percent(fraction).removesuffix(".00")
        return f"{_number(rows, f'training {unit}')} (from {share} % of the data)"
    return f"{_number(rows, f'training {unit}')}{' sampled from a larger set' if data.get('rows') else ''}"


def _unit(record: Record) -> str:
    """The noun for an example of the task."""
    return "passage" if record.task.kind == "language" else "example"


def _training(record: Record) -> str:
    """Optimizer steps and epochs; iterations and C of a linear model."""
    epochs = record.training.epochs
    if record.linear is not None:
        return f"{_number(record.training.steps, 'iteration')} of L-BFGS at C={record.linear.C:g}"
    return f"{_number(record.training.steps, 'step')} ({epochs:.3g} epoch{'' if epochs == 1 else 's'})"


def _text(value: Any) -> str:
    """A setting as text; a list without brackets."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _fields(record: Record) -> dict[str, str]:
    """The method's settings that differ from their defaults; all settings for older records."""
    fields = flat(record.method if record.changed is None else record.changed)
    return {name: _text(value) for name, value in fields.items() if name != "name"}


def _method(record: Record, varied: Sequence[str] = ()) -> str:
    """The run's label with its method and settings, without the `varied` settings and those in the label."""
    method, words = str(record.method.get("name", record.name)), record.name.split(" ")
    texts = [] if method.casefold() == words[0].casefold() else [method]
    texts += [
        f"{name} {value}"
        for name, value in _fields(record).items()
        if name not in varied and f"{name}={value}".removesuffix(".0") not in words
    ]
    settings = f" ({', '.join(texts)})" if texts else ""
    schedule = "" if record.schedule is None else f" with the schedule {record.schedule.name}"
    return f"{record.name}{settings}{schedule}"


def _of_one(record: Record) -> tuple[str, ...]:
    """Two sentences on one run: student, teacher and method, then data and training."""
    teacher = "without a teacher" if record.teacher is None else f"with a teacher of {_teacher(record)}"
    if record.answers is not None:
        teacher = f"with a teacher's {_teacher(record)}"
    defaults = "; all other settings of the method have their defaults" if record.changed is not None else ""
    num_dev = record.task.rows.get(record.headline[0])
    evaluation = (
        ""
        if num_dev is None
        else f", and the student was evaluated on {_number(num_dev, f'{record.headline[0]} {_unit(record)}')}"
    )
    return (
        f"A student of {_student(record)} was trained on {record.task.name} {teacher}, by "
        f"{_method(record)}{defaults}.",
        f"Training took {_training(record)} on {_data(record)} with seed {record.seed}{evaluation}.",
    )


def _facts(record: Record) -> dict[str, str]:
    """The facts that runs may share, by name."""
    return {
        "task": record.task.name,
        "teacher": _teacher(record),
        "student": _student(record),
        "data": _data(record),
        "training": _training(record),
        "seed": str(record.seed),
    }


def _teachers(records: Sequence[Record]) -> list[str]:
    """The teachers of several runs; teachers with the same architecture are counted."""
    shapes = grouped(records, lambda one: _teacher(one) if one.teacher is None else _shape(one.teacher))
    texts = []
    for shape, group in shapes.items():
        sources = {one.teacher.source for one in group if one.teacher is not None}
        texts.append(_teacher(group[0]) if len(sources) < 2 else f"{shape} ({len(sources)} networks)")
    return texts


def _of_several(records: Sequence[Record], common: Sequence[str]) -> tuple[str, ...]:
    """Sentences on the compared methods, on what all runs share, including `common`, and on what differs."""
    varied = _varied_settings(records)
    methods = {
        name: listed(list(dict.fromkeys(_method(one, list(varied)) for one in group)), "or")
        for name, group in grouped(records, lambda one: one.name).items()
    }
    facts = [_facts(record) for record in records]
    values = {name: list(dict.fromkeys(one[name] for one in facts)) for name in facts[0]}
    values |= {"teacher": _teachers(records), **varied}
    shared = [*common] + [f"{name} {texts[0]}" for name, texts in values.items() if len(texts) == 1]
    differing = [f"{name} ({listed(texts, 'or')})" for name, texts in values.items() if len(texts) > 1]
    sentences = [f"{len(records)} runs compare {listed(list(methods.values()))}."]
    if len(methods) == 1:
        sentences = [f"{len(records)} runs of {next(iter(methods.values()))}."]
    sentences += [f"They share: {'; '.join(shared)}."] if shared else []
    return (*sentences, f"They differ in: {'; '.join(differing)}.") if differing else tuple(sentences)


def _varied_settings(records: Sequence[Record]) -> dict[str, list[str]]:
    """The values of the method's settings in which runs with the same name differ, by setting."""
    varied: dict[str, list[str]] = {}
    for group in grouped(records, lambda one: one.name).values():
        settings = [flat(one.method) for one in group]
        for name in dict.fromkeys(name for one in settings for name in one if name != "name"):
            values = list(dict.fromkeys(_text(one.get(name)) for one in settings))
            if len(values) > 1:
                varied[name] = list(dict.fromkeys([*varied.get(name, []), *values]))
    return varied
