"""Grouping of a table's teachers into kinds, which differ in their seed only, and their labels."""

from collections.abc import Sequence

from lmdistill.analysis.grouping import flat, numbered
from lmdistill.analysis.number_format import millions
from lmdistill.core.fingerprint import fingerprint
from lmdistill.records.record import Record, RecordedRun
from lmdistill.records.schema import NetworkFacts

Taught = tuple[Record, NetworkFacts]
"""A run and its teacher."""


def teachers_of(runs: Sequence[RecordedRun]) -> list[list[Taught]]:
    """Runs with their teachers, grouped by the kind of teacher, in order of appearance.

    Teachers are of one kind if they have the same size, the same training settings in the recipe, and
    students with the same number of training examples. So runs with 10 % and with 1 % of the data have
    teachers of different kinds, unless one teacher network has students with both.
    """
    kinds: list[list[Taught]] = []
    for record, teacher in [(run.record, run.record.teacher) for run in runs]:
        if teacher is not None:
            matching = [kind for kind in kinds if _belongs(record, teacher, kind)]
            merged = [*(pair for kind in matching for pair in kind), (record, teacher)]
            position = kinds.index(matching[0]) if matching else len(kinds)
            kinds = [kind for kind in kinds if kind not in matching]
            kinds.insert(position, merged)
    return kinds


def _belongs(record: Record, teacher: NetworkFacts, kind: Sequence[Taught]) -> bool:
    """Whether the teacher of a run belongs to a kind."""
    return size_of(teacher) == size_of(kind[0][1]) and any(
        teacher.fingerprint == other.fingerprint
        or (_amount(record), _training(record)) == (_amount(run), _training(run))
        for run, other in kind
    )


def _training(record: Record) -> str:
    """Fingerprint of the teacher's settings in the recipe, without its seed and the path of its weights."""
    settings = record.recipe.get("teacher")
    fields = flat(settings) if isinstance(settings, dict) else {}
    return fingerprint({name: fields[name] for name in fields if name not in ("model", "training.seed")})


def size_of(teacher: NetworkFacts) -> tuple[int, int]:
    """Number of layers and of parameters, including embeddings and head."""
    return teacher.layers, teacher.parameters.total


def _amount(record: Record) -> int | None:
    """Number of training examples of a run; None if it was not recorded."""
    return record.task.rows.get("train")


def chosen_by_dev(record: Record, teacher: NetworkFacts) -> bool:
    """Whether the run fine-tuned its teacher and kept the weights with the best dev score."""
    settings = record.recipe.get("teacher")
    if not isinstance(settings, dict) or teacher.source == settings.get("model"):
        return False
    if record.teaching is not None and all(model.seed is None for model in record.teaching.models):
        return False
    training = settings.get("training")
    return isinstance(training, dict) and training.get("keep") == "best"


def teacher_labels(kinds: Sequence[Sequence[Taught]]) -> list[str]:
    """One label for each kind of teacher.

    Labels name the number of layers if it differs, the parameters if kinds with the same layers differ in
    them, and the number of training examples if kinds have the same size.
    """
    sizes = [size_of(kind[0][1]) for kind in kinds]
    labels = []
    for kind, (layers, parameters) in zip(kinds, sizes, strict=True):
        facts = [f"{layers} layers"] if len({size[0] for size in sizes}) > 1 else []
        if any(size[0] == layers and size[1] != parameters for size in sizes):
            facts = [f"{layers} layers", millions(parameters)]
        if sizes.count((layers, parameters)) > 1:
            amounts = sorted({_amount(record) or 0 for record, _ in kind})
            facts.append(f"{' or '.join(f'{amount:,}' for amount in amounts)} examples")
        labels.append(f"Teacher ({', '.join(facts)})" if facts else "Teacher")
    return numbered(labels)
