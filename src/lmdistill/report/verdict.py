"""What a comparison comes to, in words that its statistics bear."""

from lmdistill.analysis.metric_format import metric_format
from lmdistill.analysis.number_format import p_text
from lmdistill.analysis.result_table import Comparison, Row
from lmdistill.analysis.significance import ALPHA
from lmdistill.report.tables.quality import summary


def verdict(row: Row, table: Comparison) -> str:
    """What the row keeps, and whether it is better than the baseline.

    A mean that is higher is called better only where the corrected p-value is below 0.05.
    """
    return " ".join(sentence for sentence in (summary(row, table), _against(row, table)) if sentence)


def _against(row: Row, table: Comparison) -> str:
    """The row against the baseline; nothing where there is no other row to speak of."""
    floor = table.floor_of(row)
    students = [other for other in table.rows if other.role != "teacher"]
    if floor is None or len(students) < 2:
        return ""
    if row.label == floor.label:
        return f"No other row has a better mean than {floor.label}, the baseline."
    found, p_value = row.evidence.difference, row.evidence.p_holm
    if found is None or p_value is None:
        return f"Its mean is the best; it was not tested against {floor.label}."
    shown = metric_format(table.scores[0][1])
    said = f"p = {p_text(p_value)}".replace("= <", "<")
    if p_value >= ALPHA:
        return f"Its mean is the best, but it cannot be told from that of {floor.label} ({said})."
    gap = f"{abs(shown.scale * found.value):.{shown.digits}f}"
    which = "better" if shown.sign * found.value > 0 else "worse"
    scope = ", for these runs alone: they have one seed in common" if row.evidence.seeds == 1 else ""
    return f"It is {which} than {floor.label} by {gap} ({shown.title}; {said}{scope})."
