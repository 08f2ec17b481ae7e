import pytest

from lmdistill.core.atomic_io import read_json, write_json
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


def test_only_the_newest_checkpoint_is_kept_and_nothing_half_written(tmp_path):
    cut(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["step-4"]
    assert read_json(tmp_path / "step-4" / "state.json")["step"] == 4
    Run(KD(), tmp_path, course(checkpoint_every=2, keep="best"), evaluate=steady)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best", "step-8"]


def test_the_newest_is_so_by_number(tmp_path):
    for step in (8, 10, 9):
        (tmp_path / f"step-{step}").mkdir()
    assert (
        Checkpoints(folder=tmp_path, accelerator=make_accelerator(course())).newest() == tmp_path / "step-10"
    )


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
    (tmp_path / "cut" / "step-2").mkdir()
    assert same(Run(KD(), tmp_path / "cut", course(checkpoint_every=2)).weights, whole.weights)


def test_another_number_of_processes_is_refused(tmp_path):
    cut(tmp_path)
    state = tmp_path / "step-4" / "state.json"
    write_json(state, {**read_json(state), "processes": 2})
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
