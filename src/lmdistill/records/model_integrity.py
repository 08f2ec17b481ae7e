"""Whether a whole run, or the weights that it has trained, are as they were written."""

from pathlib import Path

from lmdistill.core.atomic_io import read_json
from lmdistill.core.checksums import MANIFEST, is_unchanged, manifest_damage
from lmdistill.core.errors import RunError
from lmdistill.records.integrity import STUDENT, reported_change, student_change
from lmdistill.records.record import RECORD


def require_unchanged_model(folder: Path, name: str | None = None) -> None:
    """Check the files of a model that a run has written, before it is loaded.

    A model without a record, or with one of version 0.1, is not checked.

    Args:
        folder: `student` in a run folder; a teacher that was put into one, with the record of its own run; or
            a folder with a manifest.
        name: The only file to look at; None for all.

    Raises:
        RunError: If one of them or the record has changed or is missing.
    """
    damage = model_damage(folder, name)
    if damage:
        raise RunError(
            f"{folder} is not as its run wrote it: {damage}. Restore it or run again; to use it as it is, "
            "copy the folder to a place without the run."
        )


def model_damage(folder: Path, name: str | None = None) -> str | None:
    """What is wrong with the files of such a model, in words; None if nothing is, or if nothing is known."""
    if (folder / MANIFEST).is_file():
        return manifest_damage(folder)
    run = folder if (folder / RECORD).is_file() else folder.absolute().parent
    if not (run / RECORD).is_file() or (run is not folder and folder.name != STUDENT):
        return None
    files = _files_of(run)
    return files if isinstance(files, str) else student_change(folder, files, name)


def run_damage(folder: Path) -> str | None:
    """What is not as a finished run wrote it, in words: its record, a reported file, or its student.

    Runs of version 0.1 have no checksums; only a record that is not JSON is damage there.
    """
    files = _files_of(folder)
    if isinstance(files, str):
        return files
    return reported_change(folder, files) or student_change(folder / STUDENT, files)


def _files_of(run: Path) -> dict[str, str] | str:
    """The checksums in a record, or what is wrong with it; version 0.1 and other programs wrote none."""
    try:
        value = read_json(run / RECORD)
    except (ValueError, RecursionError):
        return f"{RECORD} is not JSON"
    if not isinstance(value, dict) or "lmdistill" not in value:
        return {}
    files = value.get("files") or {}
    if not isinstance(files, dict) or not is_unchanged(value):
        return f"{RECORD} has changed"
    return files
