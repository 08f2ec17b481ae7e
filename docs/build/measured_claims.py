"""From a claim and the records to what was measured, in numbers."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from docs.build import claims_schema, paths
from docs.build.paths import runs_of
from docs.build.record_fields import FACETS, SCORES, Measure, facet, headline, setting_text
from docs.build.row_difference import Difference, difference, envelope, spread_text
from lmdistill.analysis.assistant_selection import trials
from lmdistill.analysis.grouping import grouped, row_key
from lmdistill.analysis.paired_comparison import compare_rows, judged
from lmdistill.analysis.seed_and_example_variance import Interval
from lmdistill.analysis.significance import seeds_interval, spread
from lmdistill.core.errors import ConfigError
from lmdistill.records.record import RecordedRun

Setting = tuple[Hashable, ...]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What the runs of one setting say of a claim."""

    setting: str
    """Which runs."""

    measured: str
    """The numbers, with their spread."""

    seeds: int = 0
    """Seeds that count."""

    value: float | None = None
    """The difference, or the number itself; positive is better for a difference."""

    low: float | None = None
    """Lower end of its 95 % interval."""

    high: float | None = None
    """Upper end."""

    farthest: tuple[float, float] | None = None
    """Of several settings, whose `low` and `high` are the outermost ends: the interval farthest from 0."""

    p_value: float | None = None
    """Of there being no difference."""

    scale: tuple[float, int] = (100.0, 2)
    """What the number is multiplied by before it is shown, and its decimals."""

    missing: str = ""
    """What is not there yet; empty where all is."""


def findings(claim: claims_schema.Claim) -> Iterator[Finding]:
    """A finding for each setting in which a claim can be looked at; one that says what is missing if none."""
    if isinstance(claim, claims_schema.Comparison):
        for ours, theirs in claim.pairs:
            yield from _comparisons(claim, ours, theirs)
    elif isinstance(claim, claims_schema.Value):
        for side in claim.rows:
            yield from _values(claim, side)
    elif isinstance(claim, claims_schema.Flat):
        yield from _flats(claim)
    elif isinstance(claim, claims_schema.Choice):
        yield from _choices(claim)


def _matching(claim: claims_schema.Claim, side: claims_schema.Side) -> dict[str, list[RecordedRun]]:
    """The runs of a side, by folder."""
    wanted = {**claim.where, **side.where}
    return {
        folder: [
            run
            for run in runs_of(folder)
            if f"{run.record.name} ".startswith(f"{side.row} ")
            and all(facet(run, name) == value for name, value in wanted.items())
        ]
        for folder in side.within or claim.within
    }


def _settings(
    found: Mapping[str, Sequence[RecordedRun]], fixed: set[str], apart: bool
) -> dict[Setting, list[RecordedRun]]:
    """Runs by the facets that the claim leaves open, and by folder where both sides have the same."""
    pairs = [(folder, run) for folder, runs in found.items() for run in runs]
    free = [name for name in FACETS if name not in fixed]
    groups = grouped(pairs, lambda pair: (pair[0] if apart else "", *(facet(pair[1], name) for name in free)))
    return {key: [run for _, run in some] for key, some in groups.items()}


def _missing(claim: claims_schema.Claim, side: claims_schema.Side) -> str:
    """What a reader waits for."""
    folders = ", ".join(f"results/{name}" for name in side.within or claim.within)
    said = "".join(f", {name} {value}" for name, value in {**claim.where, **side.where}.items())
    return f"{side.row}{said} in {folders}"


def _one_row(runs: Sequence[RecordedRun], claim: claims_schema.Claim) -> None:
    """Runs that stand for seeds of one row must be such."""
    rows = grouped(runs, row_key)
    if len(rows) > 1:
        names = " and ".join(dict.fromkeys(some[0].path.name for some in rows.values()))
        raise ConfigError(
            f"the claim '{claim.says[:60]}' means one row, and {names} are {len(rows)}. Add to its where."
        )


def _comparisons(
    claim: claims_schema.Comparison, ours: claims_schema.Side, theirs: claims_schema.Side
) -> Iterator[Finding]:
    """One finding for each setting that both sides have."""
    fixed = set(claim.where) | set(ours.where) | set(theirs.where)
    apart = not ours.within and not theirs.within
    mine, others = (_settings(_matching(claim, side), fixed, apart) for side in (ours, theirs))
    name = f"{_title(ours)} against {_title(theirs)}"
    for side, found in ((ours, mine), (theirs, others)):
        if not found:
            yield Finding(setting=name, measured="", missing=_missing(claim, side))
            return
    shared = [key for key in mine if key in others]
    if not shared:
        yield Finding(setting=name, measured="", missing=f"a setting with both, of {_missing(claim, ours)}")
    for key in shared:
        _one_row(mine[key], claim)
        _one_row(others[key], claim)
        yield _compared(claim, mine[key], others[key], f"{name}: {_where(mine[key], others[key])}")


def _where(*sides: Sequence[RecordedRun]) -> str:
    """The setting, and the folders that hold its records."""
    return f"{setting_text(sides[0][0])} ({', '.join(_folders([run for runs in sides for run in runs]))})"


def _folders(runs: Sequence[RecordedRun]) -> list[str]:
    """The folders of records that hold the runs."""
    return list(dict.fromkeys(run.path.relative_to(paths.RESULTS).parts[0] for run in runs))


def _title(side: claims_schema.Side) -> str:
    """The row, and what the claim says of it."""
    return " ".join([side.row, *(f"{value}" for name, value in side.where.items() if value != "none")])


def _compared(
    claim: claims_schema.Comparison, mine: Sequence[RecordedRun], others: Sequence[RecordedRun], name: str
) -> Finding:
    """Two rows in one setting."""
    measure = headline(mine[0]) if claim.score == "headline" else SCORES[claim.score]
    found = difference(mine, others, measure, is_headline=claim.score == "headline")
    both = [spread([measure.read(run.record) for run in runs]) for runs in (mine, others)]
    text = " against ".join(spread_text(one, measure) for one in both)
    if found is None:
        return Finding(setting=name, measured=text, missing="a seed that both rows have")
    return Finding(
        setting=name,
        measured=text,
        seeds=found.seeds,
        value=found.value,
        low=found.low,
        high=found.high,
        p_value=found.p_value,
        scale=(measure.scale, measure.digits),
    )


def _values(claim: claims_schema.Value, side: claims_schema.Side) -> Iterator[Finding]:
    """One finding for each setting of a row."""
    found = _settings(_matching(claim, side), set(claim.where) | set(side.where), True)
    if not found:
        yield Finding(setting=_title(side), measured="", missing=_missing(claim, side))
    for runs in found.values():
        _one_row(runs, claim)
        yield _valued(claim, side, runs)


def _valued(claim: claims_schema.Value, side: claims_schema.Side, runs: Sequence[RecordedRun]) -> Finding:
    """One row in one setting."""
    name = f"{_title(side)}: {_where(runs)}"
    value, seeds, text = _number(claim, runs)
    return Finding(
        setting=name,
        measured=text,
        seeds=seeds,
        value=None if value is None else value.value,
        low=None if value is None else value.low,
        high=None if value is None else value.high,
        scale=(SCORES[claim.score].scale, SCORES[claim.score].digits)
        if claim.score in SCORES
        else (100.0, 2),
    )


def _number(claim: claims_schema.Value, runs: Sequence[RecordedRun]) -> tuple[Interval | None, int, str]:
    """The number with its interval, if it has one; the seeds that it rests on; and how it is written."""
    if claim.score in SCORES:
        measure = SCORES[claim.score]
        over = spread([measure.read(run.record) for run in runs])
        ends = None if over is None else seeds_interval(over)
        known = None
        if over is not None and ends is not None:
            known = Interval(value=over.mean, low=ends[0], high=ends[1])
        return known, 0 if over is None else over.count, spread_text(over, measure)
    floors = _floors(runs)
    split, metric = runs[0].record.headline
    teachers = [(run.record.teacher_metrics or {}).get(split, {}).get(metric) for run in runs]
    teacher = spread(teachers)
    answers = {run.path: judged(run) for run in (*runs, *floors)}
    evidence = compare_rows(runs, floors, answers, teacher=None if teacher is None else teacher.mean)
    share, seeds = evidence.closed, evidence.seeds
    if claim.score == "kept":
        share, seeds = evidence.kept, sum(answers[run.path] is not None for run in runs)
    return share, seeds, "no share can be told" if share is None else f"{100 * share.value:.2f} %"


def _floors(runs: Sequence[RecordedRun]) -> list[RecordedRun]:
    """The runs of the same folder that were only fine-tuned, in the same setting but for new rows."""
    free = [name for name in FACETS if name != "augmentation"]
    like = [facet(runs[0], name) for name in free]
    return [
        run
        for folder in _folders(runs)
        for run in runs_of(folder)
        if run.record.method.get("name") == "finetune"
        and facet(run, "augmentation") == "none"
        and [facet(run, name) for name in free] == like
    ]


def _flats(claim: claims_schema.Flat) -> Iterator[Finding]:
    """All rows of each setting against the chosen one: the largest difference either way."""
    side, is_missing = claims_schema.Side(row=claim.row), True
    for runs in _settings(_matching(claim, side), set(claim.where), True).values():
        rows = list(grouped(runs, row_key).values())
        chosen = [
            row for row in rows if all(facet(row[0], name) == value for name, value in claim.chosen.items())
        ]
        if len(chosen) != 1 or len(rows) < 2:
            continue
        measure = headline(chosen[0][0])
        found = [
            one
            for row in rows
            if row is not chosen[0]
            and (one := difference(row, chosen[0], measure, is_headline=True)) is not None
        ]
        if found:
            is_missing = False
            yield _flat(found, measure, _where(runs))
    if is_missing:
        chosen_one = claims_schema.Side(row=claim.row, where=claim.chosen)
        yield Finding(setting=claim.row, measured="", missing=_missing(claim, chosen_one))


def _flat(found: Sequence[Difference], measure: Measure, name: str) -> Finding:
    """All differences as one."""
    whole, values = envelope(found), [one.value for one in found]
    return Finding(
        setting=f"{len(found) + 1} settings: {name}",
        measured=f"others lie {measure.text(min(values))} to {measure.text(max(values))} from the chosen one",
        seeds=whole.seeds,
        value=whole.value,
        low=whole.low,
        high=whole.high,
        farthest=whole.farthest,
        p_value=whole.p_value,
        scale=(measure.scale, measure.digits),
    )


def _choices(claim: claims_schema.Choice) -> Iterator[Finding]:
    """How often the score took the best of the assistants, in each folder."""
    for folder in claim.within:
        runs = runs_of(folder)
        tried = trials([run.record for run in runs if run.record.schedule is not None])
        if not tried:
            missing = f"a scored and an exhaustive schedule of one seed in results/{folder}"
            yield Finding(setting=folder, measured="", missing=missing)
            continue
        hits = sum(one.is_hit for one in tried)
        lost = float(np.mean([one.students[one.best] - one.students[one.chosen] for one in tried]))
        chances = float(np.mean([one.chance for one in tried]))
        share = stats.binomtest(hits, len(tried), chances)
        ends = share.proportion_ci()
        run = next(run for run in runs if run.record.schedule is not None)
        yield Finding(
            setting=f"{setting_text(run)} ({folder})",
            measured=f"in {hits} of {len(tried)} seeds, by chance in {chances:.2f} of them; "
            f"{100 * lost:.2f} points below the best on average",
            seeds=len(tried),
            value=hits / len(tried) - chances,
            low=float(ends.low) - chances,
            high=float(ends.high) - chances,
            p_value=float(share.pvalue),
        )
