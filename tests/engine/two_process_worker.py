"""What each of two processes does for `test_processes.py`; the main one writes what it found.

The other one must write nothing but its own part of a checkpoint: every file it opens is looked at.
"""

import json
import sys
from pathlib import Path

import torch

from lmdistill.core.errors import LmdistillError
from lmdistill.engine.distributed import (
    broadcast_from_main,
    is_main,
    main_process_first,
    on_main_process,
    process_state,
)
from lmdistill.methods import CLASSIFIER_METHODS, LANGUAGE_METHODS
from lmdistill.methods.nested import Nested
from lmdistill.models.pruning.families import Widths
from lmdistill.models.pruning.nested_candidates import NestedNetwork
from lmdistill.recipes.files import read_recipe
from lmdistill.runs.run_recipe import run_recipe
from tests.engine.broken import Broken
from tests.engine.corpus import Run, course
from tests.engine.tiny_texts import language_run
from tests.tiny import tiny

CASES = [("kd", 1), ("kd", 2), ("pkd", 1), ("mixkd", 1), ("mixkd", 2)]
"""Methods, and the micro-batches in which each process works off its share."""

NESTED_CASES = [("hidden_kd", 1), ("mixkd", 2)]
"""The same for candidates that are parts of one another."""

LANGUAGE_CASES = [("sft", 1), ("token_kd", 2), ("atkd", 1), ("atkd", 2)]
"""The same for language models."""


def curves(folder):
    """What each case gives."""
    found = {}
    for name, accumulate in CASES:
        training = course(accumulate=accumulate, checkpoint_every=3, eval_every=2, keep="best")
        run = Run(CLASSIFIER_METHODS[name](), folder / f"{name}-{accumulate}", training, evaluate=score)
        found[f"{name}-{accumulate}"] = {
            "curve": run.curve,
            "counts": [step.count for step in run.steps],
            "scores": [scores["weight"] for _, scores in run.scores],
            "best": run.fitted.best_step,
            "weights": {name: float(value.double().norm()) for name, value in run.weights.items()},
        }
    return found | language_curves(folder) | nested_curves(folder)


def nested_curves(folder):
    """The same for candidates in one another; no candidate has all weights, and the largest has lost a layer."""
    teacher, found = tiny(layers=2, seed=1), {}
    widths = {
        0.5: Widths(heads=(0, 2), neurons=(16, 0)),
        0.25: Widths(heads=(0, 1), neurons=(8, 0)),
    }
    for name, accumulate in NESTED_CASES:
        training = course(accumulate=accumulate, checkpoint_every=3)
        student = NestedNetwork(tiny(layers=2, seed=1), widths)
        method = Nested(method=CLASSIFIER_METHODS[name](), kept=tuple(widths))
        run = Run(method, folder / f"nested-{name}-{accumulate}", training, student=student, teacher=teacher)
        found[f"nested-{name}-{accumulate}"] = {
            "curve": run.curve,
            "counts": [step.count for step in run.steps],
            "scores": [],
            "best": run.fitted.best_step,
            "weights": {name: float(value.double().norm()) for name, value in run.weights.items()},
        }
    return found


def language_curves(folder):
    """The same for language models; the split of ATKD must see the tokens of the other process."""
    found = {}
    for name, accumulate in LANGUAGE_CASES:
        training = course(accumulate=accumulate, checkpoint_every=3)
        run = language_run(LANGUAGE_METHODS[name](), folder / f"{name}-{accumulate}", training)
        found[f"{name}-{accumulate}"] = {
            "curve": run.curve,
            "counts": [step.count for step in run.steps],
            "scores": [],
            "best": run.fitted.best_step,
            "weights": {name: float(value.double().norm()) for name, value in run.weights.items()},
        }
    return found


def score(net):
    """Depends on the weights; the other process would choose the opposite, as rounding may make it do."""
    sign = 1 if is_main() else -1
    return {"weight": sign * float(net.model.classifier.weight.detach().sum())}


def failures(folder):
    """What every process says where something goes wrong on one of them."""

    def message(action):
        try:
            action()
        except LmdistillError as error:
            return str(error)
        return None

    def refuse():
        raise LmdistillError("only the main process could know")

    def first():
        with main_process_first():
            if is_main():
                refuse()

    return [
        message(lambda: on_main_process(refuse)),
        message(first),
        message(lambda: Run(Broken(row=17), folder / "broken", course(accumulate=2))),
    ]


def watch_writes(folder):
    """Collects what this process opens for writing, renames or removes under `folder`."""
    written = []

    def look(event, details):
        writes = event in ("os.rename", "os.remove", "os.link") or (
            event == "open" and isinstance(details[1], str) and details[1][:1] in "wax"
        )
        if writes and str(details[0]).startswith(str(folder)):
            written.append(str(details[0]))

    sys.addaudithook(look)
    return written


def main(folder):
    torch.set_num_threads(1)
    me = process_state()
    written = watch_writes(folder) if me.num_processes > 1 else []
    mine = {
        "failures": failures(folder),
        "shared": [broadcast_from_main(me.process_index), on_main_process(lambda: me.process_index)],
        "curves": curves(folder),
    }
    run_recipe(read_recipe(folder / "recipe.yaml"), folder / "run", command="test")
    mine["written"] = sorted(set(written))
    (folder.parent / f"process-{me.process_index}-of-{me.num_processes}.json").write_text(json.dumps(mine))
    me.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
