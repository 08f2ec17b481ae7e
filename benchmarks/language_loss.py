"""What does a distillation loss on the outputs of language models cost, beyond its matrix products?

    python -m benchmarks.language_loss --positions 2048 --vocabulary 50257 151936

The same final states and output matrices go, forward and backward, through

* plain: PyTorch as a user would write it, all logits at once;
* trl: the chunked divergence of TRL's DistillationTrainer, if that package is installed;
* ours: `chunked_losses` with the forward KL;
* ours, ATKD: the first look at the teacher, the weights, and both parts of the forward KL;
* products: only the four matrix products that all of them need, as a floor of the time.

All forward KLs must agree before they are timed. Rounds take the ways in turn. Memory is what a fresh process
holds at most, beyond one that has only the inputs and the gradient of the output matrix.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch

from benchmarks.head_losses import LOSSES, SAME, Case, Sizes, has_trl, make_case, step
from benchmarks.results_csv import RESULTS, Result, append, table
from lmdistill.evaluation.process_memory import peak_memory_of

TOLERANCE = 1e-4


def difference(case: Case, keys: Sequence[str]) -> float:
    """The largest difference between the ways that compute the same: of losses, and of gradients to size."""
    found = {}
    for key in keys:
        loss = step(key, case)
        assert case.states.grad is not None
        found[key] = (loss, case.states.grad)
    loss, gradient = found[keys[0]]
    worst = [max(abs(other - loss), float((slope - gradient).norm() / gradient.norm()))
             for other, slope in found.values()]  # fmt: skip
    return max(worst)


def compete(case: Case, keys: Sequence[str], rounds: int) -> dict[str, list[float]]:
    """Seconds of each way, in turn."""
    times: dict[str, list[float]] = {key: [] for key in keys}
    for _ in range(rounds):
        for key in keys:
            start = time.perf_counter()
            step(key, case)
            times[key].append(time.perf_counter() - start)
            print(".", end="", flush=True, file=sys.stderr)
    print(file=sys.stderr)
    return times


def work(sizes: Sizes, threads: int, key: str, *, loss: bool) -> None:
    """One step in a process whose memory is measured; or only what it starts with."""
    torch.set_num_threads(threads)
    if key == "trl":
        has_trl()
    case = make_case(sizes)
    _ = case.states[:8].detach() @ case.weight[:8].detach().t()  # the library of products is loaded
    if loss:
        step(key, case)
    else:
        case.weight.grad = torch.ones_like(case.weight)


def memory(
    sizes: Sizes, keys: Sequence[str], measure: Callable[[Callable[[], object]], float]
) -> dict[str, float]:
    """Peak memory of each way beyond inputs and gradient of the output matrix, in MB of 10^6 bytes."""
    threads = torch.get_num_threads()
    return {
        key: measure(partial(work, sizes, threads, key, loss=True))
        - measure(partial(work, sizes, threads, key, loss=False))
        for key in keys
        if key != "products"
    }


def results(sizes: Sizes, times: Mapping[str, Sequence[float]], peaks: Mapping[str, float]) -> list[Result]:
    """Everything measured, a line each; ratios of time are medians over rounds."""
    found = []
    for key, seconds in times.items():
        values = {"rounds": float(len(seconds)), "s": statistics.median(seconds)}
        for base in ("plain", "trl", "ours"):
            if base in times and base != key:
                pairs = zip(seconds, times[base], strict=True)
                values[f"time, times that of {base}"] = statistics.median(a / b for a, b in pairs)
        if key in peaks:
            values["peak MB"] = peaks[key]
            if peaks["plain"] > 0:
                values["memory, share of plain"] = peaks[key] / peaks["plain"]
        found += [
            Result(setting=sizes.name, way=key, measure=measure, value=value)
            for measure, value in values.items()
        ]
    return found


def shown(found: Sequence[Result]) -> str:
    """The table of one setting."""
    columns = (
        "s",
        "time, times that of plain",
        "time, times that of ours",
        "peak MB",
        "memory, share of plain",
    )
    lines = []
    for way in dict.fromkeys(one.way for one in found):
        value = {one.measure: one.value for one in found if one.way == way}
        lines.append([way, *(f"{value[name]:.3g}" if name in value else "-" for name in columns)])
    return table(["way", "s", "of plain", "of ours", "peak MB", "of plain"], lines)


def run(sizes: Sizes, rounds: int, measure: Callable[[Callable[[], object]], float] | None) -> list[Result]:
    """Check, time and measure one setting, and print its table."""
    keys = [key for key in LOSSES if key != "trl" or has_trl()]
    if "trl" not in keys:
        print("trl is not installed, or has no chunked divergence where it was in 1.16; it is left out")
    case = make_case(sizes)
    apart = difference(case, [key for key in keys if key in SAME])
    print(f"\n{sizes.name}, {torch.get_num_threads()} threads")
    print(f"largest difference between the forward KLs of the ways: {apart:.1e}")
    if not apart <= TOLERANCE:
        sys.exit(f"the ways do not compute the same (allowed: {TOLERANCE:g}); nothing was timed.")
    times = compete(case, [*keys, "products"], rounds)
    del case
    found = results(sizes, times, {} if measure is None else memory(sizes, keys, measure))
    print(shown(found), flush=True)
    return found


def main(
    arguments: Sequence[str] | None = None,
    *,
    measure: Callable[[Callable[[], object]], float] = peak_memory_of,
) -> None:
    """Run the benchmark and append to the table of results; `measure` runs work in a fresh process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--positions", type=int, default=2048)
    parser.add_argument("--student-width", type=int, default=768)
    parser.add_argument("--teacher-width", type=int, default=1024)
    parser.add_argument("--vocabulary", type=int, nargs="+", default=[50257, 151936])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--no-memory", action="store_true", help="do not measure peak memory")
    parser.add_argument("--results", type=Path, default=RESULTS, help="table to append to")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(chosen.threads)
    for vocabulary in chosen.vocabulary:
        sizes = Sizes(
            positions=chosen.positions,
            student=chosen.student_width,
            teacher=chosen.teacher_width,
            vocabulary=vocabulary,
        )
        found = run(sizes, chosen.rounds, None if chosen.no_memory else measure)
        append(found, benchmark="language_loss", threads=chosen.threads, path=chosen.results)


if __name__ == "__main__":
    main()
