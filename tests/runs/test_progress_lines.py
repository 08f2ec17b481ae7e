"""What a whole run says where stderr is a pipe: plain lines of its own, and no bars of other libraries."""

import re
import subprocess
import sys

import pytest

from tests.tiny_recipe import ROOT, environment, write_recipe

NARRATED = """
import sys
from lmdistill.core import progress
progress.INTERVAL = 0.0
from lmdistill.cli.main import main
main(sys.argv[1:])
"""
"""The command line with a line for every step."""


def run(*arguments, code=NARRATED, **variables):
    """A process of its own: its exit code, stdout and stderr, as bytes."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env={**environment(), **variables}, capture_output=True)


@pytest.fixture(scope="module")
def narrated(tmp_path_factory):
    """A recipe with two methods, the teacher's evaluation and the lines on the way."""
    folder = tmp_path_factory.mktemp("narrated")
    methods = {"KD": {"name": "kd"}, "MixKD": {"name": "mixkd"}}
    recipe = write_recipe(folder / "there", epochs=2, methods=methods)
    done = run("distill", recipe, "--out", folder / "out", FORCE_COLOR="", HF_HOME=str(folder / "cache"))
    assert done.returncode == 0, done.stderr.decode()
    return done.stderr


def test_every_stage_says_step_loss_and_time_left(narrated):
    said = narrated.decode()
    for name in ("KD", "MixKD"):
        title = re.escape(f"{name} (seed 3)")
        assert re.search(rf"^{title}: \d+ steps$", said, re.MULTILINE)
        steps = re.findall(
            rf"^{title}: step (\d+) of (\d+), loss \d+\.\d\d\d, \d+ examples/s, \d\S* \w+ left$",
            said,
            re.MULTILINE,
        )
        total = int(steps[0][1])
        assert [int(step) for step, _ in steps] == list(range(1, total + 1))
        assert re.search(rf"^{title}: {total} steps in ", said, re.MULTILINE)
        assert re.search(rf"^{title}, evaluating: example \d+ of \d+, ", said, re.MULTILINE)
        assert re.search(rf"^{title}: evaluating$", said, re.MULTILINE)
    assert re.search(r"^measuring latency: pass \d+ of \d+, ", said, re.MULTILINE)


def test_nothing_is_redrawn_and_no_other_library_has_bars(narrated):
    assert b"\r" not in narrated
    assert b"\x1b" not in narrated
    assert not re.search(rb"it/s|s/it|examples/s\]|\xe2\x96|\d%\|", narrated)
    for bar in (b"Map", b"Loading weights", b"Generating", b"Fetching"):
        assert bar not in narrated
    assert all(re.match(rb"^[^:]+(: |$)", line) for line in narrated.splitlines())
