"""The choice of the baseline that each row of a table is tested against."""

from collections.abc import Hashable, Mapping, Sequence

from lmdistill.analysis.grouping import asked_data, grouped, settings_of, student_size
from lmdistill.records.record import RecordedRun

BASELINE_NAMES, BASELINE_METHODS = ("FT", "SFT"), ("finetune", "sft")
"""Row labels that make a baseline, in order of precedence, and methods without distillation."""

Named = tuple[str, Sequence[RecordedRun]]
"""The label of a row and its runs."""


def baselines(rows: Sequence[Named], wanted: str | None) -> Mapping[str, str | None]:
    """The label of each row's baseline, by the label of the row; a baseline has its own label.

    The baseline is the fine-tuned row with the same size and amount of data, so that a comparison shows the
    effect of the method only; of several with one name, the one with the same training settings. If there is
    none, it is the fine-tuned row of the table, and a note below the table says so.

    Args:
        rows: Students of one table.
        wanted: Label of the baseline of all rows; without such a row, the rule above applies.

    Returns:
        None for a row without any fine-tuned row in the table.
    """
    if wanted in {label for label, _ in rows}:
        return {label: wanted for label, _ in rows}
    blocks = grouped(rows, lambda row: block_of(row[1][0]))
    by_label = {
        label: _tuned(block, runs[0]) or _tuned(rows, runs[0])
        for block in blocks.values()
        for label, runs in block
    }
    return {label: by_label[label] for label, _ in rows}


def block_of(run: RecordedRun) -> Hashable:
    """A key that is equal for students with the same size and amount of data."""
    return student_size(run.record), str(asked_data(run))


def _tuned(rows: Sequence[Named], like: RecordedRun) -> str | None:
    """The fine-tuned row of these; of rows of one name, the first that was trained as `like` was."""
    chosen = _first_tuned(rows)
    names = {label: runs[0].record.name for label, runs in rows}
    wanted = _training(like)
    alike = (
        label
        for label, runs in rows
        if names[label] == names.get(chosen or "") and runs[0].record.method.get("name") in BASELINE_METHODS
        if all(wanted.get(name, value) == value for name, value in _training(runs[0]).items())
    )
    return chosen if chosen is None else next(alike, chosen)


def _training(run: RecordedRun) -> dict[str, object]:
    """The training settings of a run's recipe."""
    return {name: value for name, value in settings_of(run.record).items() if name.startswith("training.")}


def _first_tuned(rows: Sequence[Named]) -> str | None:
    """The row called FT or SFT, else the first fine-tuned row, preferably one without augmented data."""
    labels = [label for label, _ in rows]
    for name in BASELINE_NAMES:
        if name in labels:
            return name
    tuned = [
        (_is_augmented(runs[0]), position, label)
        for position, (label, runs) in enumerate(rows)
        if runs[0].record.method.get("name") in BASELINE_METHODS
    ]
    return min(tuned)[2] if tuned else None


def _is_augmented(run: RecordedRun) -> bool:
    """Whether the recipe augments the training data."""
    data = run.record.recipe.get("data")
    return isinstance(data, dict) and data.get("augmentation") is not None
