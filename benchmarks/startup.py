"""CPU seconds that commands take before they do any work, and the heavy packages that they import.

Each command runs in a fresh process, several times in turn with the others. The median of user and system
time counts, so that a busy machine changes little. `--source` measures another checkout.

    python -m benchmarks.startup --rounds 5
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.results_csv import RESULTS, ROOT, Result, append, table

RUNS = ROOT / "results" / "mixkd-table1"

MAIN = "import sys; from lmdistill.cli.main import main; main(sys.argv[1:])"

HEAVY = ("torch", "transformers", "datasets", "scipy", "sklearn", "matplotlib")

LISTING = f"""
import atexit, sys
heavy = {HEAVY!r}
atexit.register(lambda: print("imports:", *[name for name in heavy if name in sys.modules], file=sys.stderr))
"""


def commands(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Title and arguments of Python for each command.

    Args:
        folder: An empty folder for what commands write.
    """
    twelve = sorted(path for path in RUNS.iterdir() if path.name.startswith("mrpc"))[:12]
    runs = [str(path) for path in twelve]
    for title, arguments in {
        "--help": ["--help"],
        "list methods": ["list", "methods"],
        "misspelt command": ["distil", "demo"],
        "wrong recipe key": ["distill", "demo", "--out", str(folder / "x"), "--set", "training.epoch=3"],
        "report: table of 12 runs": ["report", *runs],
        "report: page of 12 runs": ["report", *runs, "--out", str(folder / "page")],
    }.items():
        yield title, ["-c", LISTING + MAIN, *arguments]
    yield "import lmdistill", ["-c", LISTING + "import lmdistill"]


def cpu_seconds(arguments: Sequence[str], source: Path) -> tuple[float, str]:
    """User and system seconds of one process, and the heavy packages that it imported."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(source)},
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    lines = [line for line in done.stderr.splitlines() if line.startswith("imports:")]
    return spent, lines[-1].removeprefix("imports:").strip() if lines else "?"


def measure(rounds: int, source: Path) -> dict[str, tuple[float, str]]:
    """Median CPU seconds and imports of each command, taken in turn."""
    with tempfile.TemporaryDirectory() as folder:
        todo = dict(commands(Path(folder)))
        found: dict[str, list[tuple[float, str]]] = {title: [] for title in todo}
        for _ in range(rounds):
            for title, arguments in todo.items():
                found[title].append(cpu_seconds(arguments, source))
    return {
        title: (statistics.median(spent for spent, _ in runs), runs[-1][1]) for title, runs in found.items()
    }


def main(given: Sequence[str] | None = None) -> None:
    """Measure, print a table, and append the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="Processes of each command, >= 1.")
    parser.add_argument("--source", type=Path, default=ROOT / "src", help="Folder that holds the package.")
    parser.add_argument("--label", default="now", help="Name of the version that is measured.")
    parser.add_argument("--results", type=Path, default=RESULTS, help="Table that figures are appended to.")
    options = parser.parse_args(given)
    found = measure(options.rounds, options.source)
    rows = [(title, f"{seconds:.2f}", imports or "none") for title, (seconds, imports) in found.items()]
    print(table(("command", "CPU seconds", "heavy packages"), rows))
    append(
        [
            Result(setting=f"CPU seconds, {options.label}", way=title, measure="CPU s", value=seconds)
            for title, (seconds, _) in found.items()
        ],
        benchmark="startup",
        threads=1,
        path=options.results,
    )


if __name__ == "__main__":
    main()
