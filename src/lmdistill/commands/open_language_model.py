"""Load the student of a language-model run and its teacher."""

import logging
from pathlib import Path

import torch

from lmdistill.commands.generate import model_in
from lmdistill.commands.open_model import find_teacher
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.models.loading.causal_lm import load_causal
from lmdistill.records.record import RECORD, read_record
from lmdistill.runs.language.teacher_cache import DTYPES

log = logging.getLogger("lmdistill")


def places_of(target: Path, *, with_teacher: bool) -> dict[str, tuple[str, str]]:
    """Folder and precision by role: `student` and `teacher` of a run, or a model by its name.

    Args:
        target: A finished run, a model folder, a hub id.
        with_teacher: Name the teacher of a run too; a log line says if its folder no longer exists.
    """
    if not (target / RECORD).is_file():
        return {str(target): (str(target), "float32")}
    record = read_record(target)
    asked = {"student": (str(model_in(target)), "float32")}
    if record.teacher is None or not with_teacher:
        return asked
    teacher = find_teacher(target, record)
    if teacher is None:
        log.info(
            "the teacher %s is not in a folder here; only its student is evaluated", record.teacher.source
        )
        return asked
    settings = record.recipe.get("teacher") or {}
    return {**asked, "teacher": (teacher, settings.get("dtype", "float32"))}


def pair_of(
    target: Path, *, with_teacher: bool, device: torch.device | str
) -> tuple[LanguageNetwork, LanguageNetwork | None]:
    """Load a student or model on `device`, and the teacher of its run if it is wanted and exists.

    Raises:
        ModelError: If one of them cannot be loaded.
    """
    first, *others = (
        load_causal(place, dtype=DTYPES[dtype]).to(device)
        for place, dtype in places_of(target, with_teacher=with_teacher).values()
    )
    return first, others[0] if others else None
