"""The examples of a recipe: loaded, limited, augmented."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lmdistill.core.errors import ConfigError
from lmdistill.core.file_lock import exclusive_file, lock_of
from lmdistill.core.progress import progress
from lmdistill.data.augment.augment_rows import add_augmented_rows
from lmdistill.data.augment.cache import AugmentationCache
from lmdistill.data.load_task import load_task
from lmdistill.data.tasks.subsample import with_train_subset
from lmdistill.data.tasks.task import Task
from lmdistill.data.tasks.unlabelled import unlabelled_sources, with_extra_rows, with_unlabelled
from lmdistill.recipes.augmentation import Augmentation
from lmdistill.recipes.classifier import Data

log = logging.getLogger("lmdistill")


@dataclass(frozen=True, kw_only=True)
class Examples:
    """A task with all its training rows, with those of the students, and with what is added to these."""

    everything: Task
    """The task with all its training rows, also those that `data.fraction` or `data.rows` leaves out."""

    original: Task
    """The task without augmented rows; the teacher is fine-tuned on it, unless `teacher.rows` is `all`."""

    whole: Task
    """The task with augmented rows as ordinary training examples; students learn from it."""

    def taught(self, rows: Literal["same", "all"]) -> Task:
        """The task that teachers are fine-tuned on.

        Args:
            rows: `teacher.rows` of the recipe.
        """
        return self.everything if rows == "all" else self.original

    def note_on_teacher(self, rows: Literal["same", "all"]) -> tuple[str, ...]:
        """What the teacher has seen, if that is more than the students see; one sentence or none."""
        seen, students = self.taught(rows).train.num_rows, self.original.train.num_rows
        if seen == students:
            return ()
        return (
            f"the teacher saw the labels of all {seen} training rows, the students see those of {students}",
        )


def load_examples(name: str, data: Data, *, cache: Path) -> Examples:
    """Load a task, limit its training rows and augment them.

    The teacher is fine-tuned on the original rows alone, so that students with and without augmentation
    share it; the paper leaves this open.

    Args:
        name: A task of the table, `synthetic`, or `own`.
        data: Source, number of training rows, and augmentation.
        cache: Folder of augmented texts, which later runs use again.

    Raises:
        ConfigError: For a number of labelled rows a batch where every row has a label.
    """
    if data.labelled_per_batch is not None and not data.unlabelled:
        raise ConfigError(
            f"data.labelled_per_batch is {data.labelled_per_batch}, and every row has a label. Set "
            "data.unlabelled, or leave it out."
        )
    all_rows = task = load_whole(name, data)
    if data.rows is not None or data.fraction < 1:
        task = with_train_subset(
            task, data.rows if data.rows is not None else data.fraction, seed=data.subset_seed
        )
    whole = task
    if data.unlabelled:
        text = tuple(str(name) for name in data.text)
        sources = unlabelled_sources(
            data.unlabelled, all_rows, task, text=text, join=data.join, form=data.form
        )
        whole = with_unlabelled(task, sources)
    if data.augmentation is not None:
        whole = _augmented(whole, task.train.num_rows, data.augmentation, cache)
    return Examples(everything=all_rows, original=task, whole=whole)


def _augmented(task: Task, labelled: int, chosen: Augmentation, cache: Path) -> Task:
    """The task with variants of its first `labelled` training rows, which have labels, or of all."""
    rows = task.train if chosen.rows == "all" else task.train.select(range(labelled))
    copies = chosen.copies
    if chosen.up_to is not None:
        copies = min(copies, (chosen.up_to - task.train.num_rows) // rows.num_rows)
    if copies < 1:
        note = (
            f"no variants by {chosen.augmenter.name}: {task.train.num_rows} rows, and up_to is {chosen.up_to}"
        )
        log.info("%s: %s", task.spec.name, note)
        return task.with_train(task.train, note)
    total = rows.num_rows * copies
    with (
        exclusive_file(lock_of(cache / "texts.sqlite")),
        AugmentationCache(cache / "texts.sqlite") as store,
        progress(f"augmenting ({chosen.augmenter.name})", total) as shown,
    ):
        both, _ = add_augmented_rows(
            rows,
            chosen.augmenter,
            store,
            copies=copies,
            on_progress=lambda done, _: shown.update(done),
        )
    new = both.select(range(rows.num_rows, both.num_rows))
    return with_extra_rows(task, new, chosen.augmenter.name, labels=chosen.labels)


def load_whole(name: str, data: Data) -> Task:
    """Load a task with all its rows and without augmentation."""
    source = None if data.source == "hub" else data.source
    return load_task(name, source, **own_settings(data))


def own_settings(data: Data) -> dict[str, Any]:
    """The arguments of `load_task` for the user's own data; without those that are inferred."""
    columns = ("dev", "test", "text", "join", "label", "label_separator", "labels", "kind", "drop", "metrics")
    fields = (*columns, "encoding", "delimiter", "quote")
    settings = {name: getattr(data, name) for name in fields}
    given = {name: value for name, value in settings.items() if value not in (None, ())}
    return given if data.header else {**given, "header": False}
