"""Runs trials: interrupted ones first, then new ones, until the number of trials is reached."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from lmdistill.core.errors import LmdistillError
from lmdistill.recipes.code_policy import Code
from lmdistill.records.record import read_record
from lmdistill.runs.write_report import complete, write_pages
from lmdistill.studies.runner import USERS, CellStatus, Watch, rows, standings, work
from lmdistill.studies.schema import Study
from lmdistill.studies.search.optuna_storage import BEAT
from lmdistill.studies.search.search_folder import Finding, SearchFolder, SearchSession
from lmdistill.studies.search.trials import Trial
from lmdistill.studies.study_folder import StudyFolder
from lmdistill.studies.subprocesses import jobs_at_once

LOOK = 5.0
"""Seconds between two polls while only trials of other machines are left."""


def run_search(
    study: Study,
    place: StudyFolder,
    *,
    command: Sequence[str],
    watch: Watch = lambda board: None,
    code: Code = "refuse",
) -> tuple[Finding, ...]:
    """Run trials until their number is reached; failing trials do not stop others.

    If all trials are finished, failed ones are tried once more.

    Args:
        study: A study with a search.
        place: Its folder.
        command: Command line that starts a run, up to its recipe.
        watch: Called with the progress of all cells.
        code: What becomes of a class in a Python file; see `recipes.parsing.parse`.

    Returns:
        The results of each search.

    Raises:
        MissingExtraError: If Optuna is not installed.
        ConfigError: If a field is refused, or the storage cannot be opened.
        RunError: If the folder or the storage holds another search, or the storage stops answering.
        KeyboardInterrupt: If this process was told to end; its child processes have ended by then.
    """
    folder = SearchFolder(study=study, place=place, code=code)
    with folder.held() as desks:
        findings = tuple(desk.finding() for desk in desks)
        _try_again(study, desks, findings)
        jobs = jobs_at_once(study.jobs)
        work(
            standings(folder.ran(findings)),
            place,
            command=command,
            jobs=jobs,
            watch=watch,
            tend=_Conductor(folder, desks, jobs).tend,
        )
        findings = tuple(desk.finding() for desk in desks)
        folder.write(findings)
    done = folder.ran(findings)
    for cell in done:
        complete(cell.folder)
    if done:
        write_pages(place.path, order=rows(done), inside=[cell.folder for cell in done])
    return findings


def _try_again(study: Study, desks: Sequence[SearchSession], findings: Sequence[Finding]) -> None:
    """Start failed trials once more, if nothing else is left to do."""
    assert study.search is not None
    ended = [trial.state in ("done", "failed") for finding in findings for trial in finding.trials]
    if all(ended) and all(len(finding.trials) >= study.search.trials for finding in findings):
        for desk, finding in zip(desks, findings, strict=True):
            for trial in finding.failed:
                desk.trials.again(trial)


@dataclass(frozen=True, kw_only=True)
class _Work:
    """A running trial."""

    desk: SearchSession
    trial: Trial
    runs: tuple[CellStatus, ...]


class _Conductor:
    """Finishes trials whose runs have ended, and starts others."""

    def __init__(self, folder: SearchFolder, desks: Sequence[SearchSession], jobs: int) -> None:
        self._folder, self._desks, self._jobs = folder, desks, jobs
        self._works: list[_Work] = []
        self._beaten = time.monotonic()
        self._asked = -math.inf
        self._more = True

    def tend(self, board: list[CellStatus]) -> bool:
        """Update the cells; whether more may come."""
        ended = [found for found in self._works if _has_ended(found)]
        for found in ended:
            _tell(found)
            dropped = {run.cell.name for run in found.runs if run.state == "waiting"}
            board[:] = [standing for standing in board if standing.cell.name not in dropped]
        self._works = [found for found in self._works if found not in ended]
        if ended:
            self._folder.write([desk.finding() for desk in self._desks])
        if time.monotonic() - self._beaten > BEAT:
            self._keep_alive()
        while sum(standing.state not in ("done", "failed") for standing in board) < self._jobs:
            begun = self._next()
            if begun is None:
                break
            board += begun.runs
            if _has_ended(begun):  # a kill came between its last run and its score, which the next one needs
                _tell(begun)
            else:
                self._works.append(begun)
        return bool(self._works) or self._more

    def _keep_alive(self) -> None:
        """Send heartbeats of the running trials."""
        self._beaten = time.monotonic()
        for found in self._works:
            found.desk.trials.beat([found.trial.key])

    def _next(self) -> _Work | None:
        """The next trial with cells to run; None if there is none at the moment."""
        if time.monotonic() - self._asked < LOOK:
            return None
        for desk in self._desks:
            known = desk.trials.all()
            while (trial := self._chosen(desk, known)) is not None:
                begun = self._begun(desk, trial, known)
                if begun is not None:
                    return begun
                known = desk.trials.all()
        self._asked = time.monotonic()
        others = [desk for desk in self._desks if any(t.state == "elsewhere" for t in desk.trials.all())]
        self._more = bool(others)
        if others:
            self._keep_alive()  # after a long sleep our own look dead too
        for desk in others:
            desk.trials.take_over()
        return None

    def _chosen(self, desk: SearchSession, known: Sequence[Trial]) -> Trial | None:
        """An interrupted trial of this folder, or a new one while there are too few."""
        working = [found.trial.key for found in self._works if found.desk is desk]
        for trial in known:
            if trial.state == "ours" and trial.key not in working:
                return desk.trials.drawn(trial)
        return desk.trials.begin() if len(known) < desk.trials.search.trials else None

    def _begun(self, desk: SearchSession, trial: Trial, known: Sequence[Trial]) -> _Work | None:
        """A trial with its cells; None if it was finished before or its recipe is refused."""
        for other in known:
            if other.score is not None and other.metric is not None and other.values == trial.values:
                desk.trials.done(trial, [other.score], other.metric)
                return None
        try:
            cells = desk.branch.cells(trial.number, trial.values, self._folder.place.path)
        except LmdistillError as error:
            desk.trials.fail(trial, str(error), USERS)
            return None
        return _Work(desk=desk, trial=trial, runs=tuple(standings(cells)))


def _has_ended(found: _Work) -> bool:
    """Whether all cells are done, or one has failed and none is running."""
    states = {run.state for run in found.runs}
    return states == {"done"} or ("failed" in states and not states & {"running", "elsewhere"})


def _tell(found: _Work) -> None:
    """Store the score of a trial, or why it failed."""
    trials, trial = found.desk.trials, found.trial
    for run in found.runs:
        if run.state == "failed":
            log = "" if run.log is None else f" Log: {run.log}"
            trials.fail(trial, f"{run.message}{log}", run.code)
            return
    records = [read_record(run.cell.folder) for run in found.runs]
    split, metric = records[0].headline
    scores = [record.metrics[split].get(metric) for record in records]
    finite = [score for score in scores if score is not None and math.isfinite(score)]
    if len(finite) < len(scores):
        trials.fail(trial, f"{metric} on {split} is {scores}, which has no mean. See its runs.", USERS)
    else:
        trials.done(trial, finite, (split, metric))
