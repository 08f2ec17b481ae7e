"""How long does a training step take with each number of threads and each way that idle threads wait?

    python -m benchmarks.threads --quick

Trains a network in the shape of MiniLM (6 layers, width 384, random weights) on random texts: alone, and
beside one, two and eight processes that keep a core busy. Each row of the table is a process of its own,
because OpenMP reads its settings once, when torch is loaded. A round runs every row once, so that a machine
that is slower for a while slows all of them; a number is the median over the steps of all rounds.

Measure on a machine where nothing else runs: what is called "alone" is alone only then.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import BertConfig, BertForSequenceClassification

from benchmarks.results_csv import RESULTS, ROOT, Result, append, table

OPENMP = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Settings that a row decides, whatever this process was started with."""

WAITING: Mapping[str, Mapping[str, str]] = {
    "default": {},
    "passive": {"OMP_WAIT_POLICY": "PASSIVE"},
    "active": {"OMP_WAIT_POLICY": "ACTIVE"},
    "spin 1000": {"GOMP_SPINCOUNT": "1000"},
    "spin 10000": {"GOMP_SPINCOUNT": "10000"},
    "spin 30000": {"GOMP_SPINCOUNT": "30000"},
    "spin 100000": {"GOMP_SPINCOUNT": "100000"},
}
"""How a thread waits for the others: settings of OpenMP. A spin count is in loops of GNU OpenMP."""

QUICK = ("default", "passive", "spin 10000", "spin 30000")
BUSY = (0, 1, 2, 8)
"""Processes that keep a core busy meanwhile."""

WALL, PROCESSOR = "ms a step", "processor ms a step"
"""What is measured; threads that wait in a loop use the processor too."""

PLACES = ("alone", "beside 1 busy process", "beside 2 busy processes", "beside 8 busy processes")
WARMUP = 3
"""Steps before those that are timed."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One process that trains."""

    waiting: str
    """A name of `WAITING`."""

    threads: int
    """Threads of one operation."""

    @property
    def environment(self) -> dict[str, str]:
        """Of the process: this one's, with the settings of the row."""
        free = {name: value for name, value in os.environ.items() if name not in OPENMP}
        number = {"OMP_NUM_THREADS": str(self.threads), "MKL_NUM_THREADS": str(self.threads)}
        return {**free, **number, **WAITING[self.waiting]}


@dataclass(frozen=True, kw_only=True)
class Timed:
    """The steps of one row beside one number of busy processes."""

    wall_ms: list[float]
    """Of each step."""

    cpu_ms: float
    """Processor time of a step, all threads together; what is spent waiting in a loop is in it."""


def rows_of(names: Sequence[str], threads: Sequence[int]) -> list[Row]:
    """What is compared; a single thread waits for nobody, so it has one row."""
    return [
        Row(waiting=name, threads=number)
        for number in threads
        for name in (names if number > 1 else names[:1])
    ]


def work(size: int, tokens: int, seconds: float) -> None:
    """Train, in a process of its own: say `ready`, then answer each line of stdin with the times of steps."""
    torch.manual_seed(0)
    shape = BertConfig(num_hidden_layers=6, hidden_size=384, num_attention_heads=12, intermediate_size=1536)
    network = BertForSequenceClassification(shape)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-5)
    ids, labels = torch.randint(shape.vocab_size, (size, tokens)), torch.randint(2, (size,))

    def step() -> None:
        network(input_ids=ids, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    for _ in range(WARMUP):
        step()
    print("ready", flush=True)
    for _ in sys.stdin:
        wall, cpu, began = [], time.process_time(), time.perf_counter()
        while not wall or time.perf_counter() - began < seconds:
            before = time.perf_counter()
            step()
            wall.append((time.perf_counter() - before) * 1000)
        spent = (time.process_time() - cpu) * 1000 / len(wall)
        print(json.dumps({"wall_ms": wall, "cpu_ms": spent}), flush=True)


@contextmanager
def busy(number: int) -> Iterator[None]:
    """So many processes that count, inside the block."""
    command = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(command) for _ in range(number)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def measure(row: Row, arguments: Sequence[str]) -> list[Timed]:
    """One fresh process of `row`, beside each number of busy processes in turn.

    Args:
        row: Settings of the process.
        arguments: Of `work`, as the command line takes them.

    Raises:
        RuntimeError: The process ended before it had answered.
    """
    command = [sys.executable, "-m", "benchmarks.threads", "--work", *arguments]
    found = []
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=row.environment, cwd=ROOT, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        for number in BUSY:
            with busy(number):
                process.stdin.write("go\n")
                process.stdin.flush()
                line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"the process of {row} ended before it answered; its error is above.")
            found.append(Timed(**json.loads(line)))
    return found


def compete(rows: Sequence[Row], rounds: int, arguments: Sequence[str]) -> dict[Row, list[list[Timed]]]:
    """A round of every row in turn, several times: for each row and number of busy processes, its rounds."""
    found: dict[Row, list[list[Timed]]] = {row: [[] for _ in BUSY] for row in rows}
    for _ in range(rounds):
        for row in rows:
            for place, timed in enumerate(measure(row, arguments)):
                found[row][place].append(timed)
            print(".", end="", flush=True, file=sys.stderr)
    print(file=sys.stderr)
    return found


def results(found: Mapping[Row, list[list[Timed]]], setting: str, threads: int) -> list[Result]:
    """What was measured with so many threads: medians over all steps, a line for each row and place."""
    return [
        Result(setting=setting, way=row.waiting, measure=f"{measure}, {PLACES[place]}", value=value)
        for row, places in found.items()
        if row.threads == threads
        for place, timed in enumerate(places)
        for measure, value in (
            (WALL, statistics.median(ms for one in timed for ms in one.wall_ms)),
            (PROCESSOR, statistics.median(one.cpu_ms for one in timed)),
        )
    ]


def shown(found: Sequence[Result]) -> str:
    """A line for each number of threads and way, a column for each number of busy processes."""
    lines: dict[str, dict[str, str]] = {}
    for one in found:
        lines.setdefault(f"{one.setting}: {one.way}", {})[one.measure] = f"{one.value:.0f}"
    measures = [f"{WALL}, {place}" for place in PLACES]
    return table(
        ["", *measures], [[name, *(values[one] for one in measures)] for name, values in lines.items()]
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark and append to the table of results."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--waiting", nargs="+", choices=list(WAITING), help="all unless given")
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, cores}))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", help="of each row and number of busy processes; 6, or 4 if quick")
    parser.add_argument("--batch-size", default="16")
    parser.add_argument("--tokens", default="32")
    parser.add_argument("--quick", action="store_true", help="about 5 minutes on 2 cores: 2 rounds, 4 ways")
    parser.add_argument("--results", type=Path, default=RESULTS, help="table to append to")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.work:
        work(int(chosen.batch_size), int(chosen.tokens), float(chosen.seconds))
        return
    names = chosen.waiting or list(QUICK if chosen.quick else WAITING)
    rounds, seconds = (2, "4") if chosen.quick else (chosen.rounds, "6")
    size = ["--batch-size", chosen.batch_size, "--tokens", chosen.tokens]
    found = compete(rows_of(names, chosen.threads), rounds, [*size, "--seconds", chosen.seconds or seconds])
    printed = []
    for threads in chosen.threads:
        setting = f"{threads} threads, batch {chosen.batch_size} of {chosen.tokens} tokens"
        lines = results(found, setting, threads)
        append(lines, benchmark="threads", threads=threads, path=chosen.results)
        printed += lines
    print(shown(printed))


if __name__ == "__main__":
    main()
