"""The recorded runs have names that every system can write, and the repository stays small."""

import re
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
RESULTS = REPO / "results"
NAME = re.compile(r"[a-z0-9.-]+")
LIMIT = 12_000_000
"""Bytes of all tracked files together, as git stores them before it compresses."""


def wrong_names(folder: Path) -> list[str]:
    """Files and folders below `folder` whose name has other characters."""
    return [str(path) for path in folder.rglob("*") if not NAME.fullmatch(path.name)]


def test_names_of_results_have_lower_case_letters_digits_dots_and_dashes() -> None:
    assert len(list(RESULTS.rglob("record.json"))) > 300
    assert wrong_names(RESULTS) == []


def test_the_check_sees_a_wrong_name(tmp_path: Path) -> None:
    for name in ("FT-seed0", "a=1", "a b", "a+b", "right-1.5"):
        (tmp_path / name).mkdir()
    assert len(wrong_names(tmp_path)) == 4


def test_the_tracked_files_take_less_than_12_mb() -> None:
    git = ["git", "ls-files", "-z"]
    try:
        listed = subprocess.run(git, cwd=REPO, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no checkout of git")
    files = [path for name in listed.split("\0") if name and (path := REPO / name).is_file()]
    assert sum(path.stat().st_size for path in files) < LIMIT, (
        "keep fewer files of runs in results/, or fewer runs"
    )


def test_predictions_are_kept_in_parquet_only() -> None:
    assert list(RESULTS.rglob("predictions.jsonl")) == []
    assert {path.parent.parent for path in RESULTS.rglob("predictions.parquet")} == {RESULTS}
