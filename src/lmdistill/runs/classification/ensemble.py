"""The teachers of a recipe that names several, or asks for a temperature: loaded, fine-tuned, combined."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from lmdistill.core.errors import ConfigError
from lmdistill.data.tasks.dev_split import hold_out_dev
from lmdistill.data.tasks.task import Task, has_label
from lmdistill.models.classifier import Network
from lmdistill.recipes.classifier import Teacher
from lmdistill.runs.classification.combined_teacher import HELD_OUT, CombinedTeacher
from lmdistill.runs.classification.data import Examples
from lmdistill.runs.classification.evaluation import KnownLogits
from lmdistill.runs.classification.stage_adapter import ClassificationAdapter
from lmdistill.runs.classification.teacher import PreparedTeacher, keep_model, load_teacher, tuned_teacher
from lmdistill.runs.classification.teacher_models import ClassifierModel
from lmdistill.runs.classification.teacher_outputs import NetworkOutputs

log = logging.getLogger("lmdistill")

FEWEST_ROWS = 50
"""Number of rows below which a fitted temperature is warned of."""

HELD_OUT_SHARE = 0.1
"""Share of the labelled training rows that a temperature is fitted on."""


def hold_out(task: Task) -> tuple[Task, Task]:
    """Set aside a tenth of the labelled training rows, a share of each class; the same rows for all models.

    Returns:
        The task without these rows, for fine-tuning, and one with them as the split `HELD_OUT`.

    Raises:
        ConfigError: If the task is not one of classes.
        DataError: If there are too few rows.
    """
    if task.spec.kind != "classification":
        raise ConfigError(
            f"teacher.fit_temperature is for tasks with one class a text, and {task.spec.name} has "
            f"{'scores' if task.spec.kind == 'regression' else 'several labels a text'}. Leave it out."
        )
    labels = np.asarray(task.train.with_format("numpy")["label"][:])
    labelled = task.train.select(np.flatnonzero(has_label(labels)))
    train, rows = hold_out_dev(labelled, HELD_OUT_SHARE)
    note = f"{rows.num_rows} training rows held out for the teacher's temperature"
    return task.with_train(train, note), replace(task, splits={HELD_OUT: rows})


def prepare_ensemble(
    settings: Teacher,
    examples: Examples,
    *,
    max_length: int,
    cache: Path,
    command: str,
    check: Callable[[PreparedTeacher], None],
    known_logits: KnownLogits,
) -> tuple[PreparedTeacher, tuple[str, ...]]:
    """Load the models of a teacher and fine-tune those without a head for the task.

    A name that occurs several times is fine-tuned with consecutive seeds.

    Args:
        settings: Names, training settings, and how outputs are combined.
        examples: Models are fine-tuned on the rows that `settings.rows` says, and answer all.
        max_length: Longest input in tokens.
        cache: Folder of fine-tuned teachers; outputs are kept in `outputs` inside.
        command: The command line, for the records.
        check: Raises for teachers of this shape what would go wrong after fine-tuning.
        known_logits: Takes dev logits of what is fine-tuned here.

    Returns:
        The first model, with all of them as its `stand_in`; and notes for the task.

    Raises:
        MismatchError: If classes of a model differ from the task's, or fit much better in another order.
        ModelError: If one cannot be loaded.
        ConfigError: If a temperature is asked for and the task has scores.
    """
    task, held = examples.taught(settings.rows), None
    if settings.fit_temperature:
        task, held = hold_out(task)
    own = [_of_one(settings, number) for number in range(len(settings.names))]
    loaded = [load_teacher(one, task, max_length=max_length, cache=cache) for one in own]
    models = [
        _model(one, teacher, max_length, known_logits) for one, teacher in zip(own, loaded, strict=True)
    ]
    notes = _repeated(settings.names, models)
    outputs = NetworkOutputs(cache=cache / "outputs") if settings.store_outputs else None
    whole = CombinedTeacher(
        models=tuple(models), task=examples.whole, combine=settings.combine, outputs=outputs
    )
    check(replace(loaded[0], stand_in=whole))
    adapter = ClassificationAdapter(task=task, max_length=max_length, known_logits=known_logits)
    tuned = [
        tuned_teacher(teacher, one, adapter, command=command)
        for one, teacher in zip(own, loaded, strict=True)
    ]
    ready = [model.with_network(_network(one)) for model, one in zip(models, tuned, strict=True)]
    teacher = replace(whole, models=tuple(ready))
    if held is not None:
        teacher, note = with_temperature(teacher, held)
        notes = (*notes, note)
    return replace(tuned[0], stand_in=teacher), notes


def with_temperature(teacher: CombinedTeacher, held: Task) -> tuple[CombinedTeacher, str]:
    """The teacher with a temperature fitted on rows that `hold_out` set aside, and a note on it."""
    teacher = teacher.fitted(held)
    fitted = teacher.temperature
    assert fitted is not None
    seen = ", which models that came fine-tuned may have seen" if teacher.may_have_seen else ""
    note = (
        f"the teacher's temperature is {fitted.value:.4g}, fitted on {fitted.rows} held-out training "
        f"rows{seen}: {fitted.nll_before:.4f} nats before, {fitted.nll_after:.4f} after"
    )
    if fitted.is_at_limit or fitted.rows < FEWEST_ROWS:
        why = "at the limit" if fitted.is_at_limit else f"fitted on fewer than {FEWEST_ROWS} rows"
        log.warning("%s; it is %s, so it says little. Use more training rows.", note, why)
    return teacher, note


def keep_models(teacher: CombinedTeacher, folder: Path) -> None:
    """Put the models that were fine-tuned here into a run folder, each in a folder with its number from 1."""
    for number, model in enumerate(teacher.models, 1):
        if model.folder is not None:
            keep_model(model.folder, folder / str(number), as_run=False)


def _of_one(settings: Teacher, number: int) -> Teacher:
    """The settings of one of several teachers."""
    names = settings.names
    seed = settings.training.seed + names[:number].count(names[number])
    return replace(settings, model=names[number], models=(), training=replace(settings.training, seed=seed))


def _model(
    settings: Teacher, teacher: PreparedTeacher, max_length: int, known_logits: KnownLogits
) -> ClassifierModel:
    """One of the models, not fine-tuned yet."""
    return ClassifierModel(
        network=_network(teacher),
        source=settings.names[0],
        max_length=max_length,
        seed=None if teacher.folder is None else settings.training.seed,
        folder=teacher.folder,
        known_logits=known_logits,
    )


def _network(teacher: PreparedTeacher) -> Network:
    """The network of a teacher that is one."""
    assert teacher.network is not None
    return teacher.network


def _repeated(names: tuple[str, ...], models: list[ClassifierModel]) -> tuple[str, ...]:
    """A note for each name that occurs several times."""
    notes = []
    for name, count in Counter(names).items():
        seeds = [model.seed for model in models if model.source == name]
        if count > 1 and None not in seeds:
            notes.append(
                f"{name} teaches {count} times, fine-tuned with the seeds {', '.join(map(str, seeds))}"
            )
        elif count > 1:
            notes.append(f"{name} counts {count} times: it came fine-tuned, so its copies are the same")
    return tuple(notes)
