"""What each of two processes does for `test_processes.py`; the main one writes what it found.

The other one must write nothing but its own part of a checkpoint: every file it opens is looked at.
"""

import json
import sys
from pathlib import Path

import torch

from lmdistill.core.errors import LmdistillError
from lmdistill.engine.processes import is_main, main_first, once, shared, together
from lmdistill.methods import METHODS
from lmdistill.recipes.read import read_recipe
from lmdistill.recipes.run import run_recipe
from tests.engine.broken import Broken
from tests.engine.corpus import Run, course

NAMES = ("finetune", "kd", "pkd", "mixkd")


def curves(folder):
    """The curve of each method, a batch of eight rows in one micro-batch and in two a process."""
    found = {}
    for name in NAMES:
        for accumulate in (1, 2):
            training = course(accumulate=accumulate, checkpoint_every=3, eval_every=2, keep="best")
            run = Run(METHODS[name](), folder / f"{name}-{accumulate}", training, evaluate=score)
            found[f"{name}-{accumulate}"] = {
                "curve": run.curve,
                "counts": [step.count for step in run.steps],
                "scores": [scores["weight"] for _, scores in run.scores],
                "best": run.fitted.best_step,
                "weights": [float(value.double().norm()) for value in run.weights.values()],
            }
    return found


def score(net):
    """Depends on the weights; a little different on each process, as rounding may be."""
    return {
        "weight": float(net.model.classifier.weight.detach().sum()) * (1 + 1e-9 * together().process_index)
    }


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
        with main_first():
            if is_main():
                refuse()

    return [
        message(lambda: once(refuse)),
        message(first),
        message(lambda: Run(Broken(row=17), folder / "broken", course(accumulate=2))),
    ]


def watch_writes(folder):
    """Collects the files under `folder` that this process opens for writing."""
    written = []

    def look(event, details):
        if event == "open" and str(details[0]).startswith(str(folder)) and str(details[1])[:1] in "wax":
            written.append(Path(details[0]).name)

    sys.addaudithook(look)
    return written


def main(folder):
    torch.set_num_threads(1)
    written = watch_writes(folder)
    me = together()
    mine = {
        "failures": failures(folder),
        "shared": [shared(me.process_index), once(lambda: me.process_index)],
        "curves": curves(folder),
        "run": str(run_recipe(read_recipe(folder / "recipe.yaml"), folder / "run", command="test")[0]),
        "written": sorted(set(written)),
    }
    (folder.parent / f"process-{me.process_index}-of-{me.num_processes}.json").write_text(json.dumps(mine))
    me.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
