"""Inference over a data set: the outputs of a network for every example."""

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
    """Switch off dropout and gradients inside the block, then restore the mode of every module.

    It uses `no_grad` and not `inference_mode`, because some models cache tensors (for example rotary
    embeddings), and tensors created in inference mode cannot be used in training afterwards.
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
    """Logits of a network for every example, in the order of the data set.

    If batches have `Batch.examples`, the rows are sorted by these numbers, so that batches may be grouped by
    length. Otherwise the rows are in the order of the batches.

    Args:
        net: A network that is already on `device`.
        batches: Batches with one position per example, in any order; iterated once.
        device: Device to move each batch to.
        as_teacher: Use `Batch.for_teacher`, which a teacher with its own tokenizer needs, instead of
            `Batch.inputs`.
        on_batch: Called with the number of examples after each batch, for a progress bar.

    Returns:
        float32 logits, one row per example.

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
    """Outputs of `read` for every example, in the order of the data set, as from `logits_of`.

    Args:
        read: Function that runs `net` on the inputs and returns one row per example.
        net: See `logits_of`.
        batches: See `logits_of`.
        device: See `logits_of`.
        as_teacher: See `logits_of`.
        on_batch: See `logits_of`.

    Returns:
        float32 values, one row per example.

    Raises:
        DataError: There are no batches, or `sort_by_example` cannot order them.
    """
    target = torch.device(device)
    outputs: list[Tensor] = []
    examples: list[Tensor] = []
    with evaluation_mode(net):
        for batch in batches:
            inputs = (batch.for_teacher if as_teacher else batch.inputs).to(target)
            outputs.append(read(inputs).float())  # stays on the device: a copy would wait for the computation
            if batch.examples is not None:
                examples.append(batch.examples)
            on_batch(len(batch.labels))
    if not outputs:
        raise DataError("there are 0 batches to run the network on; check the split and its filters.")
    if examples and len(examples) != len(outputs):
        raise DataError(
            f"{len(examples)} of {len(outputs)} batches have example numbers; "
            "give them to all batches or to none."
        )
    rows = torch.cat(outputs).cpu().numpy()
    return sort_by_example(rows, torch.cat(examples).cpu().numpy()) if examples else rows


def sort_by_example(
    rows: Float[np.ndarray, "b v"], examples: Int[np.ndarray, " b"]
) -> Float[np.ndarray, "b v"]:
    """Sort rows by example number.

    Args:
        rows: One row per example.
        examples: Example number of each row.

    Returns:
        The same rows by ascending example number.

    Raises:
        DataError: An example number occurs twice, for example because a sampler fills up the last batch.

    Examples:
        >>> sort_by_example(np.array([[0.2], [0.0], [0.1]]), np.array([2, 0, 1])).tolist()
        [[0.0], [0.1], [0.2]]
    """
    order = np.argsort(examples, kind="stable")
    repeated = np.flatnonzero(np.diff(examples[order]) == 0)
    if repeated.size:
        raise DataError(
            f"example {examples[order][repeated[0]]} occurs twice among {len(rows)} rows; "
            "give every example once, without filling up the last batch."
        )
    return rows[order]
