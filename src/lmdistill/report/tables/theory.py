"""MixKD's theorems beside a run: what it learned from, what the bound is, and how loose it is."""

import re
from dataclasses import dataclass
from decimal import Decimal

from lmdistill.analysis.generalization_bounds import Mixture
from lmdistill.core.errors import ConfigError, RunError
from lmdistill.records.record import Record
from lmdistill.report.grid import Grid

ADDED = re.compile(r"(\d+) training rows added by ")
"""How the notes of a task tell augmented rows from original ones."""

NO_NUMBER = "no number"


@dataclass(frozen=True, kw_only=True)
class RunSamples:
    """What a finished run has to say about the symbols of the theorems."""

    original: int
    """a: training rows without augmented ones."""

    mixed: int
    """b: augmented rows, and mixed samples drawn over all passes."""

    parameters: int
    """Of the student, embeddings included."""

    loss: str
    """Which loss the gap is of."""

    gap: float | None
    """Mean loss on dev less mean loss on training rows; None where the record cannot say."""

    is_most: bool = False
    """Whether the gap is only the most that it can be: the record has no error on training rows."""


def run_samples(record: Record, *, clipped: bool) -> RunSamples:
    """The numbers of a run.

    Args:
        record: Of a classifier, or of a network that predicts scores.
        clipped: Whether the bound is of the loss that was trained, clipped; else it is of the 0/1 loss. The
            gap of a clipped loss is not recorded, so it is shown without clipping.

    Raises:
        RunError: If the run learned to write text.
        ConfigError: If it predicts scores and the loss is not clipped.
    """
    task = record.task
    if task.kind == "language":
        raise RunError(
            f"the run {record.name} learned to write text, and the tokens of a text are not independent "
            "samples. Name a run of a classifier."
        )
    if task.kind == "regression" and not clipped:
        raise ConfigError(
            f"the run {record.name} predicts scores, and their squared error has no largest value. "
            "Give --bound, the value that it is clipped at."
        )
    rows, method = task.rows["train"], record.method
    added = sum(int(found[1]) for note in task.notes if (found := ADDED.match(note)))
    is_mixing = method["name"] == "mixkd" and (method.get("alpha_sm", 1) or method.get("alpha_tmkd", 1))
    drawn = round(record.training.epochs * rows) * int(method.get("ratio", 1)) if is_mixing else 0
    name = "squared error" if task.kind == "regression" else "cross-entropy"
    gap, is_most = (record.risk.gap if record.risk else None, False) if clipped else _error_gap(record)
    return RunSamples(
        original=rows - added,
        mixed=added + drawn,
        parameters=record.student.parameters.total,
        loss=f"{name}, not clipped" if clipped else "0/1 loss",
        gap=gap,
        is_most=is_most,
    )


def _error_gap(record: Record) -> tuple[float | None, bool]:
    """The gap of the share of wrong answers, and whether it is only the most that it can be."""
    risk = record.risk
    if risk is not None and risk.dev_error is not None and risk.train_error is not None:
        return risk.dev_error - risk.train_error, False
    accuracy = record.metrics[record.headline[0]].get("accuracy")
    return (None, False) if accuracy is None else (1 - accuracy, True)


def number_text(value: float | int) -> str:
    """Whole numbers in groups of three digits, others with four digits; what is huge as a power of ten.

    Examples:
        >>> number_text(20205), number_text(0.123456), number_text(10**400)
        ('20,205', '0.1235', '1.00e+400')
    """
    if abs(value) >= 1e15:
        return f"{Decimal(value):.3g}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def theory_grid(mixture: Mixture, run: RunSamples | None = None) -> Grid:
    """Every symbol with its value, the bounds, and what is enough; beside a run, its own gap too."""
    bound, enough = mixture.bound, mixture.enough
    rows: list[tuple[str, str, float | int | str | None]] = [
        ("bound of the loss", "M", bound.loss_bound),
        ("size of the class, in nats", "log |G|", bound.log_size),
        ("Rademacher complexity", "R", bound.rademacher),
        ("confidence", "1 - δ", bound.confidence),
        ("original samples", "a", mixture.original),
        ("mixed samples", "b", mixture.mixed),
        ("shift of the mixed samples", "Δ", mixture.shift),
        ("bound without mixed samples", "ε_p", mixture.gap_without),
    ]
    if mixture.mixed:
        rows += [
            ("bound with them", "ε", mixture.gap_with),
            ("bound if each depends on its original", "", mixture.gap_dependent),
        ]
    rows += [
        ("target gap", "", mixture.target),
        (
            "mixed samples that are enough",
            "b =" if enough == 0 else "b ≥",
            NO_NUMBER if enough is None else enough,
        ),
    ]
    if run is not None:
        rows.append((f"measured gap, {run.loss}", "≤" if run.is_most else "", run.gap))
    return Grid(
        caption="MixKD's theorems: bounds of the generalisation gap",
        header=("", "symbol", "value"),
        rows=tuple(
            (what, symbol, value if isinstance(value, str) else number_text(value))
            for what, symbol, value in rows
            if value is not None
        ),
        notes=_notes(mixture, run),
        alarms=(),
    )


def _notes(mixture: Mixture, run: RunSamples | None) -> tuple[str, ...]:
    """What a reader needs to read the numbers."""
    notes = ["A bound holds for every network of the class at once, the worst one too: it is loose."]
    if mixture.mixed:
        notes.append("ε takes mixed samples as independent; the line below it takes groups of them as such.")
    if run is not None and run.mixed:
        notes.append("b counts what was mixed in all passes over the same originals, and augmented rows.")
    if run is not None and run.is_most:
        notes.append("The record has no error on training rows; the gap is at most the error on dev.")
    return tuple(notes)


def verdict(mixture: Mixture, run: RunSamples | None = None) -> tuple[str, ...]:
    """Sentences: what is enough, and how loose the bound is beside the run's own gap.

    Examples:
        >>> from lmdistill.analysis.generalization_bounds import Bound
        >>> verdict(Mixture(bound=Bound(log_size=8.0), original=500, shift=0.2, target=0.1))[0]
        'No number of mixed samples is enough: the shift of 0.2 alone is not below 0.1.'
    """
    return (_enough_text(mixture), *_loose_text(mixture, run))


def _enough_text(mixture: Mixture) -> str:
    """How many mixed samples bring the bound to the goal."""
    goal, enough = number_text(mixture.goal), mixture.enough
    whose = "" if mixture.target is not None else ", the bound without them"
    if enough is None:
        rest = f" and 2 R = {number_text(mixture.bound.floor)} are" if mixture.bound.floor else " alone is"
        shift = f"the shift of {number_text(mixture.shift)}{rest} not below {goal}"
        return f"No number of mixed samples is enough: {shift}."
    if enough == 0:
        alone = whose or f": it is {number_text(mixture.gap_without)} without them"
        return f"No mixed samples are needed for a bound of {goal}{alone}."
    return f"{number_text(enough)} mixed samples are enough for a bound of {goal}{whose}."


def _loose_text(mixture: Mixture, run: RunSamples | None) -> list[str]:
    """How far the bound is from the gap that was measured, and whether it says anything."""
    bound = mixture.gap_with if mixture.mixed else mixture.gap_without
    largest = number_text(mixture.bound.loss_bound)
    is_empty = bound >= mixture.bound.loss_bound
    if run is None or run.gap is None:
        return [f"The bound is not below {largest}, the largest loss: it says nothing."] if is_empty else []
    least = "at least " if run.is_most else ""
    found = f"at most {number_text(run.gap)}" if run.is_most else number_text(run.gap)
    text = f"The bound is {number_text(bound)} and the measured gap {found}"
    if run.gap > 0:
        text += f": the bound is {least}{number_text(bound / run.gap)} times as large"
    rest = f"; not being below {largest}, the largest loss, it says nothing" if is_empty else ""
    return [f"{text}{rest}."]
