"""Whether the files of a run are as the run wrote them: a record has a checksum of each, and of itself."""

import logging
from collections.abc import Mapping
from pathlib import Path

from lmdistill.core.checksums import file_checksum, first_changed, folder_checksums
from lmdistill.core.errors import RunError
from lmdistill.records.disagreements import DISAGREEMENTS
from lmdistill.records.history import HISTORY
from lmdistill.records.predictions import PREDICTIONS
from lmdistill.records.predictions_parquet import PARQUET
from lmdistill.records.representation_map import MAP
from lmdistill.records.text_hashes import TEXT_HASHES

logger = logging.getLogger("lmdistill")

STUDENT = "student"
"""Folder of the trained network in a run folder."""

CARD = "README.md"
"""The model card, which people may edit."""

MODEL_CONFIG = "config.json"
"""Configuration of a model, in its folder."""

LINEAR_CONFIG = "tfidf.json"
"""Labels and vocabularies of a linear model, in its folder."""

REPORTED = (HISTORY, PREDICTIONS, DISAGREEMENTS, MAP)
"""Files that a report reads beside the record."""


def run_checksums(folder: Path) -> dict[str, str]:
    """Checksums of what other commands read of a run: its reports, hashes of texts, student without card.

    Args:
        folder: A run folder whose files are written, all but the record.

    Returns:
        SHA-256 by path in the folder.
    """
    names = (*REPORTED, TEXT_HASHES)
    found = {name: file_checksum(folder / name) for name in names if (folder / name).is_file()}
    student = folder_checksums(folder / STUDENT)
    return found | {f"{STUDENT}/{name}": digest for name, digest in student.items() if name != CARD}


def reported_change(folder: Path, files: Mapping[str, str]) -> str | None:
    """The first reported file that has changed since the run, in words; a missing one is no change."""
    there = {name: files[name] for name in REPORTED if name in files and (folder / name).is_file()}
    return first_changed(folder, there)


def student_change(folder: Path, files: Mapping[str, str], name: str | None = None) -> str | None:
    """The first changed or missing file of a student, in words; None if all are as the run wrote them.

    Args:
        folder: The folder of the model, in the run folder or linked from there.
        files: Checksums by path in the run folder.
        name: The only file to look at; None for all.
    """
    student = {key.removeprefix(f"{STUDENT}/"): files[key] for key in files if key.startswith(f"{STUDENT}/")}
    return first_changed(folder, student if name is None else {k: v for k, v in student.items() if k == name})


def require_reported(folder: Path, files: Mapping[str, str]) -> None:
    """Refuse a run whose reported files have changed; warn where its predictions are missing.

    Args:
        folder: The run folder.
        files: Checksums by path in it; empty for a run of version 0.1.

    Raises:
        RunError: If a file has other contents than the run wrote.
    """
    damage = reported_change(folder, files)
    if damage:
        raise RunError(
            f"{folder} is not as its run wrote it: {damage}. Restore the file, remove it, or run it again."
        )
    is_elsewhere = (folder.absolute().parent / PARQUET).is_file()
    is_teacher = (
        folder / MODEL_CONFIG
    ).is_file()  # a model in a run that it taught, with its own run's record
    if PREDICTIONS in files and not (is_elsewhere or is_teacher or (folder / PREDICTIONS).is_file()):
        logger.warning(
            "%s has no %s any more; tests and tables of examples leave it out.", folder, PREDICTIONS
        )
