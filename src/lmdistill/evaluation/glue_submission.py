"""The zip archive of TSV files that the GLUE test server accepts."""

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
"""Range of the similarity scores of STS-B."""

_DIGITS = ("0", "1")
_TWO = ("entailment", "not_entailment")
_THREE = ("entailment", "neutral", "contradiction")


@dataclass(frozen=True, kw_only=True)
class TestFile:
    """One TSV file of the archive."""

    __test__ = False  # the class name starts with "Test", but pytest must not collect it

    name: str
    """File name without .tsv, as the server requires it."""

    rows: int
    """Number of rows in the official test set."""

    answers: tuple[str, ...]
    """Text written for each class, in the official order of classes; empty for a regression."""


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
"""File of each task, with two for MNLI; the server requires all eleven."""


def write_submission(
    zip_path: Path, predictions: Mapping[str, Num[np.ndarray, " _"]], *, fill: bool = False
) -> tuple[str, ...]:
    """Write predictions as an archive for the GLUE test server.

    Each file has lines of `index<TAB>prediction` with indices from 0. The predictions of CoLA, SST-2, MRPC,
    QQP and WNLI are 0 or 1, those of MNLI, QNLI, RTE and AX are class names, and those of STS-B are scores
    with three decimals, clipped to [0, 5]. The same predictions give the same bytes.

    Args:
        zip_path: Path of the archive, which is written atomically. An existing file is replaced with a
            warning.
        predictions: For keys of TEST_FILES, class numbers in the official order of classes (scores for stsb),
            for every row of the official test file and in its order.
        fill: The server rejects archives with fewer than eleven files. If true, missing files are written
            with the first class (or 0.000) in every row, as is common, and a warning is logged: the results
            of the server for these tasks, and its average, are then meaningless.

    Returns:
        Keys of the files that were filled, in the order of TEST_FILES.

    Raises:
        UnknownNameError: A key is not in TEST_FILES.
        MismatchError: Tasks are missing and `fill` is false.
        DataError: The number of rows is wrong, a class does not exist, or a score is not finite.
    """
    for key, values in predictions.items():
        if key not in TEST_FILES:
            raise UnknownNameError("GLUE test file", key, TEST_FILES)
        _check(key, TEST_FILES[key], values)
    missing = tuple(key for key in TEST_FILES if key not in predictions)
    if missing and not fill:
        raise MismatchError(
            f"the GLUE server needs {len(TEST_FILES)} files, there are predictions for {len(predictions)}, "
            f"missing: {', '.join(missing)}. Predict them, or pass fill=True for constant answers."
        )
    if zip_path.exists():
        logger.warning("replacing %s", zip_path)
    with atomic_file(zip_path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, file in TEST_FILES.items():
            values = predictions[key] if key in predictions else np.zeros(file.rows, dtype=np.int64)
            entry = zipfile.ZipInfo(f"{file.name}.tsv")  # dated 1980, so that the bytes are reproducible
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, "".join(_lines(file, values)))
    if missing:
        logger.warning("filled with constant answers, so not results: %s", ", ".join(missing))
    return missing


def _check(key: str, file: TestFile, values: Num[np.ndarray, " _"]) -> None:
    """Check the number, the type and the range of the predictions of one file."""
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
            f"{key} needs class numbers (integers), got {values.dtype}; take the argmax of the logits."
        )
    bad = (values < 0) | (values >= len(file.answers))
    if bad.any():
        raise DataError(
            f"{key} has classes 0 to {len(file.answers) - 1}, got {values[bad][0]} in row "
            f"{int(bad.argmax())}; use a model of this task."
        )


def _lines(file: TestFile, values: Num[np.ndarray, " _"]) -> Iterator[str]:
    """Lines of a TSV file: the header, then one line per prediction."""
    yield "index\tprediction\n"
    if file.answers:
        yield from (f"{index}\t{file.answers[value]}\n" for index, value in enumerate(values.tolist()))
    else:
        yield from (
            f"{index}\t{value:.3f}\n" for index, value in enumerate(np.clip(values, *SCORE_RANGE).tolist())
        )
