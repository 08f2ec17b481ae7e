"""A study with a search: run or list its trials, and print the command that repeats the best one."""

import shlex
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lmdistill.analysis.metric_format import NONE, metric_format
from lmdistill.cli.console import complain, results, say
from lmdistill.cli.study_progress import following
from lmdistill.recipes.code_policy import FLAG, Code
from lmdistill.records.record import REPORT, TRIALS_NOTE
from lmdistill.studies.runner import code_of
from lmdistill.studies.schema import Study
from lmdistill.studies.search.runner import run_search
from lmdistill.studies.search.search_folder import Finding, SearchFolder
from lmdistill.studies.search.trials import Trial
from lmdistill.studies.study_folder import StudyFolder


def list_trials(study: Study, study_folder: StudyFolder) -> None:
    """Print all trials in the order of their numbers, without running any.

    Args:
        study: A study with a search.
        study_folder: Folder of the study.
    """
    assert study.search is not None
    for finding in SearchFolder(study=study, place=study_folder, code="name").findings():
        _show(results(), finding, finding.trials, study.search.trials)


def search(
    study: Study, study_folder: StudyFolder, command: Sequence[str], *, allow_code: bool = False
) -> int:
    """Run all trials that are not finished, and print all trials, the best first.

    Args:
        study: A study with a search.
        study_folder: Folder of the study.
        command: Command line that runs a recipe, up to the recipe.
        allow_code: Run the Python files of classes that the study names as `path.py:Class`.

    Returns:
        The exit code: 0 if all trials are done, 2 if the user can correct the error of every failed trial,
        else 1.
    """
    assert study.search is not None
    code: Code = "run" if allow_code else "refuse"
    with following(grows=True) as watch:
        findings = run_search(study, study_folder, command=command, watch=watch, code=code)
    search_folder, console = SearchFolder(study=study, place=study_folder, code=code), results()
    for finding in findings:
        _show(console, finding, (*finding.ranked, *finding.failed), study.search.trials)
        if finding.ranked:
            best = search_folder.best(finding.branch)
            path = study_folder.path
            out = path.with_name(f"{path.name}-{best.stem}")
            words = ["lmdistill", "distill", str(best), "--out", str(out), *([FLAG] if allow_code else [])]
            say(f"repeat the best: {shlex.join(words)}")
    if any(finding.ranked for finding in findings):
        say(TRIALS_NOTE)
    if (study_folder.path / REPORT).is_file():
        say(f"report: {study_folder.path / REPORT}")
    return _complain_of_failed(findings)


def _show(console: Console, finding: Finding, trials: Sequence[Trial], total: int) -> None:
    """Print a table of trials; `total` is the number of trials of the whole search."""
    progress = f"{len(finding.ranked)} of {total} trials are done"
    title = Text(": ".join(part for part in (finding.branch.name, progress) if part))
    table = Table(title=title, title_justify="left", show_edge=False, header_style="bold")
    fields = [dimension.field for dimension in finding.branch.space]
    short_names = [field.rpartition(".")[2] for field in fields]
    titles = [
        name if short_names.count(name) == 1 else field
        for name, field in zip(short_names, fields, strict=True)
    ]
    for name in ("trial", "state", "score", *titles):
        table.add_column(Text(name), justify="left" if name in ("trial", "state", "score") else "right")
    for trial in trials:
        values = [_number(trial.values.get(field, NONE)) for field in fields]
        table.add_row(*map(Text, (f"{trial.number:03d}", trial.state, _score(trial), *values)))
    console.print(table)


def _score(trial: Trial) -> str:
    """The mean score over seeds, with the split and the metric in parentheses."""
    if trial.metric is None:
        return NONE
    metric = metric_format(trial.metric[1])
    return f"{metric.text(trial.score)} ({trial.metric[0]} {metric.title})"


def _number(value: object) -> str:
    """A value of the search space; floats have four significant digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _complain_of_failed(findings: Sequence[Finding]) -> int:
    """Print the error of each failed trial and return the exit code."""
    failed = [trial for finding in findings for trial in finding.failed]
    for finding in findings:
        for trial in finding.failed:
            name = "-".join(part for part in (finding.branch.name, f"trial-{trial.number:03d}") if part)
            complain(f"{name}: {trial.reason}")
    if failed:
        total = sum(len(finding.trials) for finding in findings)
        complain(
            f"{len(failed)} of {total} trials failed. The same command tries them once more; failed trials "
            "count towards search.trials."
        )
    return code_of({trial.code for trial in failed})
