"""Caches of examples that are not the user's."""

from pathlib import Path

import datasets
import pytest


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for each test."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", folder)
    return folder


@pytest.fixture(scope="session")
def _session_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("datasets")


@pytest.fixture
def shared_cache(_session_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One cache for all tests that read the real data."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", _session_cache)
    return _session_cache
