import logging
import random

import pytest

from lmdistill.core.atomic_io import read_json, write_json
from lmdistill.core.checksums import MANIFEST, write_manifest
from lmdistill.core.errors import RunError
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.checkpoint import Checkpoints, TrainingState
from lmdistill.methods import KD
from tests.engine.corpus import Run, course, same


def cut(folder, stop_at=5, **changes):
    """A run that was interrupted after step 5; the last checkpoint is of step 4."""
    return Run(KD(), folder, course(checkpoint_every=2, **changes), stop_at=stop_at)


def steady(net):
    return {"score": 0.0}


def test_the_two_newest_checkpoints_are_kept_and_nothing_half_written(tmp_path):
    cut(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-2", "step-4"]
    assert read_json(tmp_path / "step-4" / "state.json")["step"] == 4
    Run(KD(), tmp_path, course(checkpoint_every=2, keep="best"), evaluate=steady)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best", "step-6", "step-8"]


def test_there_are_never_more_than_two_while_one_is_written(tmp_path, monkeypatch):
    seen = []
    write = Checkpoints.save

    def watched(self, state):
        write(self, state)
        seen.append(sorted(path.name for path in tmp_path.glob("*step*")))

    monkeypatch.setattr("lmdistill.engine.checkpoint.write_manifest", lambda part: seen.append(
        sorted(path.name for path in tmp_path.glob("*step*"))) or write_manifest(part))  # fmt: skip
    monkeypatch.setattr(Checkpoints, "save", watched)
    cut(tmp_path, stop_at=9)
    assert max(map(len, seen)) == 2


def test_they_are_in_the_order_of_their_numbers(tmp_path):
    for name in ("step-8", "step-10", "step-9", "step-x", ".step-11.part"):
        (tmp_path / name).mkdir()
    found = Checkpoints(folder=tmp_path, accelerator=make_accelerator(course())).by_step()
    assert [path.name for path in found] == ["step-8", "step-9", "step-10"]


@pytest.mark.parametrize("name", [".step-6.part", ".best.part"])
def test_a_half_written_checkpoint_is_ignored_and_goes_away(name, tmp_path):
    settings = {"checkpoint_every": 2, "keep": "best", "eval_every": 1}
    whole = Run(KD(), tmp_path / "whole", course(**settings), evaluate=steady)
    cut(tmp_path / "cut")
    part = tmp_path / "cut" / name
    part.mkdir()
    (part / "model.safetensors").write_bytes(b"half")
    again = Run(KD(), tmp_path / "cut", course(**settings), evaluate=steady)
    assert again.fitted.resumed == 4
    assert again.curve == whole.curve[4:]
    assert not part.exists()


def test_an_older_checkpoint_that_was_half_removed_does_not_count(tmp_path):
    whole = Run(KD(), tmp_path / "whole", course(checkpoint_every=2))
    cut(tmp_path / "cut")
    for file in list((tmp_path / "cut" / "step-2").iterdir()):
        file.unlink()
    assert same(Run(KD(), tmp_path / "cut", course(checkpoint_every=2)).weights, whole.weights)


def test_another_number_of_processes_is_refused(tmp_path):
    cut(tmp_path)
    state = tmp_path / "step-4" / "state.json"
    write_json(state, {**read_json(state), "processes": 2})
    write_manifest(state.parent)
    with pytest.raises(
        RunError, match=r"step-4 was written by 2 process\(es\) and there are 1 now\. Launch 2, or"
    ):
        Run(KD(), tmp_path, course(checkpoint_every=2))


def test_a_tie_is_no_better():
    state = TrainingState(step=1)
    assert state.record_score(0.5)
    state.step = 2
    assert not state.record_score(0.5)
    assert (state.best_step, state.best_score, state.stale) == (1, 0.5, 1)
    assert state.record_score(0.6)
    assert (state.best_step, state.stale) == (2, 0)


SETTINGS = {"checkpoint_every": 2, "keep": "best", "eval_every": 1}


def rising(net):
    rising.score += 1
    return {"score": float(rising.score)}


@pytest.fixture
def whole(tmp_path):
    """The weights of a run that was not interrupted, by the settings it ended with."""
    rising.score = 0
    return Run(KD(), tmp_path / "whole", course(**SETTINGS), evaluate=rising).weights


def interrupted(folder):
    """The same run, stopped after step 5."""
    rising.score = 0
    Run(KD(), folder, course(**SETTINGS), evaluate=rising, stop_at=5)


def continued(folder):
    """The run that goes on from there."""
    rising.score = 4
    return Run(KD(), folder, course(**SETTINGS), evaluate=rising)


FILES = ("model.safetensors", "optimizer.bin", "random_states_0.pkl", "state.json", MANIFEST)


def damage(path, rng):
    """Change one bit of a file, not of white space."""
    content = bytearray(path.read_bytes())
    while True:
        at = rng.randrange(len(content))
        if content[at : at + 1].strip(b" \n"):
            break
    content[at] ^= 1 << rng.randrange(8)
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("seed", [0, 1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_damaged_checkpoint_is_said_and_the_one_before_is_used(name, seed, tmp_path, whole, caplog):
    interrupted(tmp_path / "cut")
    damage(tmp_path / "cut" / "step-4" / name, random.Random(seed))
    with caplog.at_level(logging.WARNING, "lmdistill"):
        again = continued(tmp_path / "cut")
    assert again.fitted.resumed == 2
    assert same(again.weights, whole)
    (said,) = caplog.messages
    assert "step-4 is damaged (" in said
    assert said.endswith("and is not used.")


@pytest.mark.parametrize("name", [*FILES, "everything"])
def test_a_cut_or_missing_file_is_damage_too(name, tmp_path, whole):
    interrupted(tmp_path / "cut")
    for path in (tmp_path / "cut" / "step-4").iterdir():
        if name == "everything":
            path.unlink()
        elif path.name == name:
            path.write_bytes(path.read_bytes()[:-3])
    again = continued(tmp_path / "cut")
    assert again.fitted.resumed == 2
    assert same(again.weights, whole)


def test_without_a_whole_checkpoint_the_training_begins_again(tmp_path, whole, caplog):
    interrupted(tmp_path / "cut")
    for step in (2, 4):
        damage(tmp_path / "cut" / f"step-{step}" / "model.safetensors", random.Random(step))
    rising.score = 0
    with caplog.at_level(logging.WARNING, "lmdistill"):
        again = Run(KD(), tmp_path / "cut", course(**SETTINGS), evaluate=rising)
    assert again.fitted.resumed == 0
    assert same(again.weights, whole)
    assert caplog.messages[-1].endswith("can be used; the training starts from the beginning.")


def test_without_whole_best_weights_no_checkpoint_is_used(tmp_path, whole, caplog):
    interrupted(tmp_path / "cut")
    damage(tmp_path / "cut" / "best" / "model.safetensors", random.Random(0))
    rising.score = 0
    with caplog.at_level(logging.WARNING, "lmdistill"):
        again = Run(KD(), tmp_path / "cut", course(**SETTINGS), evaluate=rising)
    assert again.fitted.resumed == 0
    assert same(again.weights, whole)
    assert "best/model.safetensors has changed" in caplog.messages[0]


def test_best_weights_that_are_damaged_during_the_run_are_not_loaded(tmp_path):
    rng = random.Random(0)

    def once(net):
        if any(tmp_path.glob("best/model.safetensors")):
            damage(tmp_path / "best" / "model.safetensors", rng)
        return {"score": 0.0}

    with pytest.raises(
        RunError, match=r"best is damaged \(best/model\.safetensors has changed\)\. Run the same"
    ):
        Run(KD(), tmp_path, course(**SETTINGS), evaluate=once)


def as_version_0_1(checkpoint):
    """Without checksums."""
    (checkpoint / MANIFEST).unlink()
    state = read_json(checkpoint / "state.json")
    write_json(checkpoint / "state.json", {key: one for key, one in state.items() if key != "manifest"})


def test_a_checkpoint_of_version_0_1_is_used_and_that_is_said(tmp_path, whole, caplog):
    interrupted(tmp_path / "cut")
    as_version_0_1(tmp_path / "cut" / "step-4")
    (tmp_path / "cut" / "best" / MANIFEST).unlink()
    (tmp_path / "cut" / "step-2").rename(tmp_path / "old")
    with caplog.at_level(logging.INFO, "lmdistill"):
        again = continued(tmp_path / "cut")
    assert again.fitted.resumed == 4
    assert same(again.weights, whole)
    assert [text for text in caplog.messages if "no checksums, because version 0.1 wrote it" in text]


def test_one_of_version_0_1_that_cannot_be_loaded_is_refused_in_one_line(tmp_path):
    interrupted(tmp_path)
    as_version_0_1(tmp_path / "step-4")
    (tmp_path / "step-4" / "model.safetensors").write_bytes(b"half")
    (tmp_path / "best" / MANIFEST).unlink()
    (tmp_path / "step-2" / MANIFEST).unlink()
    with pytest.raises(RunError, match=r"step-4 cannot be loaded \(.*\)\. Remove .* to begin again"):
        continued(tmp_path)


@pytest.mark.parametrize("name", ["step-4", "best"])
def test_killed_between_two_renames_the_older_folder_comes_back(name, tmp_path, whole):
    interrupted(tmp_path / "cut")
    (tmp_path / "cut" / name).rename(tmp_path / "cut" / f".{name}.old")
    again = continued(tmp_path / "cut")
    assert again.fitted.resumed == 4
    assert same(again.weights, whole)
