"""What does a step of MiniDisc's joint run cost, and how fast are its students?

    python -m benchmarks.minidisc_step --rounds 3 --width 384 768

* Step: all candidates of the truncated grid learn from one teacher, against plain distillation of a student
  as large as the teacher; the same batches, the same loss, in turn. The kept fractions add up to 1.70.
* Memory: the most that a process holds while it does a few steps of either, less that of an idle process.
* Students: latency of dense slices at a half, a fifth, a tenth and a twentieth against the teacher on one of
  these batches, and the share of the ideal speed-up, which is the ratio of their operations on it.

The joint losses must be the mean of each candidate's own before anything is timed.
"""

import argparse
import copy
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from benchmarks.inputs import DATA, MINILM, Setting, make_batches, make_networks
from benchmarks.mixkd_loops import Drawn
from benchmarks.results_csv import RESULTS, Result, append, table
from lmdistill.core.batch import Batch
from lmdistill.core.protocols import Method, Net
from lmdistill.data.tasks.collator import Collator, TokenizedRows
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.callbacks import Callbacks, Step
from lmdistill.engine.fit import fit
from lmdistill.engine.training_settings import Training
from lmdistill.evaluation.efficiency import latencies
from lmdistill.evaluation.process_memory import peak_memory_of
from lmdistill.methods import HiddenKD
from lmdistill.methods.nested import Nested
from lmdistill.models.classifier import Network
from lmdistill.models.model_stats import flops
from lmdistill.models.pruning.families import Widths
from lmdistill.models.pruning.importance import magnitude_importance
from lmdistill.models.pruning.nested_candidates import NestedNetwork
from lmdistill.models.pruning.slicing import densify, sort_units
from lmdistill.schedules.sparsity import Ranking, candidate_grid

KEPT = candidate_grid(target=0.1)
STUDENTS = (0.5, 0.2, 0.1, 0.05)
NEVER = 10**9

Measure = Callable[[Callable[[], object]], float]
"""Peak memory in megabytes of a process that does some work."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A teacher, its sorted copy and the batches of a round."""

    teacher: Network
    """Who is imitated."""

    whole: Network
    """The same with sorted units."""

    widths: dict[float, Widths]
    """Of every candidate."""

    feed: Drawn
    """The batches."""

    def ways(self) -> dict[str, tuple[Method, Callable[[], torch.nn.Module]]]:
        """What is compared: a method, and a fresh student for it."""
        return {
            "plain": (HiddenKD(), lambda: copy.deepcopy(self.teacher)),
            "joint": (
                Nested(method=HiddenKD(), kept=KEPT),
                lambda: NestedNetwork(densify(self.whole, self.widths[max(KEPT)]), self.widths),
            ),
        }


def make_bench(setting: Setting) -> Bench:
    """Load everything; importance is that of the weights, which needs no data."""
    teacher, _ = make_networks(setting)
    found = magnitude_importance(teacher).normalised()
    heads, neurons = ([part.tolist() for part in kind] for kind in (found.heads, found.neurons))
    widths = {
        kept: Widths(heads=Ranking().counts(heads, kept), neurons=Ranking(multiple=8).counts(neurons, kept))
        for kept in KEPT
    }
    batches = make_batches(setting, teacher)
    collator = Collator(student=TokenizedRows(rows=batches.rows, padding=int(teacher.tokenizer.pad_token_id)))
    draws = (batches.grouped[0], *batches.grouped)
    return Bench(
        teacher=teacher,
        whole=sort_units(teacher, found),
        widths=widths,
        feed=Drawn(collator=collator, draws=draws),
    )


def first_batch(bench: Bench) -> Batch:
    """What no way learns from in a timed step."""
    return next(iter(bench.feed.loader(start=0, processes=1, process=0)))[0]


def require_equal(bench: Bench) -> None:
    """The joint loss is the mean of the losses of dense networks of the same widths.

    Raises:
        SystemExit: If it is not, before anything is timed.
    """
    batch = first_batch(bench)
    method, make = bench.ways()["joint"]
    with torch.no_grad():
        joint = float(sum(method.losses(make().eval(), bench.teacher, batch).values()))
        alone = statistics.fmean(
            float(sum(HiddenKD().losses(densify(bench.whole, chosen).eval(), bench.teacher, batch).values()))
            for chosen in bench.widths.values()
        )
    if not math.isclose(joint, alone, rel_tol=1e-4):
        raise SystemExit(
            f"the joint loss is {joint:g} and the mean of its candidates' {alone:g}: they do not compute the "
            "same, so nothing is timed."
        )


def train(bench: Bench, way: str) -> float:
    """Seconds of all steps but the first, of a fresh student."""
    method, make = bench.ways()[way]
    times: list[float] = []

    def note(step: Step) -> None:
        times.append(time.perf_counter())

    training = Training(epochs=1, checkpoint_every=NEVER)
    with tempfile.TemporaryDirectory() as folder:
        fit(
            method,
            make(),
            bench.teacher,
            bench.feed,
            training=training,
            accelerator=make_accelerator(training),
            folder=Path(folder),
            watch=Callbacks(on_step=note),
        )
    return times[-1] - times[0]


def students(bench: Bench, setting: str) -> list[Result]:
    """Latency and operations of dense students against the teacher."""
    nets: dict[str, Net] = {"teacher": bench.teacher.eval()}
    nets |= {f"{kept:g}": densify(bench.whole, bench.widths[kept]).eval() for kept in STUDENTS}
    inputs = first_batch(bench).inputs
    found, tokens = [], inputs.ids.shape[1]
    times = latencies(nets, inputs, runs=20)
    for kept in STUDENTS:
        name = f"{kept:g}"
        ideal = flops(bench.teacher, tokens) / flops(nets[name], tokens)  # type: ignore[arg-type]
        speedup = times["teacher"].p50_ms / times[name].p50_ms
        for measure, value in (
            ("speed-up", speedup),
            ("ideal speed-up", ideal),
            ("share of ideal", speedup / ideal),
        ):
            found.append(Result(setting=setting, way=f"student {name}", measure=measure, value=value))
    return found


def remember(setting: Setting, way: str | None) -> None:
    """Do a few steps, or only load; run in a process of its own."""
    bench = make_bench(setting)
    if way is not None:
        train(bench, way)


def memory(setting: Setting, measure: Measure) -> dict[str, float]:
    """Megabytes that each way adds to a process that has loaded everything."""
    idle = measure(partial(remember, setting, None))
    return {way: measure(partial(remember, setting, way)) - idle for way in ("plain", "joint")}


def results(setting: Setting, rounds: int, measure: Measure) -> list[Result]:
    """Everything about one width."""
    bench = make_bench(setting)
    require_equal(bench)
    seconds: dict[str, list[float]] = {"plain": [], "joint": []}
    for _ in range(rounds):
        for way, times in seconds.items():
            times.append(train(bench, way))
    ratios = [joint / plain for plain, joint in zip(seconds["plain"], seconds["joint"], strict=True)]
    tokens = first_batch(bench).inputs.ids.shape[1]
    total = flops(bench.teacher, tokens)
    learned = sum(flops(densify(bench.whole, one), tokens) for one in bench.widths.values()) / total
    held = memory(setting, measure)
    name = f"width {setting.width}, {len(KEPT)} candidates, batch {setting.batch_size}"
    numbers = {
        "rounds": rounds,
        "joint step / plain step": statistics.median(ratios),
        "operations of the candidates / of the teacher": learned,
        "predicted: (1/3 + operations) / (1/3 + 1)": (1 / 3 + learned) / (4 / 3),
        "peak memory, joint / plain": held["joint"] / held["plain"],
    }
    return [
        *(
            Result(setting=name, way="joint", measure=measured, value=value)
            for measured, value in numbers.items()
        ),
        *students(bench, name),
    ]


def main(arguments: Sequence[str] | None = None, *, measure: Measure = peak_memory_of) -> None:
    """Measure, print and append."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batches", type=int, default=6)
    parser.add_argument("--width", type=int, nargs="+", default=[MINILM, 768])
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of SST-2")
    parser.add_argument("--results", type=Path, default=RESULTS)
    chosen = parser.parse_args(arguments)
    for width in chosen.width:
        setting = Setting(width=width, batch_size=chosen.batch_size, batches=chosen.batches, data=chosen.data)
        found = results(setting, chosen.rounds, measure)
        print(f"\n{found[0].setting}")
        print(
            table(("way", "measure", "value"), [(one.way, one.measure, f"{one.value:.3g}") for one in found])
        )
        append(found, benchmark="minidisc_step", threads=torch.get_num_threads(), path=chosen.results)


if __name__ == "__main__":
    main()
