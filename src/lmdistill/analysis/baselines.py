"""Which row of a table each other one is tested against."""

from collections.abc import Hashable, Mapping, Sequence

from lmdistill.analysis.grouping import asked_data, grouped, student_size
from lmdistill.records.record import RecordedRun

BASELINE_NAMES, BASELINE_METHODS = ("FT", "SFT"), ("finetune", "sft")

Named = tuple[str, Sequence[RecordedRun]]
"""The label of a row, and its runs."""


def baselines(rows: Sequence[Named], wanted: str | None) -> Mapping[str, str | None]:
    """The label of each row's baseline, by the label of the row; a baseline is its own.

    It is the fine-tuned row of the same size and amount of data, since neither a smaller network nor fewer
    examples shall be taken for a worse method. Where these have none, it is that of the table, and the table
    says so.

    Args:
        rows: Students of one table.
        wanted: The baseline of all of them, if there is such a row.
    """
    if wanted in {label for label, _ in rows}:
        return {label: wanted for label, _ in rows}
    blocks = grouped(rows, lambda row: block_of(row[1][0]))
    found = {label: _tuned(block) or _tuned(rows) for block in blocks.values() for label, _ in block}
    return {label: found[label] for label, _ in rows}


def block_of(run: RecordedRun) -> Hashable:
    """Equal for students of one size and one amount of data."""
    return student_size(run.record), str(asked_data(run))


def _tuned(rows: Sequence[Named]) -> str | None:
    """The one called FT, else the first that was only fine-tuned, on original data if there is such a one."""
    labels = [label for label, _ in rows]
    for name in BASELINE_NAMES:
        if name in labels:
            return name
    tuned = [
        (_has_new_rows(runs[0]), place, label)
        for place, (label, runs) in enumerate(rows)
        if runs[0].record.method.get("name") in BASELINE_METHODS
    ]
    return min(tuned)[2] if tuned else None


def _has_new_rows(run: RecordedRun) -> bool:
    """Whether the training data were augmented."""
    data = run.record.recipe.get("data")
    return isinstance(data, dict) and data.get("augmentation") is not None
