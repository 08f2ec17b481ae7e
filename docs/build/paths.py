"""Where results and measurements lie, and the records of a folder."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from lmdistill.analysis.compare import compare
from lmdistill.analysis.result_table import Comparison
from lmdistill.records.record import RECORD, RecordedRun, find_records
from lmdistill.studies.row_order import row_order

REPO = Path(__file__).parents[2]
RESULTS = REPO / "results"
MEASURED = REPO / "benchmarks" / "results.csv"
CLAIMS = REPO / "docs" / "claims.yaml"
FIGURES = REPO / "docs" / "figures"
TABLES = REPO / "docs" / "tables"
NOTHING = "No run is recorded yet; `results/` is empty.\n"
LATER = "Not measured yet.\n"

METHODS = ("FT", "SFT", "direct", "KD", "PKD", "SeqKD", "TMKD", "SM+TMKD", "MixKD", "MaxiDisc", "MiniDisc")
"""The order of rows where no recipe tells it; others follow."""


def runs_of(name: str) -> Sequence[RecordedRun]:
    """The runs below one folder of records; none where it is missing or empty."""
    folder = RESULTS / name
    files = ((path, path.stat()) for path in sorted(folder.rglob(RECORD)))
    return _read(folder, tuple((path, state.st_mtime_ns, state.st_size) for path, state in files))


@lru_cache(maxsize=64)
def _read(folder: Path, records: tuple[tuple[Path, int, int], ...]) -> Sequence[RecordedRun]:
    """What `runs_of` gives; kept until a file changes, since pages look at each folder dozens of times."""
    return find_records([folder]) if records else ()


def order_of(name: str, runs: Sequence[RecordedRun]) -> tuple[str, ...]:
    """Labels in the order of the study or recipe in the folder, else of `METHODS`, without new rows first."""
    known = row_order([RESULTS / name])
    if known:
        return known

    def rank(label: str) -> tuple[bool, int]:
        """Rows on original data first, then by the method."""
        parts = label.split()
        new = any(part.startswith("augmentation=") and part != "augmentation=none" for part in parts)
        return new, METHODS.index(parts[0]) if parts[0] in METHODS else len(METHODS)

    return tuple(sorted(dict.fromkeys(run.record.name for run in runs), key=rank))


def tables_of(name: str) -> tuple[Comparison, ...]:
    """The comparison of the runs below a folder of records."""
    runs = runs_of(name)
    return compare(runs, order=order_of(name, runs)) if runs else ()
