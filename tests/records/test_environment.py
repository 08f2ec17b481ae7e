import platform
import subprocess
from pathlib import Path

import torch

from lmdistill.records.environment import describe_environment


def git(folder: Path, *arguments: str) -> None:
    names = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    subprocess.run(["git", *names, *arguments], cwd=folder, check=True, capture_output=True)


def test_versions_are_those_that_are_installed(tmp_path: Path) -> None:
    found = describe_environment(device="cpu", threads=2, folder=tmp_path)
    assert found.python == platform.python_version()
    assert found.torch == torch.__version__
    assert (found.device, found.threads) == ("cpu", 2)
    assert found.processor


def test_outside_of_a_checkout_there_is_no_commit(tmp_path: Path) -> None:
    found = describe_environment(device="cpu", threads=1, folder=tmp_path)
    assert (found.commit, found.dirty) == (None, None)


def test_commit_and_changes_of_the_checkout(tmp_path: Path) -> None:
    git(tmp_path, "init")
    (tmp_path / "file").write_text("a", encoding="utf-8")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    clean = describe_environment(device="cpu", threads=1, folder=tmp_path)
    assert clean.commit is not None
    assert (len(clean.commit), clean.dirty) == (40, False)
    (tmp_path / "file").write_text("b", encoding="utf-8")
    assert describe_environment(device="cpu", threads=1, folder=tmp_path).dirty is True
