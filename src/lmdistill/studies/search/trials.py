"""The trials of a search in Optuna's storage.

A running trial stores the identifier of its study folder. After a kill, a command continues the trials of
its own folder; those of other folders are taken over once their heartbeat stops. Each trial has its own
sampler and seed, so what is drawn depends only on what is stored.
"""

import contextlib
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from lmdistill.core.errors import RunError
from lmdistill.core.seeding import derive
from lmdistill.runs.run_folder import first_difference
from lmdistill.studies.search.optuna_storage import HOME, PLACE, Database, asking, begin
from lmdistill.studies.search.settings import Search
from lmdistill.studies.search.space import Dimension, Scalar

SURPLUS, METRIC, REASON, CODE = "surplus", "metric", "reason", "code"
"""User attributes of a trial: whether it was surplus, its metric, why it failed, and the exit code."""

SETTINGS = "lmdistill"
"""User attribute of an Optuna study that holds the settings of its search."""

STATES = ("COMPLETE", "FAIL", "RUNNING")
"""The states of Optuna that count; queued and pruned trials do not occur here."""

State = Literal["done", "failed", "ours", "elsewhere"]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One trial of a search."""

    number: int
    """Number of the trial, and in the names of its runs."""

    key: int
    """Number of its last try in the database."""

    state: State
    """State of the trial; running ones are `ours` if started in this folder, else `elsewhere`."""

    values: Mapping[str, Scalar]
    """Drawn values as stored; complete once the trial is `done` or `failed`."""

    score: float | None = None
    """Mean headline metric over the seeds of a finished trial."""

    metric: tuple[str, str] | None = None
    """Split and name of the headline metric."""

    reason: str = ""
    """Why the trial failed, one line."""

    code: int = 0
    """Exit code of the failed run."""


@dataclass(frozen=True, kw_only=True)
class Trials:
    """The trials of one search."""

    study: Any
    """The Optuna study."""

    database: Database
    """Where the trials are kept: a file of the study, or a database that machines share."""

    search: Search
    """Settings of the search."""

    space: tuple[Dimension, ...]
    """The search space."""

    def all(self) -> list[Trial]:
        """All trials in the order of their numbers."""
        kept: dict[int, Trial] = {}
        for one in self._stored():
            if one.state.name in STATES and not one.user_attrs.get(SURPLUS):
                trial = _trial(one, self.database.home)
                kept[trial.number] = trial  # a later try stands for the earlier ones
        return [kept[number] for number in sorted(kept)]

    def begin(self) -> Trial | None:
        """A new trial; None if other machines have started the last ones."""
        self._add({}, {}, {})
        known = self.all()
        new = max(known, key=lambda trial: trial.key if trial.state == "ours" else -1)
        if known.index(new) < self.search.trials:
            return self.drawn(new)
        self._note(new.key, {SURPLUS: True})
        self._tell(new.key, None)
        return None

    def drawn(self, trial: Trial) -> Trial:
        """The trial with all its values; values drawn before a kill are kept."""
        with asking(self.database.where) as optuna:
            self.study.sampler = _sampler(optuna, self.search, trial.key)
            drawing = optuna.trial.Trial(self.study, self._id(trial.key))
            values = {dimension.field: _draw(drawing, dimension) for dimension in self.space}
        self.beat([trial.key])
        return replace(trial, values=values)

    def again(self, failed: Trial) -> None:
        """Start a failed trial once more, with the same values."""
        one = next(one for one in self._stored() if one.number == failed.key)
        self._add(one.params, one.distributions, {PLACE: failed.number})

    def done(self, trial: Trial, scores: Sequence[float], metric: tuple[str, str]) -> None:
        """Store the mean metric over the seeds."""
        self._note(trial.key, {METRIC: list(metric)})
        self._tell(trial.key, statistics.fmean(scores))

    def fail(self, trial: Trial, reason: str, code: int) -> None:
        """Store that the trial failed, and why."""
        self._note(trial.key, {REASON: reason, CODE: code})
        self._tell(trial.key, None)

    def beat(self, keys: Sequence[int]) -> None:
        """Tell the storage that these trials are at work, so that no other machine takes them over."""
        with asking(self.database.where):
            for key in keys:
                self.database.storage.record_heartbeat(self._id(key))

    def take_over(self) -> None:
        """Take over trials without a heartbeat, with the values that they have."""
        with asking(self.database.where) as optuna:
            optuna.storages.fail_stale_trials(self.study)

    def _stored(self) -> Sequence[Any]:
        """Optuna's stored trials."""
        with asking(self.database.where):
            found: Sequence[Any] = self.study.get_trials(deepcopy=False)
        return found

    def _add(self, params: Mapping[str, Any], spaces: Mapping[str, Any], attributes: dict[str, Any]) -> None:
        """Add a trial that is running and owned from the start, so no kill leaves it without an owner."""
        with asking(self.database.where) as optuna:
            ours = {HOME: self.database.home, **attributes}
            begin(optuna, self.database.storage, self.study, params, spaces, ours)

    def _note(self, key: int, attributes: Mapping[str, Any]) -> None:
        """Store user attributes of a trial, unless it was taken over."""
        with asking(self.database.where) as optuna:
            for name, value in attributes.items():
                with contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):
                    self.database.storage.set_trial_user_attr(self._id(key), name, value)

    def _tell(self, key: int, value: float | None) -> None:
        """End a trial, unless it was taken over."""
        with asking(self.database.where) as optuna:
            state = optuna.trial.TrialState.FAIL if value is None else None
            self.study.tell(key, value, state=state, skip_if_finished=True)

    def _id(self, key: int) -> int:
        """Identifier of a trial in the database."""
        storage = self.database.storage
        study = storage.get_study_id_from_name(self.study.study_name)
        found: int = storage.get_trial_id_from_study_id_trial_number(study, key)
        return found


def open_trials(
    database: Database,
    search: Search,
    space: tuple[Dimension, ...],
    *,
    name: str,
    is_minimized: bool,
    settings: Mapping[str, Any],
) -> Trials:
    """Open the trials of a search; a new search has none.

    Args:
        database: The storage.
        search: Settings of the search.
        space: The search space.
        name: Name of the Optuna study.
        is_minimized: Whether a smaller score is better.
        settings: Settings that must not change while a search continues.

    Raises:
        RunError: If the stored trials were made with other settings.
    """
    ours = json.loads(json.dumps(settings, default=str))
    with asking(database.where) as optuna:
        study = optuna.create_study(
            storage=database.storage,
            study_name=name,
            direction="minimize" if is_minimized else "maximize",
            load_if_exists=True,
        )
        theirs = study.user_attrs.get(SETTINGS)
        if theirs is None:
            study.set_user_attr(SETTINGS, ours)
    differing = None if theirs is None else first_difference(theirs, ours)
    if differing:
        what, old, new = differing
        raise RunError(
            f"{database.where} holds another search called {name}: {what} is {old!r} there and {new!r} here. "
            "Choose another --out, or another name where the storage is shared."
        )
    return Trials(study=study, database=database, search=search, space=space)


def _trial(one: Any, home: str) -> Trial:
    """A trial from Optuna's stored one."""
    said = one.user_attrs
    running: State = "ours" if said.get(HOME) == home else "elsewhere"
    states: dict[str, State] = {"COMPLETE": "done", "FAIL": "failed"}
    metric = said.get(METRIC)
    return Trial(
        number=said.get(PLACE, one.number),
        key=one.number,
        state=states.get(one.state.name, running),
        values=dict(one.params),
        score=one.value,
        metric=None if metric is None else (metric[0], metric[1]),
        reason=said.get(REASON, ""),
        code=said.get(CODE, 0),
    )


def _sampler(optuna: Any, search: Search, key: int) -> Any:
    """The sampler of one trial."""
    seed = derive(search.seed, "trial", key) % 2**32
    if search.sampler == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed)


def _draw(trial: Any, dimension: Dimension) -> Scalar:
    """Draw one value, unless the trial has it already."""
    span = dimension.range
    drawn: Scalar
    if span is None:
        drawn = trial.suggest_categorical(dimension.field, dimension.options)
    elif span.is_whole:
        drawn = trial.suggest_int(dimension.field, span.low, span.high, log=span.log)
    else:
        drawn = trial.suggest_float(dimension.field, span.low, span.high, log=span.log)
    return drawn
