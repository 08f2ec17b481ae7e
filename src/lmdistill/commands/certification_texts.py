"""The texts that a graph is certified on: read, judged, and compared with those that the student has seen."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Int

from lmdistill.analysis.agreement_bound import Promise, fewest_texts
from lmdistill.commands.judge_answers import (
    TEACHER_COLUMNS,
    Classes,
    answer_columns_of,
    answers_in_file,
    answers_of_teacher,
)
from lmdistill.commands.predict_exported import exported_text_model
from lmdistill.commands.text_model import rows_for, text_table
from lmdistill.core.errors import ConfigError, DataError
from lmdistill.data.tasks.text_hashes import hashes_of
from lmdistill.records.text_hashes import TEXT_HASHES, Hashes, read_text_hashes
from lmdistill.serving.certificate import Judge
from lmdistill.serving.manifest import Manifest, require_unchanged

log = logging.getLogger("lmdistill")

USES: Mapping[str, str] = {
    "train": "its training texts",
    "unlabelled": "its unlabelled training texts",
    "teacher": "the training texts of its teacher",
    "dev": "its dev texts",
    "calibration": "the texts that its 8-bit ranges come from",
}
"""What the texts of each group of hashes are."""


@dataclass(frozen=True, kw_only=True)
class CertificationTexts:
    """Texts with the answers of a judge."""

    first: list[str]
    """The texts, or the first text of each pair."""

    second: list[str] | None
    """The second text of each pair."""

    judge: Classes
    """Class number of the judge's answer to each, or 0 and 1 for each of several labels."""

    unseen: bool
    """Whether they were found not to be among the texts that trained or chose the student."""

    may_be_own: bool = False
    """Whether the answers are in a column that `lmdistill predict` writes for the student, too."""


@dataclass(frozen=True, kw_only=True)
class JudgedFile:
    """A file of texts and the judge of their answers, as the user names them."""

    path: Path
    """CSV, TSV, JSON or Parquet, also gzip'd."""

    against: Judge = "teacher"
    """Whose answers the student's are compared with: the teacher's, or the labels."""

    text: tuple[str, ...] = ()
    """Columns of the text or the pair; those of the run, or inferred, when empty."""

    answer: str | None = None
    """Column of the judge's answers; None for the usual ones."""

    teacher: str | None = None
    """Run folder, model folder or hub id of a teacher to ask now; None for answers in the file."""

    drop_seen: bool = False
    """Whether texts that trained or chose the student are left out."""

    def __post_init__(self) -> None:
        if self.teacher is not None and (self.against == "labels" or self.answer is not None):
            other = "--against is labels" if self.against == "labels" else f"--answer is {self.answer}"
            raise ConfigError(f"{other}, so the teacher {self.teacher} would not be asked. Leave one out.")


def certification_texts(
    folder: Path, manifest: Manifest, graph: str, file: JudgedFile, promise: Promise
) -> CertificationTexts:
    """Read the texts of a file with their judge's answers.

    Args:
        folder: What `lmdistill export` wrote.
        manifest: What it holds.
        graph: The graph that is certified.
        file: The file and the judge.
        promise: What is to be promised, which needs a number of texts.

    Raises:
        DataError: The file, a column or a row cannot be used, texts have trained or chosen the student, or
            there are too few.
        MismatchError: The teacher has other labels than the student.
        ModelError: The hashes of the folder have changed, or the teacher cannot be loaded.
    """
    model = exported_text_model(folder, graph)
    rows = rows_for(file.path, model)
    judged = {*TEACHER_COLUMNS, *model.not_text, *([] if file.answer is None else [file.answer])}
    model = replace(model, not_text=tuple(judged - {*model.columns}))
    table = text_table(rows, model, file.text)
    numbers = [row.number for row in rows.read()]
    if not numbers:
        raise DataError(f"{file.path} has no rows. Name a file with texts.")
    first, *others = map(list, zip(*table.all_texts(), strict=True))
    columns = (
        answer_columns_of(rows, manifest, file.against, file.answer, table.columns)
        if file.teacher is None
        else ()
    )
    judge = answers_in_file(rows, manifest, columns) if columns else None
    known = _known(folder, manifest)
    kept = _unseen_rows(first, others[0] if others else None, known, rows.location, numbers, file)
    _require_enough(len(kept), file.path, promise)
    first, second = _chosen(first, kept), _chosen(others[0], kept) if others else None
    if judge is None:
        assert file.teacher is not None
        judge = answers_of_teacher(file.teacher, manifest, first, second)
    else:
        judge = judge[kept]
    return CertificationTexts(
        first=first,
        second=second,
        judge=judge,
        unseen="train" in known,
        may_be_own=columns == TEACHER_COLUMNS[1:],
    )


def _require_enough(texts: int, path: Path, promise: Promise) -> None:
    """Check that a promise can be made of this many texts."""
    fewest = fewest_texts(promise)
    if texts < fewest:
        raise DataError(
            f"{path} has {texts} texts to certify on, and a promise of {promise.agreement:g} with confidence "
            f"{promise.confidence:g} needs at least {fewest}. Add texts (five times as many find a lower "
            "threshold), or promise less."
        )


def _known(folder: Path, manifest: Manifest) -> Hashes:
    """Hashes of the texts that the student has seen; says so if those of its training are not known."""
    if TEXT_HASHES in manifest.checksums:
        require_unchanged(manifest, folder, TEXT_HASHES)
    known = read_text_hashes(folder) or {}
    if "train" not in known:
        log.warning(
            "cannot check whether the student knows these texts: %s holds no hashes of its training texts. "
            "Make sure that it does not, or export a newer run.",
            folder,
        )
    return known


def _unseen_rows(
    first: list[str],
    second: list[str] | None,
    known: Hashes,
    location_of: Callable[[int], str],
    numbers: Sequence[int],
    file: JudgedFile,
) -> Int[np.ndarray, " k"]:
    """Numbers of the texts that the student has not seen, from 0.

    Raises:
        DataError: It has seen some, and they are not to be left out.
    """
    hashes = hashes_of(first, [""] * len(first) if second is None else second)
    repeats = len(hashes) - len(np.unique(hashes))
    if repeats:
        log.warning(
            "%d of the %d texts of %s repeat an earlier one. They count as they are, which is right only if "
            "the texts are drawn like those of production.",
            repeats,
            len(hashes),
            file.path,
        )
    seen_as = {name: np.isin(hashes, group) for name, group in known.items()}
    seen = np.any([np.zeros(len(hashes), dtype=bool), *seen_as.values()], axis=0)
    if seen.any() and not file.drop_seen:
        row = int(seen.argmax())
        use = next(USES.get(name, name) for name, members in seen_as.items() if members[row])
        raise DataError(
            f"{location_of(numbers[row])}: the student has seen this text, among {use}; so it has "
            f"{seen.sum()} of the {len(seen)} texts, on which it is better than on new ones. Use texts that "
            "trained and chose nothing, or leave these out with --drop-seen."
        )
    if seen.any():
        log.info("%d of the %d texts are left out: the student has seen them", seen.sum(), len(seen))
    return np.flatnonzero(~seen)


def _chosen(texts: list[str], rows: Int[np.ndarray, " k"]) -> list[str]:
    """The texts with these numbers."""
    return [texts[row] for row in rows]
