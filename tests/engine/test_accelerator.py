import json
import subprocess
import sys

import pytest
import torch

from lmdistill.core.errors import ConfigError
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.methods import CLASSIFIER_METHODS, KD
from tests.engine.corpus import Run, course
from tests.tiny import make_batch, tiny
from tests.tiny_recipe import ROOT, environment


@pytest.mark.parametrize("name", CLASSIFIER_METHODS)
def test_bfloat16_gives_nearly_the_same_first_steps(name, tmp_path):
    full = Run(CLASSIFIER_METHODS[name](), tmp_path / "full", course(), stop_at=2)
    half = Run(CLASSIFIER_METHODS[name](), tmp_path / "half", course(precision="bf16"), stop_at=2)
    assert half.curve == pytest.approx(full.curve, rel=5e-2)
    assert half.curve != pytest.approx(full.curve, rel=1e-6)


def test_precision_can_change_from_run_to_run_within_a_process(tmp_path):
    runs = [
        Run(KD(), tmp_path / str(n), course(precision=precision), stop_at=2)
        for n, precision in enumerate(["fp32", "bf16", "fp32", "bf16"])
    ]
    assert runs[0].curve == runs[2].curve != runs[1].curve == runs[3].curve


def test_weights_and_what_is_scored_stay_in_float32(tmp_path):
    answers = []
    inputs = make_batch().inputs

    def evaluate(net):
        with torch.no_grad():
            answers.append(net(inputs).logits)
        return {"score": 0.0}

    run = Run(KD(), tmp_path, course(precision="bf16"), evaluate=evaluate)
    assert {value.dtype for value in run.weights.values() if value.is_floating_point()} == {torch.float32}
    fresh = tiny(seed=9)
    fresh.load_state_dict(run.weights)
    assert answers[-1].dtype == torch.float32
    torch.testing.assert_close(answers[-1], fresh(inputs).logits.detach(), rtol=0, atol=1e-6)
    torch.testing.assert_close(run.student.eval()(inputs).logits, fresh(inputs).logits, rtol=0, atol=1e-6)


def test_the_recipe_says_the_precision_and_not_the_launcher(monkeypatch, tmp_path):
    plain = Run(KD(), tmp_path / "plain", stop_at=2)
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    assert Run(KD(), tmp_path / "launched", stop_at=2).curve == plain.curve


def test_a_device_without_bfloat16_is_said(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    with pytest.raises(
        ConfigError,
        match=r"bf16 and this device does not support bfloat16\. Set training\.precision to fp32\.",
    ):
        make_accelerator(course(precision="bf16"))


@pytest.mark.slow
def test_a_compiled_student_learns_the_same(tmp_path):
    """In a process of its own: the compiler cannot read the checks of shapes that tests add."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.engine.compiled", str(tmp_path)],
        cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["compiled"]["curve"] == pytest.approx(found["plain"]["curve"], rel=1e-4)
    assert found["compiled"]["curve"] != found["plain"]["curve"]
    assert found["compiled"]["weights"] == found["plain"]["weights"]
