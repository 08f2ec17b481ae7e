"""Two processes against one: the same curves, one writer, the same mistakes said by both."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from lmdistill.core.errors import LmdistillError
from lmdistill.engine.distributed import broadcast_from_main, is_main, main_process_first, on_main_process
from lmdistill.methods import FineTune
from tests.engine.corpus import course, feed
from tests.engine.two_process_worker import CASES, LANGUAGE_CASES, NESTED_CASES, main
from tests.tiny_recipe import ROOT, environment, history, write_recipe

LAUNCH = (
    "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1",
    "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0",
)  # fmt: skip
"""Two processes where there is no device; `accelerate launch --cpu` starts one, whatever it is asked for."""


def test_alone_everything_is_done_here():
    assert is_main()
    assert on_main_process(lambda: 3) == broadcast_from_main(3) == 3
    with main_process_first():
        pass
    with pytest.raises(LmdistillError, match="mine"), main_process_first():
        raise LmdistillError("mine")


@pytest.mark.parametrize("accumulate", [1, 2])
def test_two_processes_work_off_the_batch_of_one(accumulate):
    whole = feed(FineTune(), course()).loader(start=3, processes=1, process=0)
    halves = [
        feed(FineTune(), course(accumulate=accumulate)).loader(start=3, processes=2, process=process)
        for process in (0, 1)
    ]
    assert len(whole) == len(halves[0]) == len(halves[1]) == 5
    for (batch,), *windows in zip(whole, *halves, strict=True):
        rows = np.concatenate([part.examples for window in windows for part in window])
        assert sorted(rows) == sorted(batch.examples.tolist())
        assert {len(window) for window in windows} == {accumulate}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What one process finds, and each of two that are launched together."""
    folder = tmp_path_factory.mktemp("two_processes")
    for name in ("one", "two"):
        methods = {"KD": {"name": "kd"}, "MixKD": {"name": "mixkd"}}
        write_recipe(folder / name, dropout=0.0, epochs=3, methods=methods)
    launched = subprocess.Popen(
        [sys.executable, "-m", *LAUNCH, "-m", "tests.engine.two_process_worker", str(folder / "two")],
        cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    threads = torch.get_num_threads()
    try:
        main(folder / "one")
        _, said = launched.communicate(timeout=300)
    finally:
        torch.set_num_threads(threads)
        launched.kill()
    assert launched.returncode == 0, said
    names = {"one": "process-0-of-1", "main": "process-0-of-2", "other": "process-1-of-2"}
    return folder, {name: json.loads((folder / f"{file}.json").read_text()) for name, file in names.items()}


@pytest.mark.parametrize(
    ("name", "accumulate"),
    CASES + LANGUAGE_CASES + [(f"nested-{name}", pieces) for name, pieces in NESTED_CASES],
)
def test_two_processes_give_the_curve_of_one(name, accumulate, found):
    one, two = (found[1][who]["curves"][f"{name}-{accumulate}"] for who in ("one", "main"))
    assert len(one["curve"]) == 8
    assert two["curve"] == pytest.approx(one["curve"], rel=1e-5)
    assert two["counts"] == one["counts"]
    assert two["scores"] == pytest.approx(one["scores"], rel=1e-4)
    assert two["best"] == one["best"]
    for part, size in one["weights"].items():
        if not part.endswith("key.bias"):  # shifts all scores of a softmax: its gradient is rounding alone
            assert two["weights"][part] == pytest.approx(size, rel=1e-4), part


def test_both_processes_end_with_the_same_weights_and_only_the_main_one_is_told(found):
    for name, main_saw in found[1]["main"]["curves"].items():
        other_saw = found[1]["other"]["curves"][name]
        assert other_saw["weights"] == main_saw["weights"]
        assert other_saw["best"] == main_saw["best"]
        assert other_saw["curve"] == other_saw["scores"] == []


def test_only_the_main_process_writes(found):
    assert found[1]["other"]["written"] == []
    written = " ".join(found[1]["main"]["written"])
    assert all(name in written for name in ("record.json", "history.jsonl", "recipe.yaml", "report.html"))


def test_values_are_the_main_processs(found):
    assert found[1]["main"]["shared"] == found[1]["other"]["shared"] == [0, 0]


def test_a_mistake_is_said_by_every_process(found):
    once_said, first_said, diverged = found[1]["main"]["failures"]
    assert once_said == first_said == "only the main process could know"
    assert found[1]["other"]["failures"] == [once_said, first_said, diverged]
    alone = found[1]["one"]["failures"][2]
    assert diverged.split(", on training rows")[0] == alone.split(", on training rows")[0]
    assert rows_in(diverged) == rows_in(alone)


def rows_in(message):
    return sorted(message.split("on training rows ")[1].split(". The last")[0].split(", "))


@pytest.mark.parametrize("cell", ["KD-seed3", "MixKD-seed3"])
def test_the_run_folder_of_two_processes_is_whole(cell, found):
    one, two = (found[0] / name / "run" / cell for name in ("one", "two"))
    listing = [sorted(str(path.relative_to(run)) for path in run.rglob("*")) for run in (one, two)]
    assert listing[0] == listing[1]
    assert "checkpoints" not in listing[0]
    assert len(history(one)) == len(history(two)) == 3 * 6 + 4
    for ours, theirs in zip(history(one), history(two), strict=True):
        assert ours.keys() == theirs.keys()
        assert ours["step"] == theirs["step"]
        if "loss" in ours:
            assert theirs["loss"] == pytest.approx(ours["loss"], rel=1e-4)


@pytest.mark.slow
def test_the_command_speaks_once(tmp_path):
    recipe = write_recipe(tmp_path, method={"name": "kd"})
    arguments = ["-m", "lmdistill", "distill", str(recipe), "--out", str(tmp_path / "run")]
    launched = [
        subprocess.run(
            [sys.executable, *before, *rest], cwd=ROOT, env=environment(), capture_output=True, text=True,
            timeout=300, check=False,
        )
        for before, rest in (((), [*arguments[:-1], str(tmp_path / "alone")]), (("-m", *LAUNCH), arguments))
    ]  # fmt: skip
    assert [process.returncode for process in launched] == [0, 0]
    assert launched[0].stderr == launched[1].stderr
    assert launched[0].stdout.count("report:") == launched[1].stdout.count("report:") == 1
    wrong = [*arguments, "--set", "method.alpha=0.7"]
    refused = subprocess.run(
        [sys.executable, "-m", *LAUNCH, *wrong], cwd=ROOT, env=environment(), capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert refused.returncode != 0
    assert refused.stderr.count("holds another run") == 1
