"""How much more does the gradient of a MixKD step vary, because batches hold pairs of similar length?

    python -m benchmarks.mixkd_gradient_variance --batches 100

Computes the gradient of the student on the batches of one epoch, at the same weights and without dropout:

* pairs by length: as a user gets them, pairs from the whole training set, grouped by the longer row;
* random batches: the same pairs with the same lambdas, shuffled;
* partner in the batch: rows grouped by length, each paired with a row of its own batch (`partner: batch`).

The variance is the mean squared distance of a batch's gradient from the mean gradient of its way, summed
over all weights, and shown as a multiple of that of random batches. The bias is the distance of a way's
mean gradient from that of random batches, as a share of its length; pairs by length
and random batches have the same pairs, so theirs is the rounding of sums.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.inputs import DATA, Setting, encoded_rows, make_networks, shuffled
from benchmarks.results_csv import RESULTS, Result, append, table
from lmdistill.core.batch import MixupSettings
from lmdistill.data.batching.batch_sampler import BatchSampler, MicroBatch
from lmdistill.data.tasks.collator import Collator, TokenizedRows
from lmdistill.methods import MixKD
from lmdistill.models.classifier import Network

RANDOM = "random batches"
VARIANCE, BIAS = "variance, times random batches", "distance of the mean gradient, share"


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Moments of the gradients of a way."""

    mean: Tensor
    """Mean gradient, all weights in one vector."""

    variance: float
    """Mean squared distance from the mean, with one degree of freedom less."""


def moments(student: Network, teacher: Network, collator: Collator, draws: Sequence[MicroBatch]) -> Moments:
    """Gradients of every batch at the same weights."""
    total, squares = torch.zeros(0), 0.0
    parameters = [p for p in student.parameters() if p.requires_grad]
    for draw in draws:
        batch = collator[draw]
        terms = MixKD().losses(student, teacher, batch)
        gradients = torch.autograd.grad(sum(terms.values()) / batch.count, parameters, allow_unused=True)
        flat = torch.cat([g.flatten() for g in gradients if g is not None]).double()
        total = flat if not len(total) else total + flat
        squares += float(flat @ flat)
    mean = total / len(draws)
    variance = (squares - len(draws) * float(mean @ mean)) / (len(draws) - 1)
    return Moments(mean=mean, variance=variance)


def ways(lengths: np.ndarray, setting: Setting) -> dict[str, list[MicroBatch]]:
    """The batches of one epoch of each way."""
    sampler = BatchSampler(
        lengths=lengths, batch_size=setting.batch_size, epochs=1, seed=0, mixing=MixupSettings()
    )
    by_length = [draw for (draw,) in sampler]
    in_batch = [draw for (draw,) in replace(sampler, mixing=MixupSettings(partner="batch"))]
    return {
        RANDOM: list(shuffled(by_length)),
        "pairs by length": by_length,
        "partner in the batch": in_batch,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark and append to the table of results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--batches", type=int, default=100, help="of each way, >= 2")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--width", type=int, default=Setting().width)
    parser.add_argument("--layers", type=int, default=Setting().layers)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of SST-2")
    parser.add_argument("--results", type=Path, default=RESULTS, help="table to append to")
    chosen = parser.parse_args(arguments)
    setting = Setting(
        width=chosen.width, layers=chosen.layers, batch_size=chosen.batch_size, data=chosen.data
    )
    teacher, student = make_networks(setting)
    rows, lengths = encoded_rows(setting, student, chosen.batches * chosen.batch_size)
    view = TokenizedRows(rows=rows, padding=int(student.tokenizer.pad_token_id))
    collator = Collator(student=view, mixing=MixKD().mixing)
    found = {
        name: moments(student.eval(), teacher, collator, draws)
        for name, draws in ways(lengths, setting).items()
    }
    lines, printed = [], []
    reference = found[RANDOM]
    for name, one in found.items():
        ratio = one.variance / reference.variance
        bias = float((one.mean - reference.mean).norm() / reference.mean.norm())
        printed.append([name, f"{ratio:.3f}", f"{bias:.3f}"])
        lines += [
            Result(setting=setting.name, way=name, measure="variance, times random batches", value=ratio),
            Result(
                setting=setting.name, way=name, measure="distance of the mean gradient, share", value=bias
            ),
        ]
    append(lines, benchmark="mixkd_gradient_variance", threads=torch.get_num_threads(), path=chosen.results)
    print(table(["", VARIANCE, BIAS], printed))


if __name__ == "__main__":
    main()
