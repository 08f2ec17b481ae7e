"""Folders that somebody sends, made to run code, and the commands that open them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import examples_cache as examples_cache
from tests.cli.conftest import finished as finished
from tests.cli.conftest import lmdistill as lmdistill
from tests.cli.conftest import models as models
from tests.cli.conftest import place as place
from tests.cli.conftest import workplace as workplace
from tests.run_fixtures import no_pages as no_pages
from tests.security.traps import Trap


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[Trap]:
    """What writes a file if it runs; the test fails then."""
    made = Trap(tmp_path / "it-ran")
    yield made
    assert not made.mark.exists(), "code of the folder was run"


@pytest.fixture
def sent(place: Path, workplace: Path) -> Path:
    """A copy of a finished run, which a test may change, in a working directory of its own."""
    shutil.copytree(workplace / "runs", place / "runs")
    return place / "runs" / "one"


@pytest.fixture
def memory_here(monkeypatch):
    """`measure` runs a network once more in this process, not in a fresh one, which takes seconds to start."""

    def run_here(work):
        work()
        return 0.0

    monkeypatch.setattr("lmdistill.commands.measured.peak_memory_of", run_here)
