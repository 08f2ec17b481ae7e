"""How fast is a MixKD step, and what does it owe to length grouping and to the single forward pass?

    python -m benchmarks.mixkd_step --seconds 30 --width 384 768

Trains the same student on the same SST-2 examples with the same teacher, in one process and in turn:

* ours: `engine.fit` with pairs of similar length in a batch, as a user gets it;
* plain loop: transformers and torch as a user would write it, random batches, each padded to its longest row;
* plain loop, 128 tokens: the same padded to 128 tokens, the protocol of the papers;
* ours, random batches: `engine.fit` on exactly the batches of the plain loop.

All get the same pairs, drawn from the whole training set, and must compute the same loss before they are
timed. A round trains each way anew, first step not counted.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from benchmarks.inputs import DATA, MINILM, Batches, Setting, make_batches, make_networks, tokens_of
from benchmarks.matmul_throughput import matrix_rate, step_flops
from benchmarks.mixkd_loops import WAYS, Ours, Plain, untouched
from benchmarks.results_csv import RESULTS, Result, append, table
from lmdistill.data.batching.batch_sampler import MicroBatch
from lmdistill.evaluation.process_memory import peak_memory_of
from lmdistill.models.classifier import Network

TOLERANCE = 1e-4
FEWEST_ROUNDS = 2


@dataclass(frozen=True, kw_only=True)
class Timed:
    """One way in one round."""

    seconds: float
    """Of all steps but the first."""

    examples: int
    """Originals in them."""

    positions: int
    """Positions of the originals, padding included."""

    flops: int
    """Operations of matrix products."""

    @property
    def rate(self) -> float:
        """Examples a second."""
        return self.examples / self.seconds


Rounds = Mapping[str, list[Timed]]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Two networks and the examples they meet on."""

    teacher: Network
    """Who is imitated."""

    student: Network
    """Who learns; every round from these weights."""

    batches: Batches
    """The examples."""

    def draws(self, way: Ours | Plain) -> tuple[MicroBatch, ...]:
        """The batches of one round, the first of them twice; of the padded ones, all alike, a fifth."""
        found = self.batches.grouped if way.order == "grouped" else self.batches.shuffled
        if way is WAYS["padded"]:
            found = found[: max(1, len(found) // 5)]
        return (found[0], *found)

    def difference(self) -> float:
        """The largest difference between the losses of any two ways on the same batch, without dropout."""
        self.student.eval()
        worst = 0.0
        for draw in (self.batches.grouped[0], self.batches.shuffled[0]):
            with torch.no_grad():
                losses = [
                    way.loss(self.teacher, self.student, self.batches.rows, draw) for way in WAYS.values()
                ]
            worst = max(worst, max(losses) - min(losses))
        return worst

    def time(self, way: Ours | Plain) -> Timed:
        """Train a fresh copy of the student for one round."""
        draws, lengths = self.draws(way), self.batches.rows["length"][:]
        times = way.train(self.teacher, untouched(self.student), self.batches.rows, draws)
        sizes = [len(draw.examples) for draw in draws[1:]]
        tokens = [way.tokens(tokens_of(lengths, draw)) for draw in draws[1:]]
        return Timed(
            seconds=times[-1] - times[0],
            examples=sum(sizes),
            positions=sum(size * long for size, long in zip(sizes, tokens, strict=True)),
            flops=sum(
                step_flops(self.student, self.teacher, rows=size, tokens=long)
                for size, long in zip(sizes, tokens, strict=True)
            ),
        )


def make_bench(setting: Setting) -> Bench:
    """Load everything."""
    teacher, student = make_networks(setting)
    return Bench(teacher=teacher, student=student, batches=make_batches(setting, student))


def compete(bench: Bench, seconds: float) -> tuple[Rounds, float]:
    """A round of each way in turn, until the slowest has had its seconds; and the best rate of `torch.mm`."""
    rounds: dict[str, list[Timed]] = {key: [] for key in WAYS}
    best = matrix_rate()
    while True:
        for key, way in WAYS.items():
            rounds[key].append(bench.time(way))
            print(".", end="", flush=True, file=sys.stderr)
        best = max(best, matrix_rate())
        slowest = max(sum(one.seconds for one in timed) for timed in rounds.values())
        if slowest >= seconds and len(rounds["ours"]) >= FEWEST_ROUNDS:
            print(file=sys.stderr)
            return rounds, best


def train_widest(setting: Setting, threads: int, key: str | None) -> None:
    """Two steps on the widest batch, in a process whose memory is measured; without a key, only load."""
    torch.set_num_threads(threads)
    bench = make_bench(setting)
    if key is None:
        return
    draws, lengths = bench.draws(WAYS[key]), bench.batches.rows["length"][:]
    widest = max(draws, key=lambda draw: tokens_of(lengths, draw))
    WAYS[key].train(bench.teacher, bench.student, bench.batches.rows, [widest, widest])


def memory(setting: Setting, measure: Callable[[Callable[[], object]], float]) -> dict[str, float]:
    """Peak memory of each way beyond that of loading, in MB of 10^6 bytes; a fresh process each."""
    threads = torch.get_num_threads()
    loaded = measure(partial(train_widest, setting, threads, None))
    return {key: measure(partial(train_widest, setting, threads, key)) - loaded for key in WAYS}


def results(setting: Setting, rounds: Rounds, best: float, peaks: Mapping[str, float]) -> list[Result]:
    """Everything measured, a line each."""
    found = [Result(setting=setting.name, way="torch.mm", measure="GFLOP/s", value=best / 1e9)]
    for key, timed in rounds.items():
        ratios = [ours.rate / one.rate for ours, one in zip(rounds["ours"], timed, strict=True)]
        values = {
            "rounds": len(timed),
            "tokens a row": timed[0].positions / timed[0].examples,
            "examples/s": statistics.median(one.rate for one in timed),
            "ours is times as fast": statistics.median(ratios),
            "ours is times as fast, least": min(ratios),
            "ours is times as fast, most": max(ratios),
            "share of torch.mm": statistics.median(one.flops / one.seconds for one in timed) / best,
        }
        if key in peaks:
            values["peak MB beyond loading"] = peaks[key]
        found += [
            Result(setting=setting.name, way=WAYS[key].name, measure=measure, value=value)
            for measure, value in values.items()
        ]
    return found


def shown(found: Sequence[Result]) -> str:
    """The table of one setting."""
    lines = []
    for way in WAYS.values():
        value = {one.measure: one.value for one in found if one.way == way.name}
        low, high = value["ours is times as fast, least"], value["ours is times as fast, most"]
        lines.append(
            [
                way.name,
                f"{value['tokens a row']:.1f}",
                f"{value['examples/s']:.1f}",
                f"{value['ours is times as fast']:.2f}",
                f"{low:.2f}-{high:.2f}",
                f"{value['share of torch.mm']:.0%}",
                f"{value['peak MB beyond loading']:.0f}" if "peak MB beyond loading" in value else "-",
            ]
        )
    header = ["way", "tokens/row", "examples/s", "ours/it", "range", "of torch.mm", "peak MB beyond loading"]
    return table(header, lines)


def run(setting: Setting, seconds: float, *, with_memory: bool) -> list[Result]:
    """Check, time and measure one setting, and print its table."""
    began = time.monotonic()
    bench = make_bench(setting)
    difference = bench.difference()
    print(f"\n{setting.name}, {torch.get_num_threads()} threads", flush=True)
    print(
        f"largest difference between the losses of the ways on the same batch: {difference:.1e}", flush=True
    )
    if not difference <= TOLERANCE:
        sys.exit(f"the ways do not compute the same loss (allowed: {TOLERANCE:g}); nothing was timed.")
    rounds, best = compete(bench, seconds)
    del bench
    found = results(setting, rounds, best, memory(setting, peak_memory_of) if with_memory else {})
    took = time.monotonic() - began
    print(f"{len(rounds['ours'])} rounds, {took:.0f} s; best torch.mm rate {best / 1e9:.0f} GFLOP/s")
    print(shown(found))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark and append to the table of results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--width", type=int, nargs="+", default=[MINILM, 768], help="384: MiniLM")
    parser.add_argument("--layers", type=int, default=3, help="of the student")
    parser.add_argument("--seconds", type=float, default=30, help="budget of the slowest way, a width")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--batches", type=int, help="timed steps a round; default 10, above width 384 5")
    parser.add_argument("--no-memory", action="store_true", help="do not measure peak memory")
    parser.add_argument("--data", type=Path, default=DATA, help="folder that holds sst2")
    parser.add_argument("--results", type=Path, default=RESULTS, help="table to append to")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(chosen.threads)
    for width in chosen.width:
        setting = Setting(
            width=width,
            layers=chosen.layers,
            batch_size=chosen.batch_size,
            batches=chosen.batches or (10 if width <= MINILM else 5),
            data=chosen.data,
        )
        found = run(setting, chosen.seconds, with_memory=not chosen.no_memory)
        append(found, benchmark="mixkd_step", threads=chosen.threads, path=chosen.results)


if __name__ == "__main__":
    main()
