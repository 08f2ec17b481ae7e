"""Running a network over a data set without training it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lmdistill.core.batch import Batch, Inputs
from lmdistill.core.errors import DataError
from lmdistill.core.protocols import LanguageNet, Net


@contextmanager
def evaluation_mode(net: Net | LanguageNet) -> Iterator[None]:
    """No dropout and no gradients inside the block; afterwards every module is in the mode it was in.

    `no_grad` and not `inference_mode`: some models keep tensors that they make on the way (rotary
    tables, say), and one made in inference mode cannot be used for training later.
    """
    modes = [(module, module.training) for module in net.modules()] if isinstance(net, nn.Module) else []
    for module, _ in modes:
        module.training = False
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


def logits_of(
    net: Net,
    batches: Iterable[Batch],
    *,
    device: torch.device | str,
    as_teacher: bool = False,
    on_batch: Callable[[int], None] = lambda num_examples: None,
) -> Float[np.ndarray, "b v"]:
    """The network's logits for every example, in the order of the data set.

    Where the batches carry `Batch.examples`, rows come back by ascending row number, so that batches
    sorted by length give the same array as unsorted ones; otherwise in the order of the batches.

    Args:
        net: A network that is already on `device`.
        batches: Batches of one position an example, in any order; read once, one at a time.
        device: Where to move each batch.
        as_teacher: Read the teacher's view of each batch (its own tokenizer), not the student's.
        on_batch: Told the number of examples after each batch, for a progress bar.

    Returns:
        float32 logits, one row an example.

    Raises:
        DataError: There are no batches, or `sort_by_example` cannot order them.
    """
    return collect_outputs(
        lambda inputs: net(inputs, hidden=False).logits,
        net,
        batches,
        device=device,
        as_teacher=as_teacher,
        on_batch=on_batch,
    )


def collect_outputs(
    read: Callable[[Inputs], Float[Tensor, "b k"]],
    net: Net | LanguageNet,
    batches: Iterable[Batch],
    *,
    device: torch.device | str,
    as_teacher: bool = False,
    on_batch: Callable[[int], None] = lambda num_examples: None,
) -> Float[np.ndarray, "b k"]:
    """What `read` finds in every example, in the order that `logits_of` has.

    Args:
        read: Runs `net` once; one row an example.
        net: See `logits_of`.
        batches: See `logits_of`.
        device: See `logits_of`.
        as_teacher: See `logits_of`.
        on_batch: See `logits_of`.

    Returns:
        float32 values, one row an example.

    Raises:
        DataError: There are no batches, or `sort_by_example` cannot order them.
    """
    place = torch.device(device)
    found: list[Tensor] = []
    examples: list[Tensor] = []
    with evaluation_mode(net):
        for batch in batches:
            inputs = (batch.for_teacher if as_teacher else batch.inputs).to(place)
            found.append(read(inputs).float())  # stays there: copying would wait
            if batch.examples is not None:
                examples.append(batch.examples)
            on_batch(len(batch.labels))
    if not found:
        raise DataError("there are 0 batches to run the network on; check the split and its filters.")
    if examples and len(examples) != len(found):
        raise DataError(
            f"{len(examples)} of {len(found)} batches carry example numbers; "
            "give them to all batches or to none."
        )
    rows = torch.cat(found).cpu().numpy()
    return sort_by_example(rows, torch.cat(examples).cpu().numpy()) if examples else rows


def sort_by_example(
    rows: Float[np.ndarray, "b v"], examples: Int[np.ndarray, " b"]
) -> Float[np.ndarray, "b v"]:
    """The rows by ascending example number.

    Args:
        rows: One row an example.
        examples: The example number of each row.

    Returns:
        The same rows, sorted.

    Raises:
        DataError: An example number occurs twice, as when a sampler repeats examples to fill the last batch.

    Examples:
        >>> sort_by_example(np.array([[0.2], [0.0], [0.1]]), np.array([2, 0, 1])).tolist()
        [[0.0], [0.1], [0.2]]
    """
    order = np.argsort(examples, kind="stable")
    twice = np.flatnonzero(np.diff(examples[order]) == 0)
    if twice.size:
        raise DataError(
            f"example {examples[order][twice[0]]} occurs twice among {len(rows)} rows; "
            "give every example once, without filling up the last batch."
        )
    return rows[order]
