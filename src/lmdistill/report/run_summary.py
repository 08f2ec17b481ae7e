"""What was asked of runs, in plain sentences made from their records."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from lmdistill.analysis.grouping import flat, grouped, shared_settings, teaching, without
from lmdistill.analysis.number_format import millions, percent
from lmdistill.records.record import Record, RecordedRun
from lmdistill.records.schema import NetworkFacts

MANY = 6
"""A list of more items is cut."""


def run_summary(runs: Sequence[RecordedRun]) -> tuple[str, ...]:
    """Who learned what from whom, and how, in two sentences; of several runs, what they share and what not.

    Runs that made the teacher of others are not spoken of: they are in the teacher's line.

    Args:
        runs: At least one.
    """
    if len(runs) == 1:
        return _of_one(runs[0].record)
    common, made = shared_settings(runs), teaching(runs)
    learners = [run.record for run in runs if run not in made]
    named = [one.model_copy(update={"name": without(one.name, common)}) for one in learners]
    return _of_one(named[0]) if len(named) == 1 else _of_several(named, common)


def listed(items: Sequence[str], last: str = "and") -> str:
    """Items in words, at most `MANY` of them.

    Examples:
        >>> listed(["a", "b", "c"]), listed(["a", "b"], "or"), listed(["a"])
        ('a, b and c', 'a or b', 'a')
        >>> listed(list("abcdefgh"))
        'a, b, c, d, e, f and 2 more'
    """
    if len(items) > MANY + 1:
        items = [*items[:MANY], f"{len(items) - MANY} more"]
    return f" {last} ".join(part for part in (", ".join(items[:-1]), items[-1]) if part)


def _place(source: str) -> str:
    """A source without the folders above it, which are the machine's business; a run's by its own name."""
    path = PurePath(source)
    if not path.is_absolute():
        return source
    return path.parent.name if path.name == "student" else path.name


def _shape(network: NetworkFacts) -> str:
    """How deep and how large."""
    layers = network.layers
    return f"{layers} layer{'' if layers == 1 else 's'} and {millions(network.parameters.total)} parameters"


def _student(record: Record) -> str:
    """Its shape, and how much of the teacher's width is left."""
    keep = 1.0 if record.schedule is None else record.schedule.keep
    kept = "" if keep == 1 else f" ({100 * keep:g} % of the teacher's heads and neurons)"
    return f"{_shape(record.student)}{kept}"


def _teacher(record: Record) -> str:
    """Its shape and where it came from."""
    if record.teacher is None:
        return "none"
    return f"{_shape(record.teacher)} ({_place(record.teacher.source)})"


def _number(count: int, what: str) -> str:
    """A count of something."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _data(record: Record) -> str:
    """Training examples, and their share of all where the recipe asked for a part."""
    rows, what = record.task.rows.get("train"), _unit(record)
    if rows is None:
        return f"an unknown number of training {what}s"
    data = record.recipe.get("data") or record.recipe.get("texts")
    data = data if isinstance(data, Mapping) else {}
    fraction = data.get("fraction")
    if isinstance(fraction, float) and fraction < 1:
        share = percent(fraction).removesuffix(".00")
        return f"{_number(rows, f'training {what}')} (from {share} % of the data)"
    return f"{_number(rows, f'training {what}')}{' drawn from more' if data.get('rows') else ''}"


def _unit(record: Record) -> str:
    """What an example is called."""
    return "passage" if record.task.kind == "language" else "example"


def _work(record: Record) -> str:
    """Steps and passes."""
    passes = "once" if record.training.epochs == 1 else f"{record.training.epochs:.3g} times"
    return f"{_number(record.training.steps, 'step')}, {passes} through the data"


def _text(value: Any) -> str:
    """A setting in words."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _fields(record: Record) -> dict[str, str]:
    """The method's settings that are not as by default; all of them in a record that does not know which."""
    fields = flat(record.method if record.changed is None else record.changed)
    return {name: _text(value) for name, value in fields.items() if name != "name"}


def _method(record: Record, apart: Sequence[str] = ()) -> str:
    """The label, the method behind it, and its settings without those that it holds or are told `apart`."""
    kind, words = str(record.method.get("name", record.name)), record.name.split(" ")
    said = [] if kind.casefold() == words[0].casefold() else [kind]
    said += [
        f"{name} {value}"
        for name, value in _fields(record).items()
        if name not in apart and f"{name}={value}".removesuffix(".0") not in words
    ]
    settings = f" ({', '.join(said)})" if said else ""
    route = "" if record.schedule is None else f" along the schedule {record.schedule.name}"
    return f"{record.name}{settings}{route}"


def _of_one(record: Record) -> tuple[str, ...]:
    """Who learned from whom, then from what and how long."""
    what = f"{_student(record)} learned {record.task.name}"
    told = "without a teacher" if record.teacher is None else f"from a teacher of {_teacher(record)}"
    defaults = "; all other settings of the method are as by default" if record.changed is not None else ""
    held = record.task.rows.get(record.headline[0])
    judged = (
        "" if held is None else f", and is judged on {_number(held, f'{record.headline[0]} {_unit(record)}')}"
    )
    return (
        f"A network of {what} {told}, by {_method(record)}{defaults}.",
        f"It saw {_data(record)} in {_work(record)}, with seed {record.seed}{judged}.",
    )


def _facts(record: Record) -> dict[str, str]:
    """What runs may share, by what it is called."""
    return {
        "task": record.task.name,
        "teacher": _teacher(record),
        "student": _student(record),
        "data": _data(record),
        "work": _work(record),
        "seed": str(record.seed),
    }


def _teachers(records: Sequence[Record]) -> list[str]:
    """The teachers of several runs; of those of one shape only their number is told."""
    shapes = grouped(records, lambda one: None if one.teacher is None else _shape(one.teacher))
    found = []
    for shape, group in shapes.items():
        sources = {one.teacher.source for one in group if one.teacher is not None}
        found.append(_teacher(group[0]) if len(sources) < 2 else f"{shape} ({len(sources)} networks)")
    return found


def _of_several(records: Sequence[Record], common: Sequence[str]) -> tuple[str, ...]:
    """What was compared, what the runs share, as the `common` settings in their names, and what not."""
    apart = _apart(records)
    methods = {
        name: listed(list(dict.fromkeys(_method(one, list(apart)) for one in found)), "or")
        for name, found in grouped(records, lambda one: one.name).items()
    }
    facts = [_facts(record) for record in records]
    values = {name: list(dict.fromkeys(one[name] for one in facts)) for name in facts[0]}
    values |= {"teacher": _teachers(records), **apart}
    shared = [*common] + [f"{name} {found[0]}" for name, found in values.items() if len(found) == 1]
    differing = [f"{name} ({listed(found, 'or')})" for name, found in values.items() if len(found) > 1]
    sentences = [f"{len(records)} runs compare {listed(list(methods.values()))}."]
    if len(methods) == 1:
        sentences = [f"{len(records)} runs of {next(iter(methods.values()))}."]
    sentences += [f"They share: {'; '.join(shared)}."] if shared else []
    return (*sentences, f"They differ in: {'; '.join(differing)}.") if differing else tuple(sentences)


def _apart(records: Sequence[Record]) -> dict[str, list[str]]:
    """Settings of the method in which runs of one name differ, with their values."""
    found: dict[str, list[str]] = {}
    for group in grouped(records, lambda one: one.name).values():
        settings = [flat(one.method) for one in group]
        for name in dict.fromkeys(name for one in settings for name in one if name != "name"):
            values = list(dict.fromkeys(_text(one.get(name)) for one in settings))
            if len(values) > 1:
                found[name] = list(dict.fromkeys([*found.get(name, []), *values]))
    return found
