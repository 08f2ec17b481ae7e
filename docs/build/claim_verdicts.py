"""Claims beside what was measured, and whether both agree: a rule, not an opinion."""

from collections.abc import Sequence
from dataclasses import dataclass

from docs.build import claims_schema as claimed
from docs.build import paths
from docs.build.measured_claims import Finding, findings
from lmdistill.analysis.metric_format import NONE
from lmdistill.analysis.number_format import p_text
from lmdistill.analysis.significance import holm

LEVEL = 0.05
"""A corrected p below it is a difference."""

AGREES, DISAGREES, UNSURE, MISSING = "agrees", "does not agree", "cannot tell", "not measured yet"
PAPERS = {"mixkd": "MixKD", "atkd": "ATKD", "minidisc": "MiniDisc"}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One finding about one claim."""

    claim: claimed.Claim
    """What the paper says."""

    finding: Finding
    """What was measured."""

    p_holm: float | None
    """Corrected for all findings about the paper."""

    @property
    def verdict(self) -> str:
        """See `verdict_of`."""
        return verdict_of(self.claim, self.finding, self.p_holm)


def verdict_of(claim: claimed.Claim, found: Finding, p_holm: float | None) -> str:
    """Whether measurements agree with a claim.

    Below two seeds nothing can be told. A row is better or worse, and a choice better than chance, where the
    corrected p is below 0.05; the claim agrees if the difference has its sign, and does not if it has the
    other. A claim of no difference agrees where the whole interval lies within the margin. It does not agree
    where the whole interval lies beyond it and the corrected p is below 0.05; of several settings at once,
    where that of one of them does. A claim of a value goes by its interval alone: within the margin around
    the paper's value, or wholly beyond.
    """
    if found.missing:
        return MISSING
    if found.seeds < 2 or found.value is None:
        return UNSURE
    if isinstance(claim, claimed.Value):
        return _within(found, claim.value, claim.margin or 0.0, is_sure=True)
    is_sure = p_holm is not None and p_holm < LEVEL
    if isinstance(claim, claimed.Flat) or (isinstance(claim, claimed.Comparison) and claim.expect == "alike"):
        return _within(found, 0.0, claim.margin or 0.0, is_sure=is_sure)
    if not is_sure:
        return UNSURE
    is_worse = isinstance(claim, claimed.Comparison) and claim.expect == "worse"
    return AGREES if (found.value < 0) == is_worse else DISAGREES


def _within(found: Finding, centre: float, margin: float, *, is_sure: bool) -> str:
    """Where an interval lies: inside the margin, beyond it, or neither."""
    if found.low is None or found.high is None:
        return UNSURE
    if centre - margin <= found.low and found.high <= centre + margin:
        return AGREES
    low, high = found.farthest or (found.low, found.high)
    is_beyond = high < centre - margin or low > centre + margin
    return DISAGREES if is_beyond and is_sure else UNSURE


def lines(paper: str) -> list[Line]:
    """All findings about a paper, corrected together; what two claims look at alike counts once."""
    file = claimed.read_claims(paths.CLAIMS)
    found = [(claim, one) for claim in file.claims if claim.paper == paper for one in findings(claim)]
    tests = {(one.setting, one.measured): one.p_value for _, one in found}
    corrected = dict(zip(tests, holm(list(tests.values())), strict=True))
    return [
        Line(claim=claim, finding=one, p_holm=corrected[one.setting, one.measured]) for claim, one in found
    ]


def claims(paper: str) -> str:
    """Each claim of a paper, or of ours, with a line for every setting in which it could be looked at."""
    titles = (
        "the paper says" if paper in PAPERS else "claim to be tested",
        "source",
        "looked at",
        "measured",
        "difference",
        "seeds",
        "p, Holm",
        "verdict",
    )
    rows = [titles, ("---",) * len(titles)]
    before = None
    for line in lines(paper):
        same = before is line.claim
        source = f"{line.claim.source}; {claimed.SURE[line.claim.sure]}"
        first = ("″", "″") if same else (line.claim.says, source)
        rows.append((*first, *_cells(line)))
        before = line.claim
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows) + "\n"


def _cells(line: Line) -> tuple[str, ...]:
    """What was measured, and what it comes to."""
    found = line.finding
    measured = f"needs {found.missing}" if found.missing else found.measured
    return (
        *(found.setting, measured, _interval(line), str(found.seeds or NONE)),
        *(p_text(line.p_holm).replace("<", "&lt;"), f"**{line.verdict}**"),
    )


def _interval(line: Line) -> str:
    """The difference with its ends, in hundredths but where the score is counted otherwise."""
    found, claim = line.finding, line.claim
    if found.value is None or isinstance(claim, claimed.Choice):
        return NONE
    scale, digits = found.scale
    sign = "" if isinstance(claim, claimed.Value) else "+"
    ends = [NONE if end is None else f"{scale * end:{sign}.{digits}f}" for end in (found.low, found.high)]
    return f"{scale * found.value:{sign}.{digits}f} [{', '.join(ends)}]"


def verdicts(_: str | None) -> str:
    """How many findings about each paper agree, a line a paper."""
    words = (AGREES, DISAGREES, UNSURE, MISSING)
    rows: list[Sequence[str]] = [("paper", *words), ("---", *["---:"] * len(words))]
    for paper, title in PAPERS.items():
        found = [line.verdict for line in lines(paper)]
        rows.append((title, *(str(found.count(word)) for word in words)))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"
