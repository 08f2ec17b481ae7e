"""The conclusion about a row in words, based on its scores and its test against the baseline."""

from lmdistill.analysis.alarms import LEARNED_NOTHING, is_constant
from lmdistill.analysis.metric_format import metric_format
from lmdistill.analysis.number_format import p_text
from lmdistill.analysis.result_table import Comparison, Row
from lmdistill.analysis.significance import ALPHA
from lmdistill.report.tables.quality import summary


def verdict(row: Row, table: Comparison) -> str:
    """Sentences on the row's score, size and speed, and on its difference to the baseline.

    A row that is no better than a constant answer is said to have learned nothing, before all else. The row
    is called better only if the corrected p-value is below 0.05.
    """
    sentences = (_nothing_learned(row, table), summary(row, table), _against(row, table))
    return " ".join(sentence for sentence in sentences if sentence)


def _nothing_learned(row: Row, table: Comparison) -> str:
    """A sentence that says that the row is no better than a constant answer; empty if it is better."""
    if not is_constant(row):
        return ""
    what = "guessing uniformly" if table.task.kind == "language" else "a constant answer"
    return f"{row.label} is no better than {what}: it has {LEARNED_NOTHING}, so its figures say nothing else."


def _against(row: Row, table: Comparison) -> str:
    """A sentence that compares the row with the baseline; empty for a table with one student."""
    baseline = table.floor_of(row)
    students = [other for other in table.rows if other.role != "teacher"]
    if baseline is None or len(students) < 2:
        return ""
    if row.label == baseline.label:
        return f"No row has a better mean than {baseline.label}, the baseline."
    difference, p_value = row.evidence.difference, row.evidence.p_holm
    if difference is None or p_value is None:
        return f"Its mean is the best; it was not tested against {baseline.label}."
    shown = metric_format(table.scores[0][1])
    test = f"p = {p_text(p_value)}".replace("= <", "<")
    if p_value >= ALPHA:
        return f"Its mean is the best, but the difference to {baseline.label} is not significant ({test})."
    size = f"{abs(shown.scale * difference.value):.{shown.digits}f}"
    direction = "better" if shown.sign * difference.value > 0 else "worse"
    scope = ", valid for these runs only, because they share one seed" if row.evidence.seeds == 1 else ""
    return f"It is {direction} than {baseline.label} by {size} ({shown.title}; {test}{scope})."
