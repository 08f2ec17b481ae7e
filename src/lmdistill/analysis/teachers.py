"""Which teachers of a table are seeds of one, and what each kind is called."""

from collections.abc import Sequence

from lmdistill.analysis.grouping import flat, numbered
from lmdistill.analysis.number_format import millions
from lmdistill.core.fingerprint import fingerprint
from lmdistill.records.record import Record, RecordedRun
from lmdistill.records.schema import NetworkFacts

Taught = tuple[Record, NetworkFacts]
"""A run and its teacher."""


def teachers_of(runs: Sequence[RecordedRun]) -> list[list[Taught]]:
    """Runs with their teachers, those together whose teachers are of one kind, in order of appearance.

    Of one kind are teachers of one size that were trained in one way, as far as recipes tell, and have taught
    from equally many training examples. With 10 % and 1 % of the data each amount has teachers of its own; a
    teacher of several amounts holds them together.
    """
    kinds: list[list[Taught]] = []
    for record, teacher in [(run.record, run.record.teacher) for run in runs]:
        if teacher is not None:
            near = [kind for kind in kinds if _belongs(record, teacher, kind)]
            new = [*(pair for kind in near for pair in kind), (record, teacher)]
            place = kinds.index(near[0]) if near else len(kinds)
            kinds = [kind for kind in kinds if kind not in near]
            kinds.insert(place, new)
    return kinds


def _belongs(record: Record, teacher: NetworkFacts, kind: Sequence[Taught]) -> bool:
    """Whether a teacher is of a kind."""
    return size_of(teacher) == size_of(kind[0][1]) and any(
        teacher.fingerprint == other.fingerprint
        or (_amount(record), _training(record)) == (_amount(run), _training(run))
        for run, other in kind
    )


def _training(record: Record) -> str:
    """How the recipe says that the teacher was trained, but for its seed and the place of its weights."""
    asked = record.recipe.get("teacher")
    fields = flat(asked) if isinstance(asked, dict) else {}
    return fingerprint({name: fields[name] for name in fields if name not in ("model", "training.seed")})


def size_of(teacher: NetworkFacts) -> tuple[int, int]:
    """Layers and parameters."""
    return teacher.layers, teacher.parameters.total


def _amount(record: Record) -> int | None:
    """How many examples a run was trained on."""
    return record.task.rows.get("train")


def chosen_by_dev(record: Record, teacher: NetworkFacts) -> bool:
    """Whether the run fine-tuned its teacher and kept the weights that were best on dev."""
    asked = record.recipe.get("teacher")
    if not isinstance(asked, dict) or teacher.source == asked.get("model"):
        return False
    training = asked.get("training")
    return isinstance(training, dict) and training.get("keep") == "best"


def teacher_labels(kinds: Sequence[Sequence[Taught]]) -> list[str]:
    """Kinds are told apart by layers, by weights where layers do not, and by amounts where no size does."""
    sizes = [size_of(kind[0][1]) for kind in kinds]
    labels = []
    for kind, (layers, weights) in zip(kinds, sizes, strict=True):
        facts = [f"{layers} layers"] if len({size[0] for size in sizes}) > 1 else []
        if any(size[0] == layers and size[1] != weights for size in sizes):
            facts = [f"{layers} layers", millions(weights)]
        if sizes.count((layers, weights)) > 1:
            amounts = sorted({_amount(record) or 0 for record, _ in kind})
            facts.append(f"{' or '.join(f'{amount:,}' for amount in amounts)} examples")
        labels.append(f"Teacher ({', '.join(facts)})" if facts else "Teacher")
    return numbered(labels)
