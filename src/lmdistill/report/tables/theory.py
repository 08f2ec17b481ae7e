"""MixKD's generalisation bounds as a table, compared with the measured gap of a run."""

import re
from dataclasses import dataclass
from decimal import Decimal

from lmdistill.analysis.generalization_bounds import Mixture
from lmdistill.core.errors import ConfigError, RunError
from lmdistill.records.record import Record
from lmdistill.report.grid import Grid

ADDED = re.compile(r"(\d+) training rows added by ")
"""Pattern of the notes of a task that count augmented rows."""

NO_NUMBER = "no number suffices"
"""Text for a bound that no number of mixed samples reaches."""


@dataclass(frozen=True, kw_only=True)
class RunSamples:
    """The symbols of the theorems for a finished run."""

    original: int
    """a: number of training rows without augmented ones."""

    mixed: int
    """b: number of augmented rows plus number of mixed samples over all epochs."""

    parameters: int
    """Number of parameters of the student, including embeddings."""

    loss: str
    """Name of the loss whose gap is measured."""

    gap: float | None
    """Mean loss on dev minus mean loss on training rows; None if it was not recorded."""

    is_most: bool = False
    """Whether the gap is an upper limit, because the record has no error on training rows."""


def run_samples(record: Record, *, clipped: bool) -> RunSamples:
    """The symbols of the theorems for a run.

    Args:
        record: Record of a classification or regression run.
        clipped: Whether the bound is for the clipped training loss; else it is for the 0/1 loss. The gap of a
            clipped loss is not recorded, so the gap of the loss without clipping is used.

    Raises:
        RunError: If the run trained a language model.
        ConfigError: If it is a regression run and the loss is not clipped.
    """
    task = record.task
    if task.kind == "language":
        raise RunError(
            f"the run {record.name} trained a language model, and the tokens of a text are not independent "
            "samples. Name a run of a classifier."
        )
    if task.kind == "regression" and not clipped:
        raise ConfigError(
            f"the run {record.name} predicts scores, and their squared error is not bounded. Set --bound to "
            "the value at which the loss is clipped."
        )
    rows, method = task.rows["train"], record.method
    augmented = sum(int(match[1]) for note in task.notes if (match := ADDED.match(note)))
    is_mixing = method["name"] == "mixkd" and (method.get("alpha_sm", 1) or method.get("alpha_tmkd", 1))
    interpolated = round(record.training.epochs * rows) * int(method.get("ratio", 1)) if is_mixing else 0
    name = "squared error" if task.kind == "regression" else "cross-entropy"
    gap, is_most = (record.risk.gap if record.risk else None, False) if clipped else _error_gap(record)
    return RunSamples(
        original=rows - augmented,
        mixed=augmented + interpolated,
        parameters=record.student.parameters.total,
        loss=f"{name}, not clipped" if clipped else "0/1 loss",
        gap=gap,
        is_most=is_most,
    )


def _error_gap(record: Record) -> tuple[float | None, bool]:
    """The gap of the error rate, and whether it is only an upper limit."""
    risk = record.risk
    if risk is not None and risk.dev_error is not None and risk.train_error is not None:
        return risk.dev_error - risk.train_error, False
    accuracy = record.metrics[record.headline[0]].get("accuracy")
    return (None, False) if accuracy is None else (1 - accuracy, True)


def number_text(value: float | int) -> str:
    """A number with four significant digits, with thousands separators from 1,000, as a power from 10^15.

    Examples:
        >>> number_text(20205), number_text(0.123456), number_text(10**400)
        ('20,205', '0.1235', '1.00e+400')
    """
    if abs(value) >= 1e15:
        return f"{Decimal(value):.3g}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def theory_grid(mixture: Mixture, run: RunSamples | None = None) -> Grid:
    """A table of all symbols, the bounds and the number of mixed samples needed.

    Args:
        mixture: Numbers of samples, and the settings of the bound.
        run: A run whose measured gap is added as the last row.
    """
    bound, enough = mixture.bound, mixture.enough
    rows: list[tuple[str, str, float | int | str | None]] = [
        ("largest loss", "M", bound.loss_bound),
        ("log size of the class, in nats", "log |G|", bound.log_size),
        ("Rademacher complexity", "R", bound.rademacher),
        ("Lipschitz constant of the loss", "L", None if bound.lipschitz == 1 else bound.lipschitz),
        ("confidence", "1 - δ", bound.confidence),
        ("original samples", "a", mixture.original),
        ("mixed samples", "b", mixture.mixed),
        ("shift of the mixed samples", "Δ", mixture.shift),
        ("bound without mixed samples", "ε_p", mixture.gap_without),
    ]
    if mixture.mixed:
        rows += [
            ("bound with mixed samples", "ε", mixture.gap_with),
            ("bound if each mixed sample depends on its original", "", mixture.gap_dependent),
        ]
    rows += [
        ("target gap", "", mixture.target),
        (
            "mixed samples needed",
            "b =" if enough == 0 else "b ≥",
            NO_NUMBER if enough is None else enough,
        ),
    ]
    if run is not None:
        rows.append((f"measured gap, {run.loss}", "≤" if run.is_most else "", run.gap))
    return Grid(
        caption="MixKD's theorems: bounds on the generalisation gap",
        header=("", "symbol", "value"),
        rows=tuple(
            (title, symbol, value if isinstance(value, str) else number_text(value))
            for title, symbol, value in rows
            if value is not None
        ),
        notes=_notes(mixture, run),
        alarms=(),
    )


def _notes(mixture: Mixture, run: RunSamples | None) -> tuple[str, ...]:
    """Notes on the assumptions of the bounds and on the numbers of the run."""
    notes = ["A bound holds for all networks of the class at once, including the worst one, so it is loose."]
    if mixture.mixed:
        notes.append(
            "ε treats mixed samples as independent. The line below it treats an original and its mixed "
            "samples as one group, and only groups as independent."
        )
    if run is not None and run.mixed:
        notes.append("b: mixed samples of all epochs over the same originals, plus augmented rows.")
    if run is not None and run.is_most:
        notes.append("The record has no error on training rows, so the gap is at most the error on dev.")
    return tuple(notes)


def verdict(mixture: Mixture, run: RunSamples | None = None) -> tuple[str, ...]:
    """Sentences on the number of mixed samples needed, and on the bound compared with the run's gap.

    Examples:
        >>> from lmdistill.analysis.generalization_bounds import Bound
        >>> verdict(Mixture(bound=Bound(log_size=8.0), original=500, shift=0.2, target=0.1))[0]
        'No number of mixed samples is enough: the shift of 0.2 alone is not below 0.1.'
    """
    return (_enough_text(mixture), *_loose_text(mixture, run))


def _enough_text(mixture: Mixture) -> str:
    """A sentence on the number of mixed samples needed for the wanted bound."""
    goal, enough = number_text(mixture.goal), mixture.enough
    default_goal = "" if mixture.target is not None else ", the bound without them"
    if enough is None:
        name = "2 R" if mixture.bound.lipschitz == 1 else "2 L R"
        terms = (
            f" and {name} = {number_text(mixture.bound.floor)} are" if mixture.bound.floor else " alone is"
        )
        reason = f"the shift of {number_text(mixture.shift)}{terms} not below {goal}"
        return f"No number of mixed samples is enough: {reason}."
    if enough == 0:
        without_mixed = default_goal or f": it is {number_text(mixture.gap_without)} without them"
        return f"No mixed samples are needed for a bound of {goal}{without_mixed}."
    return f"{number_text(enough)} mixed samples are enough for a bound of {goal}{default_goal}."


def _loose_text(mixture: Mixture, run: RunSamples | None) -> list[str]:
    """A sentence on the ratio of bound and measured gap, and on whether the bound is vacuous."""
    bound = mixture.gap_with if mixture.mixed else mixture.gap_without
    largest = number_text(mixture.bound.loss_bound)
    is_vacuous = bound >= mixture.bound.loss_bound
    vacuous = f"The bound is vacuous, because it is not below the largest loss, {largest}."
    if run is None or run.gap is None:
        return [vacuous] if is_vacuous else []
    at_least = "at least " if run.is_most else ""
    gap = f"at most {number_text(run.gap)}" if run.is_most else number_text(run.gap)
    text = f"The bound is {number_text(bound)} and the measured gap {gap}"
    if run.gap > 0:
        text += f": the bound is {at_least}{number_text(bound / run.gap)} times as large"
    return [f"{text}. {vacuous}" if is_vacuous else f"{text}."]
