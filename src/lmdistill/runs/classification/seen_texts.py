"""The texts that trained or chose a student, as hashes in its run folder; they are no fair test of it."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt64

from lmdistill.core.errors import DataError
from lmdistill.data.tasks.subsample import labels_of
from lmdistill.data.tasks.task import Task, has_label
from lmdistill.data.tasks.text_hashes import text_hashes
from lmdistill.models.classifier import Network
from lmdistill.models.loading.resolve import resolve
from lmdistill.records.seen_texts import seen_texts
from lmdistill.records.text_hashes import write_text_hashes
from lmdistill.runs.classification.stand_in import StandIn

log = logging.getLogger("lmdistill")

TEST = "test"
"""Split that is only scored, so that it chooses nothing."""


def write_seen_texts(
    folder: Path,
    task: Task,
    *,
    taught: Task | None = None,
    teachers: Sequence[str] = (),
    origin: str | None = None,
) -> None:
    """Write the hashes of the texts that a run has seen.

    The groups are `train` (labelled texts of the student, and of the classifier that it began as),
    `unlabelled` (its other texts), `teacher` (texts of the teachers' training as far as they are known) and
    `dev` (texts that chose weights or thresholds).

    Args:
        folder: The run folder.
        task: The student's task, added texts included.
        taught: The task that the teacher was fine-tuned on, if that was done for this run.
        teachers: From `teacher_sources`; those whose run kept no hashes add nothing.
        origin: Folder or name of the trained classifier that the student began as.
    """
    hashes, labelled = text_hashes(task.train), has_label(labels_of(task.train))
    read = [] if taught is None else [text_hashes(taught.train)]
    write_text_hashes(
        folder,
        {
            "train": [hashes[labelled], *_of_run(origin)],
            "unlabelled": [hashes[~labelled]],
            "teacher": [*read, *(one for name in teachers for one in _of_run(name))],
            "dev": [text_hashes(task.split(name)) for name in task.spec.splits if name != TEST],
        },
    )


def teacher_sources(teacher: Network | None, stand_in: StandIn | None) -> list[str]:
    """Folders or names of the networks that teach: of one, or of those behind what stands in for it."""
    parts = [] if stand_in is None else [part.network.source for part in stand_in.parts()]
    return parts if teacher is None else [teacher.source, *parts]


def _of_run(model: str | None) -> Sequence[UInt64[np.ndarray, " _"]]:
    """All hashes of the run that made a model; none if it is no folder, or its run has none."""
    if model is None:
        return []
    try:
        return list(seen_texts(Path(resolve(model))).values())
    except DataError as error:  # of another run, which this one does not fail for
        log.warning("%s The texts of that run are not known to this one.", error)
        return []
