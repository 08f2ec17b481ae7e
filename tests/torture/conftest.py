"""The prepared folder, and what every command gives when nothing disturbs it."""

import time
from pathlib import Path

import pytest

from tests.torture.project import SCENARIOS, copy, digest, prepare, run


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("torture") / "prepared"
    prepare(folder)
    return folder


@pytest.fixture(scope="session")
def undisturbed(prepared, tmp_path_factory):
    """Results and seconds of a scenario, computed once."""
    known: dict[str, tuple[dict[str, str], float]] = {}

    def reference(name: str) -> tuple[dict[str, str], float]:
        if name not in known:
            folder = copy(prepared, Path(tmp_path_factory.mktemp(name)) / "reference")
            began = time.monotonic()
            done = run(folder, *SCENARIOS[name].arguments)
            assert done.returncode == 0, done.stderr
            known[name] = digest(folder, SCENARIOS[name]), time.monotonic() - began
        return known[name]

    return reference
