"""The search of a study: its trials on stdout, best first, and the command that repeats the best."""

import shlex
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lmdistill.analysis.metric_format import NONE, metric_format
from lmdistill.cli.console import complain, results, say
from lmdistill.cli.study_progress import following
from lmdistill.records.record import REPORT, TRIALS_NOTE
from lmdistill.studies.runner import code_of
from lmdistill.studies.schema import Study
from lmdistill.studies.search.runner import run_search
from lmdistill.studies.search.search_folder import Finding, SearchFolder
from lmdistill.studies.search.trials import Trial
from lmdistill.studies.study_folder import StudyFolder


def list_trials(study: Study, place: StudyFolder) -> None:
    """Print all trials by their numbers; run none."""
    assert study.search is not None
    for finding in SearchFolder(study=study, place=place).findings():
        _show(results(), finding, finding.trials, study.search.trials)


def search(study: Study, place: StudyFolder, command: Sequence[str]) -> int:
    """Run all trials that are not done, and print them, best first.

    Returns:
        The exit code: 0 if all are done, 2 if every one that failed says that the user can mend it, else 1.
    """
    assert study.search is not None
    with following(grows=True) as watch:
        findings = run_search(study, place, command=command, watch=watch)
    folder, console = SearchFolder(study=study, place=place), results()
    for finding in findings:
        _show(console, finding, (*finding.ranked, *finding.failed), study.search.trials)
        if finding.ranked:
            best = folder.best(finding.branch)
            out = place.path.with_name(f"{place.path.name}-{best.stem}")
            say(f"the best again: lmdistill distill {shlex.quote(str(best))} --out {shlex.quote(str(out))}")
    if any(finding.ranked for finding in findings):
        say(TRIALS_NOTE)
    if (place.path / REPORT).is_file():
        say(f"report: {place.path / REPORT}")
    return _complain(findings)


def _show(console: Console, finding: Finding, trials: Sequence[Trial], wanted: int) -> None:
    """A table of trials."""
    said = f"{len(finding.ranked)} of {wanted} trials are done"
    title = Text(": ".join(part for part in (finding.branch.name, said) if part))
    table = Table(title=title, title_justify="left", show_edge=False, header_style="bold")
    fields = [dimension.field for dimension in finding.branch.space]
    last = [field.rpartition(".")[2] for field in fields]
    titles = [name if last.count(name) == 1 else field for name, field in zip(last, fields, strict=True)]
    for name in ("trial", "state", "score", *titles):
        table.add_column(Text(name), justify="left" if name in ("trial", "state", "score") else "right")
    for trial in trials:
        drawn = [_number(trial.values.get(field, NONE)) for field in fields]
        table.add_row(*map(Text, (f"{trial.number:03d}", trial.state, _score(trial), *drawn)))
    console.print(table)


def _score(trial: Trial) -> str:
    """The mean over seeds, with its metric."""
    if trial.metric is None:
        return NONE
    how = metric_format(trial.metric[1])
    return f"{how.text(trial.score)} ({trial.metric[0]} {how.title})"


def _number(value: object) -> str:
    """A drawn value, short."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _complain(findings: Sequence[Finding]) -> int:
    """What failed and why; the exit code."""
    failed = [trial for finding in findings for trial in finding.failed]
    for finding in findings:
        for trial in finding.failed:
            named = "-".join(part for part in (finding.branch.name, f"trial-{trial.number:03d}") if part)
            complain(f"{named}: {trial.reason}")
    if failed:
        complain(f"{len(failed)} trials failed. The same command tries them once more; they count as trials.")
    return code_of({trial.code for trial in failed})
