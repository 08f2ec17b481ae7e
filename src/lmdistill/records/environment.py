"""The environment of a run: versions, machine and commit, read without importing torch."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lmdistill.records.schema import Environment

GIT_SECONDS = 10


def _version(package: str) -> str | None:
    """The installed version of `package`, None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints, None without git or outside of a checkout."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=GIT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def processor_name() -> str:
    """Name of the processor, as far as the system reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), platform.processor() or platform.machine())


def describe_environment(*, device: str, threads: int, folder: Path | None = None) -> Environment:
    """Versions, machine, and the commit of the checkout that contains `folder`.

    Args:
        device: Device of the networks, such as "cpu".
        threads: Threads of torch, >= 1.
        folder: Folder whose git commit is recorded; the working directory by default.
    """
    place = Path.cwd() if folder is None else folder
    commit = _git(place, "rev-parse", "HEAD")
    changes = None if commit is None else _git(place, "status", "--porcelain")
    return Environment(
        python=platform.python_version(),
        torch=_version("torch"),
        transformers=_version("transformers"),
        accelerate=_version("accelerate"),
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
        processor=processor_name(),
        device=device,
        threads=threads,
        commit=commit,
        dirty=None if changes is None else bool(changes),
    )
