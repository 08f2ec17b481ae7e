"""Trials at work: killed, failing, shared with others; and what Optuna itself reads in their database."""

import contextlib
import functools
import json
import multiprocessing
import os
import signal
import statistics
import time

import pytest

from lmdistill.analysis.metric_format import metric_format
from lmdistill.core.errors import RunError
from lmdistill.core.file_lock import hold
from lmdistill.metrics.classification import METRICS
from lmdistill.recipes.files import read_recipe
from lmdistill.records.record import TRIALS_NOTE
from lmdistill.studies.search import optuna_storage, runner
from lmdistill.studies.search.search_folder import SearchFolder
from tests.studies.child import STEPS
from tests.studies.parent import ended, started
from tests.studies.search.conftest import EPOCHS, RATE
from tests.studies.test_runner import is_alive, until

EITHER = {"student.keep": [0.3, 0.5], "schedule": {"near": {"name": "direct"}, "far": {"name": "path", "kept": [0.4]}}}  # fmt: skip


def runs_in(folder):
    """Names of the run folders, and when their records were written."""
    return {path.parent.name: path.stat().st_mtime_ns for path in sorted(folder.glob("*/record.json"))}


def essence(trials):
    """What must not depend on kills."""
    return [(trial.number, trial.state, trial.values, trial.score) for trial in trials]


@contextlib.contextmanager
def stored(path, name="small"):
    """The study as Optuna reads it."""
    import optuna

    with optuna_storage.asking(""):
        storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
        yield optuna.load_study(study_name=name, storage=storage)
        storage.engine.dispose()


def test_every_trial_is_run_once_for_each_seed_and_its_value_is_their_mean(bench):
    import optuna

    keys = {"seeds": [0, 7], "search": {"trials": 2}}
    trials = bench.trials(**keys)
    folder = bench.folder / "out"
    before = runs_in(folder)
    assert list(before) == [f"trial-{number:03d}-seed{seed}" for number in range(2) for seed in (0, 7)]
    for trial in trials:
        assert trial.state == "done"
        assert trial.metric == ("dev", "accuracy")
        assert trial.score == pytest.approx(trial.values[RATE] + (0.00 + 0.07) / 2)
    assert bench.trials(**keys) == trials
    assert runs_in(folder) == before
    best = max(trials, key=lambda trial: trial.score)
    again = read_recipe(folder / "best.yaml")
    assert again.training.optimizer.learning_rate == best.values[RATE]
    assert again.seeds == (0, 7)
    assert TRIALS_NOTE in (folder / "README.md").read_text()
    assert len(json.loads((folder / "trials.json").read_text())) == 2
    with stored(folder / "search.db") as study:  # what Optuna itself reads
        assert study.direction == optuna.study.StudyDirection.MAXIMIZE
        assert [one.value for one in study.get_trials()] == [trial.score for trial in trials]
        assert [one.params for one in study.get_trials()] == [trial.values for trial in trials]
        assert study.best_value == best.score


@pytest.mark.slow
def test_fewer_nats_are_better(nats):
    import optuna

    keys = {"base": {"texts": {"rows": 20}, "method": {"name": "sft"}}, "search": {"trials": 2}}
    (finding,) = nats.run(**keys)
    scores = [trial.score for trial in finding.ranked]
    assert scores == sorted(scores)
    assert len(scores) == 2
    with stored(nats.folder / "out" / "search.db") as study:
        assert study.direction == optuna.study.StudyDirection.MINIMIZE
        assert study.best_value == scores[0]


def test_no_headline_is_searched_in_the_wrong_direction():
    assert not [metric for metric in METRICS if metric_format(metric).lower_is_better]
    assert metric_format("nats").lower_is_better


@pytest.fixture
def eager(monkeypatch):
    """The estimator begins after two trials, not after ten."""
    import optuna

    early = functools.partial(optuna.samplers.TPESampler, n_startup_trials=2)
    monkeypatch.setattr(optuna.samplers, "TPESampler", early)


def tried(bench, out, *lengths, **search):
    """The values of trials with made-up scores; the database is opened anew for each length.

    All but the last opening leave a trial that has begun and has no score, as a kill does.
    """
    for length in lengths:
        is_cut = length != lengths[-1]
        study, place = bench.prepared(out, {**search, "trials": length + is_cut})
        with SearchFolder(study=study, place=place).held() as (desk,):
            for trial in desk.trials.all():
                if trial.state == "ours":
                    score(desk, desk.trials.drawn(trial))
            while len(desk.trials.all()) < length:
                score(desk, desk.trials.begin())
            if is_cut:
                desk.trials.begin()
    return [trial.values for trial in bench.known(out, {**search, "trials": lengths[-1]})]


def score(desk, trial):
    """End a trial with a score that has a best point."""
    desk.trials.done(trial, [-((trial.values[RATE] - 0.2) ** 2)], ("dev", "accuracy"))


@pytest.mark.parametrize("sampler", [pytest.param("random", marks=pytest.mark.slow), "tpe"])
def test_what_is_drawn_depends_on_the_seed_and_on_what_was_found_and_not_on_restarts(bench, eager, sampler):
    whole = tried(bench, "whole", 4, sampler=sampler)
    assert tried(bench, "cut", 1, 3, 4, sampler=sampler) == whole
    assert len({values[RATE] for values in whole}) == 4
    other = tried(bench, "other", 1, sampler=sampler, seed=1)
    assert not {values[RATE] for values in other} & {values[RATE] for values in whole}


@pytest.mark.slow
def test_samplers_differ_once_something_is_known(bench, eager):
    by_chance, estimated = (tried(bench, name, 4, sampler=name) for name in ("random", "tpe"))
    assert by_chance != estimated


@pytest.mark.slow
def test_a_search_killed_twice_ends_with_the_trials_of_one_left_alone(bench, monkeypatch, eager):
    search = {"trials": 4}
    whole = bench.trials(out="whole", search=search)
    monkeypatch.setenv("STUDY_STEP", "0.05")
    for name in ("trial-001-seed0", "trial-003-seed0"):
        process = started(bench.run, search=search)
        until(lambda name=name: len(bench.steps(name)) >= 2)
        process.kill()
        assert ended(process) == -signal.SIGKILL
        until(lambda name=name: not any(is_alive(pid) for _, pid in bench.steps(name)), seconds=3)
    monkeypatch.setenv("STUDY_STEP", "0")
    assert essence(bench.trials(search=search)) == essence(whole)
    for trial in whole:
        steps = bench.steps(f"trial-{trial.number:03d}-seed0")
        assert [step for step, _ in steps] == list(range(STEPS))  # none lost, none twice
    assert len({pid for _, pid in bench.steps("trial-003-seed0")}) == 2


def test_a_search_killed_between_a_run_and_its_score_draws_the_same_trials(bench, monkeypatch, eager):
    search = {"trials": 4}
    whole = bench.trials(out="whole", search=search)
    told, tell = [], runner._tell

    def killed_at_the_second(found):
        told.append(found)
        if len(told) == 2:
            raise KeyboardInterrupt
        tell(found)

    monkeypatch.setattr(runner, "_tell", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        bench.run(search=search)
    monkeypatch.setattr(runner, "_tell", tell)
    assert [trial.state for trial in bench.known(search=search)] == ["done", "ours"]
    assert (bench.folder / "out" / "trial-001-seed0" / "record.json").exists()
    assert essence(bench.trials(search=search)) == essence(whole)


def test_who_is_asked_to_end_ends_the_runs_first(bench, monkeypatch):
    monkeypatch.setenv("STUDY_STEP", "0.05")
    process = started(bench.run, jobs=2)
    names = ("trial-000-seed0", "trial-001-seed0")
    until(lambda: all(bench.steps(name) for name in names))
    os.kill(process.pid, signal.SIGINT)
    assert ended(process) == 1
    assert not any(is_alive(pid) for name in names for _, pid in bench.steps(name))
    assert [trial.state for trial in bench.known()] == ["ours", "ours"]


def test_two_at_once_are_as_many_trials(bench, monkeypatch):
    monkeypatch.setenv("STUDY_STEP", "0.01")
    most = []
    trials = bench.trials(
        jobs=2,
        watch=lambda board: most.append(sum(run.state == "running" for run in board)),
        search={"trials": 3},
    )
    assert max(most) == 2
    assert [trial.state for trial in trials] == ["done"] * 3


def test_a_failing_trial_stops_no_other_and_is_tried_again_when_all_others_are_through(bench, monkeypatch):
    monkeypatch.setenv("STUDY_KD trial-000", "mistake")
    first = bench.trials(search={"trials": 2}, seeds=[0, 1])
    assert [trial.state for trial in first] == ["failed", "done"]
    assert first[0].code == 2
    assert first[0].reason.startswith("the teacher is ill. See a doctor. Log: ")
    assert not (bench.folder / "out" / "trial-000-seed1").exists()  # the trial is lost already
    with stored(bench.folder / "out" / "search.db") as study:
        assert [one.state.name for one in study.get_trials()] == ["FAIL", "COMPLETE"]
    monkeypatch.delenv("STUDY_KD trial-000")
    before = runs_in(bench.folder / "out")
    grown = bench.trials(search={"trials": 3}, seeds=[0, 1])
    assert [trial.state for trial in grown] == ["failed", "done", "done"]
    again = bench.trials(search={"trials": 3}, seeds=[0, 1])
    assert [trial.state for trial in again] == ["done"] * 3
    assert [trial.values for trial in again[:2]] == [trial.values for trial in first]
    assert before.items() <= runs_in(bench.folder / "out").items()
    assert set(runs_in(bench.folder / "out")) - set(before) == {
        f"trial-{number}-seed{seed}" for number in ("000", "002") for seed in (0, 1)
    }


def test_a_score_that_does_not_exist_is_a_failure(bench, monkeypatch):
    monkeypatch.setenv("STUDY_FIELD", "data.rows")
    (trial,) = bench.trials(search={"trials": 1})
    assert trial.state == "failed"
    assert trial.reason == "accuracy on dev is [None], which has no mean. See its runs."


@pytest.mark.slow
def test_what_no_recipe_takes_fails_and_what_was_done_is_not_done_again(bench, monkeypatch):
    monkeypatch.setenv("STUDY_FIELD", "student.keep")
    trials = bench.trials(search={"fields": EITHER, "trials": 8, "sampler": "random"})
    wrong = {"student.keep": 0.5, "schedule": "far"}
    assert {trial.state for trial in trials if trial.values == wrong} == {"failed"}
    assert all("schedule.kept is 0.4" in trial.reason for trial in trials if trial.values == wrong)
    for trial in trials:
        assert trial.values == wrong or trial.score == trial.values["student.keep"]
    different = {tuple(trial.values.items()) for trial in trials if trial.values != wrong}
    assert len(runs_in(bench.folder / "out")) == len(different) < len(trials)


def test_axes_beside_a_search_have_a_search_each(bench):
    methods = {"FT": {"name": "finetune"}, "KD": {"name": "kd"}}
    findings = bench.run(base={"task": "synthetic", "methods": methods}, search={"trials": 1})
    assert [finding.branch.name for finding in findings] == ["FT", "KD"]
    assert list(runs_in(bench.folder / "out")) == [f"{name}-trial-000-seed0" for name in methods]
    for name, cls in (("FT", "FineTune"), ("KD", "KD")):
        recipe = read_recipe(bench.folder / "out" / f"best-{name}.yaml")
        assert [type(method).__name__ for method in recipe.methods.values()] == [cls]


def test_two_commands_in_one_folder_are_refused(bench):
    study, place = bench.prepared()
    with (
        SearchFolder(study=study, place=place).held(),
        pytest.raises(RunError, match=r"^another command searches in .*out\. Wait for it"),
    ):
        bench.run()


def test_a_command_that_is_refused_does_not_write_its_study_into_a_folder_that_another_begins(bench):
    study, place = bench.prepared()
    place.claim(study)
    written = (place.path / "study.yaml").read_text()
    with hold(place.path / "cells" / ".search.lock"):  # it has not come as far as its database
        with pytest.raises(RunError, match=r"^another command searches in .*out\. Wait for it"):
            bench.run(search={"seed": 7})
        assert (place.path / "study.yaml").read_text() == written
        assert not (place.path / "search.db").exists()
    assert [trial.state for trial in bench.trials(search={"trials": 1, "seed": 7})] == ["done"]
    assert "seed: 7" in (place.path / "study.yaml").read_text()


@pytest.fixture
def shared(bench, monkeypatch):
    """The address of a database, and machines that are given up soon."""
    monkeypatch.setattr(optuna_storage, "BEAT", 1)
    monkeypatch.setattr(optuna_storage, "GRACE", 1)
    monkeypatch.setattr(runner, "BEAT", 0.2)
    return f"sqlite:///{bench.folder / 'shared.db'}"


@pytest.mark.slow
def test_live_trials_of_another_machine_are_left_to_it(bench, shared, monkeypatch):
    search = {"storage": shared, "trials": 3}
    bench.known(search=search)  # both find the tables
    monkeypatch.setenv("STUDY_STEP", "0.4")  # longer than the grace
    process = started(bench.run, out="there", search={**search, "trials": 1})
    until(lambda: bench.steps("trial-000-seed0", out="there"))
    monkeypatch.setenv("STUDY_STEP", "0")
    trials = bench.trials(search=search)
    assert ended(process) == 0
    assert [trial.state for trial in trials] == ["done"] * 3
    assert set(runs_in(bench.folder / "there")) == {"trial-000-seed0"}
    assert set(runs_in(bench.folder / "out")) == {f"trial-{number:03d}-seed0" for number in (1, 2)}


def test_a_trial_of_a_dead_machine_is_taken_over_with_its_values(bench, shared, monkeypatch):
    search = {"storage": shared, "trials": 2}
    monkeypatch.setenv("STUDY_STEP", "0.3")  # what it has begun is not over before it notices the kill
    process = started(bench.run, out="there", search=search)
    until(lambda: len(bench.steps("trial-000-seed0", out="there")) >= 2)
    process.kill()
    assert ended(process) == -signal.SIGKILL
    (lost,) = bench.known(search=search)
    assert lost.state == "elsewhere"
    monkeypatch.setenv("STUDY_STEP", "0")
    trials = bench.trials(search=search)
    assert [trial.state for trial in trials] == ["done"] * 2
    assert trials[0].values == lost.values
    assert set(runs_in(bench.folder / "out")) == {"trial-000-seed0", "trial-001-seed0"}
    # the machine comes back: nothing is left to do, and what it had begun stays as it is
    assert bench.trials(out="there", search=search) == trials
    assert runs_in(bench.folder / "there") == {}


@pytest.mark.slow
def test_what_a_dead_machine_was_to_try_again_is_taken_over_too(bench, shared, monkeypatch):
    search, end = {"storage": shared, "trials": 2}, time.monotonic() + 20
    for number in range(2):
        monkeypatch.setenv(f"STUDY_KD trial-00{number}", "mistake")
    assert [trial.state for trial in bench.trials(out="there", search=search)] == ["failed"] * 2
    study, place = bench.prepared("there", search)
    with SearchFolder(study=study, place=place).held() as (desk,):
        for trial in desk.finding().failed:
            desk.trials.again(trial)  # and is killed before it begins
    for number in range(2):
        monkeypatch.delenv(f"STUDY_KD trial-00{number}")

    def watch(board):
        assert time.monotonic() < end, "nobody takes them over"

    assert [trial.state for trial in bench.trials(search=search, watch=watch)] == ["done"] * 2


def test_machines_may_open_a_new_database_at_the_same_moment(bench):
    address, barrier = f"sqlite:///{bench.folder / 'new.db'}", multiprocessing.get_context("fork").Barrier(4)

    def opened():
        barrier.wait()
        with optuna_storage.open_database(address, "home"):
            pass

    processes = [started(opened) for _ in range(4)]
    assert [ended(process) for process in processes] == [0] * 4


@pytest.mark.parametrize("name", ["what?/a", "50%20/a", "a#b", "{a}"])
def test_the_database_lies_in_the_folder_whatever_that_is_called(bench, name):
    study, place = bench.prepared(out=name)
    with SearchFolder(study=study, place=place).held():
        assert (place.path / "search.db").is_file()


def test_one_trial_too_many_is_given_back(bench):
    study, place = bench.prepared(search={"trials": 1})
    with SearchFolder(study=study, place=place).held() as (desk,):
        assert desk.trials.begin() is not None
        assert desk.trials.begin() is None
        assert len(desk.trials.all()) == 1


@pytest.mark.slow
def test_what_is_drawn_lies_in_its_range(bench):
    fields = {
        EPOCHS: {"low": 2, "high": 4},
        RATE: {"low": "1e-6", "high": "1e-2", "log": True},
        "student.layers": {"one": 1, "two": [0, 1]},
        "training.batch_size": [8, 16],
    }
    study, place = bench.prepared(search={"trials": 12, "fields": fields, "sampler": "random"})
    with SearchFolder(study=study, place=place).held() as (desk,):
        found = [desk.trials.begin().values for _ in range(12)]
    assert {type(values[EPOCHS]) for values in found} == {int}
    assert {values[EPOCHS] for values in found} == {2, 3, 4}
    assert all(1e-6 <= values[RATE] <= 1e-2 for values in found)
    assert 1e-5 < statistics.median(values[RATE] for values in found) < 1e-3  # evenly by ratio
    assert {values["student.layers"] for values in found} == {1, "two"}
    assert {values["training.batch_size"] for values in found} == {8, 16}
    drawn = [desk.branch.recipe(desk.branch.drawn(values)).student.layers for values in found]
    assert set(drawn) == {1, (0, 1)}
