"""`predictions.parquet`: the predictions of all runs in a folder, in one file.

A run writes `predictions.jsonl`. In `results/`, where the repository keeps many runs, one Parquet file in the
folder above the runs replaces them. The networks of one study share a teacher, whose answers are then stored
almost once. Columns: `run` (name of the run's folder), `example`, `split`, `label`, `tokens`, `student`,
`teacher`, and `labels` where an example may have several. Those of the networks are lists of numbers; null is
a number that was not finite.
"""

import math
import typing
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from lmdistill.core.atomic_io import atomic_file
from lmdistill.core.errors import RunError
from lmdistill.records.predictions import Prediction

if typing.TYPE_CHECKING:
    import pyarrow as pa

PARQUET = "predictions.parquet"

DECIMALS = 6
"""Digits after the point of numbers that are stored as decimals: runs round their logits to as many."""

DIGITS = 18
"""Digits of such a number: what fits into 64 bits."""

ZSTD_LEVEL = 19
"""The files are written once, so the slowest of zstd's usual levels is affordable."""

Answers = tuple[float, ...] | None


def write_parquet(path: Path, runs: Mapping[str, Sequence[Prediction]]) -> None:
    """Write the predictions of several runs into one file, the whole file or nothing.

    Numbers are stored as decimals with 6 digits after the point if that loses nothing, else as 64-bit floats.
    Both read back as the same floats, bit for bit.

    Args:
        path: The file.
        runs: Predictions by the name of the run's folder.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [one for predictions in runs.values() for one in predictions]
    table = pa.table(
        {
            "run": pa.array([name for name, some in runs.items() for _ in some], pa.string()),
            "example": pa.array([one.example for one in rows], pa.int64()),
            "split": pa.array([one.split for one in rows], pa.string()),
            "label": pa.array([float(one.label) for one in rows], pa.float64()),
            "tokens": pa.array([one.tokens for one in rows], pa.int64()),
            **_several_labels(rows),
            "student": _column([one.student for one in rows]),
            "teacher": _column([one.teacher for one in rows]),
        }
    )
    networks = ("student", "teacher")
    with atomic_file(path) as part:
        pq.write_table(
            table,
            part,
            compression="zstd",
            compression_level=ZSTD_LEVEL,
            use_dictionary=["run", "split", "label", "tokens"],
            column_encoding={
                "example": "DELTA_BINARY_PACKED",
                **{f"{name}.list.element": "BYTE_STREAM_SPLIT" for name in networks},
            },
            row_group_size=max(1, len(rows)),
            write_statistics=False,
            write_page_checksum=True,
            store_schema=False,
        )


def read_parquet(path: Path, run: str | None = None) -> dict[str, list[Prediction]]:
    """What `write_parquet` wrote, by the name of the run's folder.

    Args:
        path: The file.
        run: The only run to read; None for all.

    Raises:
        RunError: If the file is damaged, or if it is not one that `write_parquet` has written.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        state = path.stat()
        table = _table(path, state.st_mtime_ns, state.st_size)
        if run is not None:
            table = table.filter(pc.equal(table["run"], run))
        found: dict[str, list[Prediction]] = {}
        for row in table.to_pylist():
            found.setdefault(row["run"], []).append(_prediction(row))
    except (pa.ArrowException, OSError, KeyError, TypeError) as error:
        said = str(error).partition("\n")[0][:120]
        raise RunError(f"{path} is damaged, or no file of predictions ({said}). Restore it.") from None
    return found


@lru_cache(maxsize=2)
def _table(path: Path, changed_ns: int, num_bytes: int) -> "pa.Table":
    """The whole file. It is kept for the next run of the same folder, until the file changes."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        return file.read()


def _prediction(row: Mapping[str, typing.Any]) -> Prediction:
    """One row of the table as an object."""
    return Prediction(
        example=row["example"],
        split=row["split"],
        label=row["label"],
        student=_answers(row["student"]) or (),
        teacher=_answers(row["teacher"]),
        tokens=row["tokens"],
        labels=None if row.get("labels") is None else tuple(row["labels"]),
    )


def _several_labels(rows: Sequence[Prediction]) -> "dict[str, pa.Array]":
    """The column of label numbers, if an example may have several."""
    import pyarrow as pa

    if all(one.labels is None for one in rows):
        return {}
    return {"labels": pa.array([one.labels for one in rows], pa.list_(pa.int64()))}


def _answers(values: Iterable[Decimal | float | None] | None) -> Answers:
    """Numbers of one network; NaN for null. The float next to a decimal is the one that JSON reads, too."""
    return None if values is None else tuple(math.nan if x is None else float(x) for x in values)


def _column(answers: Sequence[Answers]) -> "pa.Array":
    """Numbers of one network for all examples, as decimals if that loses nothing."""
    import pyarrow as pa

    given = [None if some is None else [x if math.isfinite(x) else None for x in some] for some in answers]
    if not all(_is_decimal(x) for some in given if some is not None for x in some if x is not None):
        return pa.array(given, pa.list_(pa.float64()))
    exact = [None if some is None else list(map(_decimal, some)) for some in given]
    return pa.array(exact, pa.list_(pa.decimal128(DIGITS, DECIMALS)))


def _decimal(value: float | None) -> Decimal | None:
    """The shortest decimal that reads as the number."""
    return None if value is None else Decimal(repr(float(value)))


def _is_decimal(value: float) -> bool:
    """Whether a decimal can stand for the number: few digits, and not the zero with a minus sign."""
    exact = Decimal(repr(float(value)))
    exponent = exact.as_tuple().exponent
    return (
        isinstance(exponent, int)
        and exponent >= -DECIMALS
        and abs(value) < 10 ** (DIGITS - DECIMALS)
        and not (value == 0 and math.copysign(1, value) < 0)
    )
