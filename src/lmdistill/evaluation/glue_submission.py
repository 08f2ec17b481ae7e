"""The zip of TSV files that the GLUE test server takes."""

import logging
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from jaxtyping import Num

from lmdistill.core.atomic_io import atomic_file
from lmdistill.core.errors import DataError, MismatchError, UnknownNameError

logger = logging.getLogger("lmdistill")

SCORE_RANGE = (0.0, 5.0)
"""Lowest and highest similarity of STS-B."""

_DIGITS = ("0", "1")
_TWO = ("entailment", "not_entailment")
_THREE = ("entailment", "neutral", "contradiction")


@dataclass(frozen=True, kw_only=True)
class TestFile:
    """One file of the zip."""

    __test__ = False  # not a test, whatever pytest makes of the name

    name: str
    """File name without .tsv, as the server spells it."""

    rows: int
    """Rows of the official test set."""

    answers: tuple[str, ...]
    """What to write for each class, in the official order of classes; () for scores."""


TEST_FILES: Mapping[str, TestFile] = MappingProxyType(
    {
        "cola": TestFile(name="CoLA", rows=1063, answers=_DIGITS),
        "sst2": TestFile(name="SST-2", rows=1821, answers=_DIGITS),
        "mrpc": TestFile(name="MRPC", rows=1725, answers=_DIGITS),
        "stsb": TestFile(name="STS-B", rows=1379, answers=()),
        "mnli_matched": TestFile(name="MNLI-m", rows=9796, answers=_THREE),
        "mnli_mismatched": TestFile(name="MNLI-mm", rows=9847, answers=_THREE),
        "qnli": TestFile(name="QNLI", rows=5463, answers=_TWO),
        "qqp": TestFile(name="QQP", rows=390965, answers=_DIGITS),
        "rte": TestFile(name="RTE", rows=3000, answers=_TWO),
        "wnli": TestFile(name="WNLI", rows=146, answers=_DIGITS),
        "ax": TestFile(name="AX", rows=1104, answers=_THREE),
    }
)
"""Task (and which half, for MNLI) to its file; the server wants all eleven."""


def write_submission(
    zip_path: Path, predictions: Mapping[str, Num[np.ndarray, " _"]], *, fill: bool = False
) -> tuple[str, ...]:
    """Write the zip and say which files are fillers.

    Each file is `index<TAB>prediction` with indices from 0. CoLA, SST-2, MRPC, QQP and WNLI get 0 or 1; MNLI,
    QNLI, RTE and AX get names; STS-B gets a score with three decimals, cut to [0, 5].
    The same predictions give the same bytes.

    Args:
        zip_path: Where to write; the whole file or nothing. An older one is replaced, and that is logged.
        predictions: Key of TEST_FILES to class numbers in the official order of classes, or to scores for
            stsb; in the order of the official test file, every row of it.
        fill: The server refuses a zip with fewer than eleven files. If True, the missing ones are written
            with the first class (or 0.000) in every row, as is the custom, and this is logged: the server's
            figures for those tasks, and its average, then mean nothing.

    Returns:
        Keys that were filled, in the order of TEST_FILES; () if none.

    Raises:
        UnknownNameError: A key is not in TEST_FILES.
        MismatchError: Tasks are missing and `fill` is False.
        DataError: The wrong number of rows, a class that does not exist, or a score that is not finite.
    """
    for key, values in predictions.items():
        if key not in TEST_FILES:
            raise UnknownNameError("GLUE test file", key, TEST_FILES)
        _check(key, TEST_FILES[key], values)
    missing = tuple(key for key in TEST_FILES if key not in predictions)
    if missing and not fill:
        raise MismatchError(
            f"the GLUE server wants {len(TEST_FILES)} files, there are predictions for {len(predictions)}, "
            f"missing: {', '.join(missing)}. Predict them, or pass fill=True for constant answers."
        )
    if zip_path.exists():
        logger.warning("replacing %s", zip_path)
    with atomic_file(zip_path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, file in TEST_FILES.items():
            values = predictions[key] if key in predictions else np.zeros(file.rows, dtype=np.int64)
            entry = zipfile.ZipInfo(f"{file.name}.tsv")  # dated 1980: no clock in the bytes
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, "".join(_lines(file, values)))
    if missing:
        logger.warning("filled with constant answers, so not results: %s", ", ".join(missing))
    return missing


def _check(key: str, file: TestFile, values: Num[np.ndarray, " _"]) -> None:
    """Refuse what the server would refuse, or worse, take."""
    if len(values) != file.rows:
        raise DataError(
            f"{key} has {len(values)} predictions and its official test set {file.rows} rows; "
            "predict every row of it."
        )
    if not file.answers:
        if not np.isfinite(values).all():
            raise DataError(
                f"{key} has {int((~np.isfinite(values)).sum())} scores that are not finite; check the model."
            )
        return
    if values.dtype.kind not in "iu":
        raise DataError(
            f"{key} wants class numbers (integers), got {values.dtype}; take the argmax of the logits."
        )
    bad = (values < 0) | (values >= len(file.answers))
    if bad.any():
        raise DataError(
            f"{key} has classes 0 to {len(file.answers) - 1}, got {values[bad][0]} row {int(bad.argmax())}; "
            "use a model of this task."
        )


def _lines(file: TestFile, values: Num[np.ndarray, " _"]) -> Iterator[str]:
    """Header and rows."""
    yield "index\tprediction\n"
    if file.answers:
        yield from (f"{index}\t{file.answers[value]}\n" for index, value in enumerate(values.tolist()))
    else:
        yield from (
            f"{index}\t{value:.3f}\n" for index, value in enumerate(np.clip(values, *SCORE_RANGE).tolist())
        )
