"""Threads are set where torch finds them, and what the user has set stays."""

import os
import subprocess
import sys

import pytest
import torch

from lmdistill.core.cpu_threads import COUNTS, DEFAULT_WAITING, WAITING, set_threads, set_waiting


@pytest.fixture
def bare(monkeypatch):
    """No setting of threads in the environment, and as many of torch afterwards as before."""
    before = torch.get_num_threads()
    for name in (*COUNTS, *WAITING):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    yield monkeypatch
    torch.set_num_threads(before)


def test_threads_wait_as_the_default_says(bare):
    set_waiting()
    assert {name: os.environ.get(name) for name in WAITING} == dict.fromkeys(WAITING) | DEFAULT_WAITING


@pytest.mark.parametrize("name", WAITING)
def test_what_the_user_has_said_about_waiting_stays(bare, name):
    bare.setenv(name, "7")
    set_waiting()
    assert {one for one in WAITING if one in os.environ} == {name}
    assert os.environ[name] == "7"


def test_a_number_of_threads_goes_into_the_environment_and_into_a_torch_that_is_loaded(bare):
    bare.setenv("OMP_NUM_THREADS", "9")
    number = 3 if torch.get_num_threads() != 3 else 2
    set_threads(number)
    assert torch.get_num_threads() == number
    assert {os.environ[name] for name in COUNTS} == {str(number)}


def test_torch_is_not_loaded_to_set_its_threads():
    code = (
        "import sys; from lmdistill.core import cpu_threads; before = set(sys.modules);"
        "cpu_threads.sys = type('S', (), {'modules': {}}); cpu_threads.set_threads(2);"
        "assert set(sys.modules) == before, set(sys.modules) - before"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
