"""What running a network costs: milliseconds, memory, disk."""

import math
import multiprocessing
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lmdistill.core.batch import Inputs, LMHead
from lmdistill.core.errors import ConfigError, DataError, MismatchError, RunError
from lmdistill.core.progress import progress
from lmdistill.core.protocols import LanguageNet, Net
from lmdistill.evaluation.inference import evaluation_mode
from lmdistill.records.schema import Latency

BYTES_PER_MB = 1_000_000

LATENCY_BATCHES = (1, 16)
"""Batch sizes at which the latency of a classifier is measured; 16 is that of MixKD's Table 2."""

FEWEST_RUNS = 10
"""Timed passes below which a median's interval is not computed."""


def latency(
    net: Net, inputs: Inputs, *, runs: int = 50, warmup: int = 5, device: torch.device | str = "cpu"
) -> Latency:
    """Time of a forward pass without gradients and dropout; moving the inputs is not counted.

    Args:
        net: A network that is already on `device`.
        inputs: One batch.
        runs: Timed passes, >= 1.
        warmup: Passes before them that are not timed, >= 0.
        device: Where to run.

    Returns:
        The median, the 95th percentile and what they are of.

    Raises:
        ConfigError: `runs` or `warmup` is out of range.
    """
    return latencies({"net": net}, inputs, runs=runs, warmup=warmup, device=device)["net"]


def latencies(
    nets: Mapping[str, Net | LanguageNet],
    inputs: Inputs | Mapping[str, Inputs],
    *,
    runs: int = 50,
    warmup: int = 5,
    device: torch.device | str = "cpu",
    precision: float | None = None,
) -> dict[str, Latency]:
    """Latency of several networks, taken in turn: A B C A B C.

    A machine that is busy for a while then slows all of them, and the ratios stay fair.

    Args:
        nets: Networks by name, already on `device`. One that writes text reads its inputs and answers with
            the logits of the token after them.
        inputs: One batch for all, or one a name where tokenizers differ.
        runs: Timed passes of each network, >= 1.
        warmup: Passes of each before them that are not timed, >= 0.
        device: Where to run.
        precision: Stop before `runs`, but not before 10, once the 95 % interval of every median lies within
            this fraction of it, > 0; None always takes all `runs`.

    Returns:
        Name to latency, in the order of `nets`.

    Raises:
        ConfigError: `runs` or `warmup` is out of range.
        MismatchError: A network has no inputs.
    """
    if runs < 1 or warmup < 0:
        raise ConfigError(f"latency needs runs >= 1 and warmup >= 0, got {runs} and {warmup}.")
    place = torch.device(device)
    views = {name: _inputs_of(name, inputs).to(place) for name in nets}
    passes = {name: _pass(net, views[name]) for name, net in nets.items()}
    times_ms: dict[str, list[float]] = {name: [] for name in nets}
    with ExitStack() as stack:
        for net in nets.values():
            stack.enter_context(evaluation_mode(net))
        shown = stack.enter_context(
            progress("measuring latency", (warmup + runs) * len(nets), unit="pass", minor=True)
        )
        for run in range(warmup + runs):
            for name, once in passes.items():
                took_ms = _time_ms(once, place)
                if run >= warmup:
                    times_ms[name].append(took_ms)
                shown.add()
            if precision is not None and all(_is_precise(times, precision) for times in times_ms.values()):
                break
    return {name: _summary(times_ms[name], views[name], place) for name in nets}


def speedup(teacher: Latency, student: Latency) -> float:
    """How many times faster the student is: ratio of the medians, > 0.

    Args:
        teacher: What the student is compared with.
        student: Taken with the same batch size, device and threads; better still by the same
            call of `latencies`. Tokens may differ, since tokenizers may.

    Raises:
        MismatchError: The two were taken under different conditions.

    Examples:
        >>> conditions = {"num_runs": 9, "batch_size": 1, "tokens": 16, "device": "cpu", "threads": 2}
        >>> slow = Latency(p50_ms=8.0, p95_ms=9.0, **conditions)
        >>> fast = Latency(p50_ms=2.0, p95_ms=4.0, **conditions)
        >>> speedup(teacher=slow, student=fast)
        4.0
    """
    for condition in ("batch_size", "device", "threads"):
        theirs, ours = getattr(teacher, condition), getattr(student, condition)
        if theirs != ours:
            raise MismatchError(
                f"the teacher was timed with {condition} {theirs} and the student with {ours}; "
                "time both in one call of latencies."
            )
    return teacher.p50_ms / student.p50_ms


def peak_memory_mb(device: torch.device | str = "cpu") -> float:
    """The most memory that this process has held so far, in MB of 10^6 bytes.

    For the CPU that is everything resident since the process began, Python and libraries included, and it
    never falls: measure one network a process, with `peak_memory_of`. For CUDA it is what torch allocated
    there.

    Raises:
        RunError: The system does not say.
    """
    place = torch.device(device)
    if place.type == "cuda":
        return torch.cuda.max_memory_allocated(place) / BYTES_PER_MB
    status = Path("/proc/self/status")
    if status.exists():  # the kernel's ru_maxrss would include the parent of a fresh process
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        if "VmHWM" in lines:
            return int(lines["VmHWM"].split()[0]) * 1024 / BYTES_PER_MB
    if sys.platform == "win32":
        raise RunError(
            "Windows does not say how much memory a process held at most; measure on Linux or macOS."
        )
    import resource  # not on Windows

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / BYTES_PER_MB


def peak_memory_of(work: Callable[[], object]) -> float:
    """The most memory that a fresh process holds while it does `work`, in MB of 10^6 bytes of CPU memory.

    Python and torch themselves are in it (some hundreds of MB), so compare with the peak of doing nothing.

    Args:
        work: What to do, result dropped; goes to the process by pickle, so a function of a module, or a
            `functools.partial` of one.

    Raises:
        RunError: The process died or `work` raised.
    """
    context = multiprocessing.get_context("spawn")  # a fork would start with our own memory
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work_and_tell, args=(work, sender))
    process.start()
    sender.close()
    try:
        return float(receiver.recv())
    except EOFError:
        process.join()
        raise RunError(
            f"the process that measures memory ended with code {process.exitcode} and no answer; "
            "its error is above, or the machine ran out of memory."
        ) from None
    finally:
        process.join()
        receiver.close()


def disk_bytes(folder: Path) -> int:
    """Bytes of all files in `folder` and below; what has to be shipped.

    Raises:
        DataError: There is no such folder.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; give the folder that the model was saved in.")
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _inputs_of(name: str, inputs: Inputs | Mapping[str, Inputs]) -> Inputs:
    """The inputs for the network called `name`."""
    if isinstance(inputs, Inputs):
        return inputs
    if name not in inputs:
        raise MismatchError(
            f"there are inputs for {', '.join(inputs)} and none for {name}; give each network some."
        )
    return inputs[name]


def _pass(net: Net | LanguageNet, inputs: Inputs) -> Callable[[], object]:
    """One pass over the inputs; of a network that writes text, up to the logits of the next token."""
    if not isinstance(net, LanguageNet):
        return partial(net, inputs, hidden=False)
    last = torch.zeros_like(inputs.mask, dtype=torch.bool)
    last[:, -1] = True
    return partial(net, inputs, at=last, head_fn=_next_token)


def _next_token(states: Float[Tensor, "n d"], head: LMHead) -> dict[str, Tensor]:
    """All logits of the positions that are read."""
    return {"logits": head.logits(states)}


def _time_ms(once: Callable[[], object], place: torch.device) -> float:
    """Milliseconds of one pass, with the accelerator waited for."""
    _wait(place)
    start = time.perf_counter()
    once()
    _wait(place)
    return (time.perf_counter() - start) * 1000


def _wait(place: torch.device) -> None:
    """Let an accelerator finish what it was given."""
    if place.type != "cpu":
        torch.accelerator.synchronize(place)


def _is_precise(times_ms: Sequence[float], precision: float) -> bool:
    """Whether the median is known well enough: its distribution-free 95 % interval, by order statistics."""
    count = len(times_ms)
    if count < FEWEST_RUNS:
        return False
    skipped = int((count - 1.96 * math.sqrt(count)) / 2)
    ordered, median = sorted(times_ms), float(np.median(times_ms))
    low, high = ordered[skipped], ordered[count - 1 - skipped]
    return max(high - median, median - low) <= precision * median


def _summary(times_ms: list[float], inputs: Inputs, place: torch.device) -> Latency:
    """What was measured, with its conditions."""
    return Latency(
        p50_ms=float(np.percentile(times_ms, 50)),
        p95_ms=float(np.percentile(times_ms, 95)),
        num_runs=len(times_ms),
        batch_size=inputs.ids.shape[0],
        tokens=inputs.ids.shape[1],
        device=torch.cuda.get_device_name(place) if place.type == "cuda" else str(place),
        threads=torch.get_num_threads(),
    )


def _work_and_tell(work: Callable[[], object], sender: Connection) -> None:
    """What the fresh process does."""
    work()
    sender.send(peak_memory_mb())
