"""The table that every benchmark appends to: one line a number, with where and when it was measured."""

import csv
import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lmdistill.records.environment import describe_environment

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results.csv"
COLUMNS = (
    "date",
    "commit",
    "device",
    "processor",
    "threads",
    "torch",
    "benchmark",
    "setting",
    "way",
    "measure",
    "value",
)


@dataclass(frozen=True, kw_only=True)
class Result:
    """One number."""

    setting: str
    """What was the same for all ways."""

    way: str
    """Which of the things compared."""

    measure: str
    """What the number is, with its unit."""

    value: float
    """The number."""


def append(
    results: Sequence[Result], *, benchmark: str, threads: int, path: Path = RESULTS, device: str = "cpu"
) -> None:
    """Add a line for each result; lines that are there stay as they are.

    Args:
        results: What was measured.
        benchmark: Name of the script.
        threads: Threads of torch.
        path: The table; made when missing.
        device: What the networks ran on.
    """
    here = describe_environment(device=device, threads=threads, folder=ROOT)
    commit = "unknown" if here.commit is None else here.commit[:12] + ("+changes" if here.dirty else "")
    today = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M")
    where = (today, commit, here.device, here.processor, here.threads, here.torch, benchmark)
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if is_new:
            writer.writerow(COLUMNS)
        writer.writerows((*where, one.setting, one.way, one.measure, f"{one.value:.4g}") for one in results)


def table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Columns side by side, the first one to the left and the others to the right.

    Examples:
        >>> print(table(("way", "speed"), [("ours", "12"), ("padded to 128", "3")]))
        way            speed
        ours              12
        padded to 128      3
    """
    widths = [max(len(line[i]) for line in (header, *lines)) for i in range(len(header))]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
        for line in (header, *lines)
    )


def tables(results: Sequence[Result]) -> str:
    """A table for each setting: a line for each way."""
    parts = []
    for setting in dict.fromkeys(one.setting for one in results):
        own = [one for one in results if one.setting == setting]
        measures = list(dict.fromkeys(one.measure for one in own))
        lines = []
        for way in dict.fromkeys(one.way for one in own):
            value = {one.measure: f"{one.value:.4g}" for one in own if one.way == way}
            lines.append([way, *(value.get(measure, "-") for measure in measures)])
        parts.append(table([setting, *measures], lines))
    return "\n\n".join(parts)
