"""A run with and without torch.compile, for `test_device.py`."""

import json
import sys
from pathlib import Path

from lmdistill.methods import KD
from tests.engine.corpus import Run, course


def main(folder):
    found = {}
    for name in ("plain", "compiled"):
        training = course(compile=name == "compiled", keep="best", checkpoint_every=3)
        run = Run(KD(), folder / name, training, evaluate=lambda net: {"score": 0.0})
        found[name] = {"curve": run.curve, "weights": sorted(run.weights)}
    (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
