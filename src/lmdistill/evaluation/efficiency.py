"""Latency of networks."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from lmdistill.core.batch import Inputs, LMHead
from lmdistill.core.errors import ConfigError, MismatchError
from lmdistill.core.protocols import LanguageNet, Net
from lmdistill.evaluation.inference import evaluation_mode
from lmdistill.evaluation.timing import latency_of, timed
from lmdistill.records.schema import Latency

LATENCY_BATCHES = (1, 16)
"""Batch sizes at which the latency of a classifier is measured; 16 is that of MixKD's Table 2."""


def latency(
    net: Net, inputs: Inputs, *, runs: int = 50, warmup: int = 5, device: torch.device | str = "cpu"
) -> Latency:
    """Latency of a forward pass in evaluation mode, without moving the inputs to the device.

    Args:
        net: A network that is already on `device`.
        inputs: One batch.
        runs: Number of timed passes, >= 1.
        warmup: Number of untimed passes before them, >= 0.
        device: Device of the network.

    Returns:
        The median and the 95th percentile in milliseconds, and the conditions of the measurement.

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
    """Latency of several networks, measured alternately: A B C A B C.

    If the machine is busy for a while, all networks become slower, and their ratios stay comparable.

    Args:
        nets: Networks by name, already on `device`. A pass of a language model reads the inputs and computes
            the logits of the next token.
        inputs: One batch for all networks, or one batch by name if their tokenizers differ.
        runs: Number of timed passes of each network, >= 1.
        warmup: Number of untimed passes of each network before them, >= 0.
        device: Device of the networks.
        precision: Stop early, after at least 10 passes, if the 95 % confidence interval of every median lies
            within this fraction of the median, > 0; None never stops early.

    Returns:
        Latency by name, in the order of `nets`.

    Raises:
        ConfigError: `runs` or `warmup` is out of range.
        MismatchError: A network has no inputs.
    """
    if runs < 1 or warmup < 0:
        raise ConfigError(f"latency needs runs >= 1 and warmup >= 0, got {runs} and {warmup}.")
    target = torch.device(device)
    wait = None if target.type == "cpu" else partial(torch.accelerator.synchronize, target)
    batches = {name: _inputs_of(name, inputs).to(target) for name in nets}
    passes = {name: _pass(net, batches[name]) for name, net in nets.items()}
    with ExitStack() as stack:
        for net in nets.values():
            stack.enter_context(evaluation_mode(net))
        times_ms = timed(passes, runs=runs, warmup=warmup, precision=precision, wait=wait)
    return {
        name: latency_of(
            times,
            batch_size=len(batch.ids),
            tokens=batch.ids.shape[1],
            threads=torch.get_num_threads(),
            device=torch.cuda.get_device_name(target) if target.type == "cuda" else str(target),
        )
        for (name, batch), times in zip(batches.items(), times_ms.values(), strict=True)
    }


def speedup(teacher: Latency, student: Latency) -> float:
    """Speedup of the student: median latency of the teacher divided by that of the student, > 0.

    Args:
        teacher: Latency of the teacher.
        student: Latency of the student, measured with the same batch size, device and threads, and preferably
            in the same call of `latencies`. The number of tokens may differ, because tokenizers do.

    Raises:
        MismatchError: The two were measured under different conditions.

    Examples:
        >>> conditions = {"num_runs": 9, "batch_size": 1, "tokens": 16, "device": "cpu", "threads": 2}
        >>> slow = Latency(p50_ms=8.0, p95_ms=9.0, **conditions)
        >>> fast = Latency(p50_ms=2.0, p95_ms=4.0, **conditions)
        >>> speedup(teacher=slow, student=fast)
        4.0
    """
    for condition in ("batch_size", "device", "threads"):
        of_teacher, of_student = getattr(teacher, condition), getattr(student, condition)
        if of_teacher != of_student:
            raise MismatchError(
                f"the teacher was timed with {condition} {of_teacher} and the student with {of_student}; "
                "time both in one call of latencies."
            )
    return teacher.p50_ms / student.p50_ms


def _inputs_of(name: str, inputs: Inputs | Mapping[str, Inputs]) -> Inputs:
    """The inputs of the network called `name`."""
    if isinstance(inputs, Inputs):
        return inputs
    if name not in inputs:
        raise MismatchError(
            f"there are inputs for {', '.join(inputs)} and none for {name}; give a batch for each network."
        )
    return inputs[name]


def _pass(net: Net | LanguageNet, inputs: Inputs) -> Callable[[], object]:
    """A forward pass over the inputs; for a language model, it computes the logits of the next token."""
    if not isinstance(net, LanguageNet):
        return partial(net, inputs, hidden=False)
    last = torch.zeros_like(inputs.mask, dtype=torch.bool)
    last[:, -1] = True
    return partial(net, inputs, at=last, head_fn=_next_token)


def _next_token(states: Float[Tensor, "n d"], head: LMHead) -> dict[str, Tensor]:
    """The logits of the selected positions."""
    return {"logits": head.logits(states)}
