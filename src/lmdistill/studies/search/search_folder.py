"""The files of a search in the folder of its study, and its database.

`search.db`, unless the storage is elsewhere · `trials.json`, which reports read · `best.yaml`, the recipe of
the best trial · `cells/.home`, the identifier of this folder in the database.
"""

import contextlib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lmdistill.core.atomic_io import write_json, write_text
from lmdistill.core.errors import ConfigError, RunError
from lmdistill.core.file_lock import hold
from lmdistill.recipes.code_policy import Code
from lmdistill.recipes.files import recipe_text
from lmdistill.records.record import TRIALS
from lmdistill.runs.run_folder import RunFolder
from lmdistill.studies.grid import StudyCell
from lmdistill.studies.schema import Study
from lmdistill.studies.search.optuna_storage import open_database, require_optuna, sqlite
from lmdistill.studies.search.space import Branch, branches
from lmdistill.studies.search.trials import Trial, Trials, open_trials
from lmdistill.studies.study_folder import StudyFolder

DATABASE = "search.db"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Results of one search."""

    branch: Branch
    """The combination of axes that it searched in, and its space."""

    trials: tuple[Trial, ...]
    """All trials in the order of their numbers."""

    @property
    def ranked(self) -> list[Trial]:
        """Finished trials, best first."""
        sign = 1 if self.branch.is_minimized else -1
        scored = [(sign * trial.score, trial) for trial in self.trials if trial.score is not None]
        return [trial for _, trial in sorted(scored, key=lambda one: one[0])]

    @property
    def failed(self) -> list[Trial]:
        """Trials that have failed."""
        return [trial for trial in self.trials if trial.state == "failed"]


@dataclass(frozen=True, kw_only=True)
class SearchSession:
    """A search with its open trials."""

    branch: Branch
    """The search space and what its trials share."""

    trials: Trials
    """The stored trials."""

    def finding(self) -> Finding:
        """Results so far."""
        return Finding(branch=self.branch, trials=tuple(self.trials.all()))


@dataclass(frozen=True, kw_only=True)
class SearchFolder:
    """The files of a search in the folder of its study."""

    study: Study
    """What is searched, with its base recipe."""

    place: StudyFolder
    """Folder of the study."""

    code: Code = "refuse"
    """What becomes of a class in a Python file; see `recipes.parsing.parse`."""

    def findings(self) -> tuple[Finding, ...]:
        """Results so far of each search; nothing is written into a folder without a search.

        Raises:
            MissingExtraError: If Optuna is not installed.
            ConfigError: If a field is refused, or the storage cannot be opened.
            RunError: If the folder or the storage holds another search.
        """
        if self._is_new:
            self._require_free()
            return tuple(Finding(branch=branch, trials=()) for branch in branches(self.study, code=self.code))
        with self._opened() as desks:
            return tuple(desk.finding() for desk in desks)

    @contextlib.contextmanager
    def held(self) -> Iterator[tuple[SearchSession, ...]]:
        """Lock the folder and open the database.

        Raises:
            MissingExtraError: If Optuna is not installed.
            ConfigError: If a field is refused, or the storage cannot be opened.
            RunError: If the folder or the storage holds another search, or another process has the folder.
        """
        if self._is_new:
            self._require_free()
            with self._alone():
                if self._is_new:  # nobody has begun it meanwhile
                    self.place.claim(self.study)
        with self._opened() as desks:
            known = [cell for desk in desks for cell in self._cells(desk.finding())]
            self.place.require(self.study, known)
            with self._alone():
                write_text(self._home, desks[0].trials.database.home)
                self.place.claim(self.study)
                yield desks

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Lock the folder for this block; refuse if another process has it."""
        file = hold(self.place.path / "cells" / ".search.lock", wait=False)
        if file is None:
            raise RunError(
                f"another command searches in {self.place.path}. Wait for it, or share a storage and "
                "choose another --out."
            )
        with file:
            yield

    def ran(self, findings: Sequence[Finding]) -> list[StudyCell]:
        """Finished cells in this folder, those of better trials first."""
        return [
            cell
            for finding in findings
            for cell in self._cells(replace(finding, trials=tuple(finding.ranked)))
            if RunFolder(path=cell.folder).is_finished
        ]

    def write(self, findings: Sequence[Finding]) -> None:
        """Write all trials, and the recipe of the best trial of each search."""
        write_json(
            self.place.path / TRIALS,
            [_plain(finding.branch, trial) for finding in findings for trial in finding.trials],
        )
        for finding in findings:
            for trial in finding.ranked[:1]:
                recipe = finding.branch.recipe(finding.branch.drawn(trial.values))
                write_text(self.best(finding.branch), recipe_text(recipe))

    def best(self, branch: Branch) -> Path:
        """File of the best trial's recipe, for every seed of the study."""
        return self.place.path / (f"best-{branch.folder}.yaml" if branch.folder else "best.yaml")

    @property
    def _home(self) -> Path:
        """File with the identifier of this folder in the database."""
        return self.place.path / "cells" / ".home"

    @property
    def _is_new(self) -> bool:
        """Whether there is no database yet."""
        assert self.study.search is not None
        return self.study.search.storage is None and not (self.place.path / DATABASE).exists()

    def _require_free(self) -> None:
        """Check what can be checked without a database."""
        branches(self.study, code=self.code)
        require_optuna()
        self.place.require(self.study, ())

    def _cells(self, finding: Finding) -> Iterator[StudyCell]:
        """Cells of all trials whose values are drawn."""
        fields = {dimension.field for dimension in finding.branch.space}
        for trial in finding.trials:
            with contextlib.suppress(ConfigError):  # it has failed for that, and has no runs
                if fields <= set(trial.values):
                    yield from finding.branch.cells(trial.number, trial.values, self.place.path)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[tuple[SearchSession, ...]]:
        """The open trials of each search."""
        search, found = self.study.search, branches(self.study, code=self.code)
        assert search is not None
        require_optuna()
        address = search.storage or sqlite((self.place.path / DATABASE).resolve())
        home = self._home.read_text(encoding="utf-8") if self._home.exists() else uuid.uuid4().hex
        with open_database(address, home) as database:
            yield tuple(
                SearchSession(
                    branch=branch,
                    trials=open_trials(
                        database,
                        search,
                        branch.space,
                        name="/".join(part for part in (self.study.study, branch.name) if part),
                        is_minimized=branch.is_minimized,
                        settings=_settings(self.study, branch),
                    ),
                )
                for branch in found
            )


def _settings(study: Study, branch: Branch) -> dict[str, object]:
    """Settings that must not change while a search continues."""
    assert study.search is not None
    chosen = [choice.changes for choice in branch.combination.choices]
    return {
        "search": {
            "fields": dict(study.search.fields),
            "sampler": study.search.sampler,
            "seed": study.search.seed,
        },
        "seeds": list(branch.combination.seeds),
        "set": {path: value for changes in (study.set, *chosen) for path, value in changes.items()},
        "base": study.base,
    }


def _plain(branch: Branch, trial: Trial) -> dict[str, object]:
    """A trial as JSON values."""
    return {
        "search": branch.name,
        "trial": trial.number,
        "state": trial.state,
        "score": trial.score,
        "metric": trial.metric,
        "values": dict(trial.values),
        "reason": trial.reason,
    }
