"""A working directory with tiny models, texts and a recipe."""

import pytest

from tests.cli.cli_project import furnish, write_models


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_models(folder)
    return folder


@pytest.fixture(scope="session")
def examples_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("examples")


@pytest.fixture
def place(tmp_path, models, examples_cache, monkeypatch):
    furnish(tmp_path, models, examples_cache, monkeypatch)
    return tmp_path


@pytest.fixture
def no_pages(monkeypatch):
    """Pages take longer than the training of a tiny network."""
    monkeypatch.setattr("lmdistill.runs.write_report.write_report", lambda folder, runs, order=(): None)
