"""--threads on every command that computes, and how threads wait, as the OpenMP runtime says it."""

import inspect
import os
import re
import subprocess
import sys
from unittest import mock

import pytest
import torch

from lmdistill.cli.main import COMMANDS
from lmdistill.cli.threads import Threads
from lmdistill.core.cpu_threads import COUNTS, WAITING
from tests.tiny_recipe import environment

COMPUTES = {
    "certify", "demo", "distill", "evaluate", "export", "finetune", "generate", "measure", "monitor",
    "predict", "prune", "serve", "shrink", "study", "submit", "trim-vocabulary",
}  # fmt: skip
OPENMP = sys.platform == "linux" and "OpenMP" in torch.__config__.parallel_info()


def test_every_command_that_computes_has_the_option_and_no_other():
    has = {
        command.__name__.replace("_", "-")
        for command in COMMANDS
        if any(one.annotation == Threads for one in inspect.signature(command).parameters.values())
    }
    assert has == COMPUTES


@pytest.mark.parametrize("command", sorted(COMPUTES))
@pytest.mark.parametrize("bad", ["0", "-1", "many", "1.5", "", "99999"])
def test_a_number_of_threads_that_cannot_be_is_one_line(lmdistill, command, bad):
    said = lmdistill(command, "--threads", bad)
    assert said.code == 2
    assert re.fullmatch(rf"error: .*--threads.* See lmdistill {command} --help\.\n", said.err), said.err
    assert said.out == ""


def test_a_good_one_is_set_before_the_command_begins(lmdistill):
    before, number = torch.get_num_threads(), 3 if torch.get_num_threads() != 3 else 2
    try:
        said = lmdistill("predict", "nowhere", "nothing.csv", "--threads", number)
        assert torch.get_num_threads() == number
        assert said.code == 2
    finally:
        torch.set_num_threads(before)


def seen_by_openmp(*arguments, **variables):
    """Settings that the OpenMP runtime of a command has read."""
    free = {name: value for name, value in environment().items() if name not in (*COUNTS, *WAITING)}
    command = [sys.executable, "-m", "lmdistill", *arguments]
    done = subprocess.run(
        command, env={**free, "OMP_DISPLAY_ENV": "verbose", **variables}, capture_output=True, text=True
    )
    return dict(re.findall(r"(\w+) = '([^']*)'", done.stderr))


@pytest.mark.slow
@pytest.mark.skipif(not OPENMP, reason="no GNU OpenMP that could be asked")
def test_openmp_reads_what_the_command_line_sets():
    seen = seen_by_openmp("predict", "nowhere", "nothing.csv", "--threads", "3")
    assert seen["GOMP_SPINCOUNT"] == "30000"
    assert seen["OMP_NUM_THREADS"] == "3"


@pytest.mark.slow
@pytest.mark.skipif(not OPENMP, reason="no GNU OpenMP that could be asked")
def test_openmp_reads_what_the_user_has_set():
    seen = seen_by_openmp("predict", "nowhere", "nothing.csv", OMP_WAIT_POLICY="ACTIVE", OMP_NUM_THREADS="2")
    assert seen["OMP_WAIT_POLICY"] == "ACTIVE"
    assert seen["OMP_NUM_THREADS"] == "2"
    seen = seen_by_openmp("predict", "nowhere", "nothing.csv", GOMP_SPINCOUNT="1234")
    assert seen["GOMP_SPINCOUNT"] == "1234"


def test_the_cells_of_a_study_have_so_many_threads_each(monkeypatch):
    from lmdistill.core.cpu_threads import set_threads
    from lmdistill.studies import subprocesses

    monkeypatch.setattr(subprocesses, "cores", lambda: 8)
    before = torch.get_num_threads()
    with mock.patch.dict(os.environ):
        set_threads(2)
        torch.set_num_threads(before)
        assert subprocesses.jobs_at_once("auto") == 4
        assert subprocesses.jobs_at_once(3) == 3
