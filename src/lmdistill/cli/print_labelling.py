"""Tables of plans, audits and results of `lmdistill label`, on stdout."""

import math

from rich.table import Table
from rich.text import Text

from lmdistill.cli.console import results, say
from lmdistill.commands.label import MOST_DOUBTFUL, Labelled
from lmdistill.commands.plan_labelling import Plan
from lmdistill.core.errors import RunError
from lmdistill.labelling.audit import CALIBRATION_ROWS, Audit, Share
from lmdistill.labelling.cost import Usage
from lmdistill.labelling.labelling_job import Labelling

NONE = "–"

MANY = 20
"""Answered rows from which on equal samples are worth a warning."""


def show_plan(plan: Plan, job: Labelling) -> None:
    """Print calls, tokens and cost of a labelling, as estimated and at most."""
    table = Table(show_edge=False)
    for title in ("probabilities from", "calls", "input tokens", "output tokens", "cost"):
        table.add_column(title, justify="left" if title == "probabilities from" else "right")
    for kind, usage in plan.usage.items():
        table.add_row(kind, *_cells(usage, job))
        table.add_row(f"{kind}, at most", *_cells(plan.largest[kind], job))
    results().print(table)
    say(
        f"{plan.rows} rows with {plan.texts} different texts; answers in the cache are not counted. "
        "Tokens are estimated as bytes / 4."
    )


def _cells(usage: Usage, job: Labelling) -> tuple[str, ...]:
    """Calls, tokens and cost of some usage."""
    cost = NONE if job.prices is None else f"{job.prices.cost(usage):.4g}"
    return f"{usage.calls:,}", f"{usage.input_tokens:,}", f"{usage.output_tokens:,}", cost


def show_audit(audit: Audit) -> None:
    """Print agreement, precision and recall of an audit with their intervals, then the verdict."""
    table = Table(show_edge=False)
    for title in ("label", "precision, %", "recall, %", "human labels", "teacher's labels"):
        table.add_column(title, justify="left" if title == "label" else "right")
    for one in audit.classes:
        table.add_row(
            Text(one.label),
            _interval(one.precision),
            _interval(one.recall),
            str(one.recall.total),
            str(one.precision.total),
        )
    results().print(table)
    names = [one.label for one in audit.classes]
    for name, row in zip(names, audit.confusion, strict=True):
        given = ", ".join(f"{count} {other}" for other, count in zip(names, row, strict=True) if count)
        say(f"people say {name}: the teacher says {given or 'nothing'}")
    say(f"agreement, %: {_interval(audit.agreement)} of {audit.agreement.total}; {audit.rejected} rejected")
    if audit.calibration_error is not None:
        say(f"calibration error, %: {100 * audit.calibration_error:.1f}")
    else:
        say(f"calibration error: not computed, since it needs {CALIBRATION_ROWS} answers")
    style = "" if audit.is_good_enough else "bold red"
    results().print(Text(audit.verdict, style=style), soft_wrap=True)


def _interval(share: Share) -> str:
    """A share in percent with its interval."""
    if math.isnan(share.value):
        return NONE
    return f"{100 * share.value:.1f} [{100 * share.low:.1f}, {100 * share.high:.1f}]"


def warnings_of(found: Labelled) -> list[str]:
    """What a user should know before training on the answers."""
    said = []
    if round(found.unassigned, 6) > MOST_DOUBTFUL:
        said.append(
            f"{100 * found.unassigned:.0f} % of the probability is on no label, on average. Say in the "
            "prompt that the answer is the label alone."
        )
    if found.unanimous == 1 and found.answered >= MANY:
        said.append(
            "all samples of every text name the same label. If the server ignores the temperature, as "
            "`transformers serve` does for a model without do_sample, one sample says as much."
        )
    return said


def show_labelled(found: Labelled, job: Labelling) -> None:
    """Print what became of the rows.

    Raises:
        RunError: Some rows were not asked to the end; the message says why.
    """
    rejected = ", ".join(f"{count} {reason}" for reason, count in sorted(found.rejected.items()))
    cost = "" if job.prices is None else f", cost {job.prices.cost(found.spent):.4g}"
    say(
        f"{found.answered} answers from {found.source}, {rejected or 'none'} rejected; "
        f"{found.spent.calls} calls, {found.spent.input_tokens} input and {found.spent.output_tokens} output "
        f"tokens{cost}"
    )
    for warning in warnings_of(found):
        results().print(Text(warning, style="yellow"), soft_wrap=True)
    if found.unanswered:
        raise RunError(
            f"{found.unanswered} rows have no answer: {found.stopped}. The answers so far are in "
            f"{found.path}; the same command, with a larger --budget if that was reached, continues."
        )
    say(f"{found.answered} rows: {found.path}")
