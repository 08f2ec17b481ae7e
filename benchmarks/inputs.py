"""Networks, rows and batches that all ways of training share."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from transformers import BertConfig, BertForSequenceClassification

from benchmarks.results_csv import ROOT
from lmdistill.core.batch import MixupSettings
from lmdistill.core.seeding import generator
from lmdistill.data.batching.batch_sampler import BatchSampler, MicroBatch
from lmdistill.data.load_task import load_task
from lmdistill.data.synthetic.reviews import reviews_task
from lmdistill.data.tasks.task import Task
from lmdistill.data.tasks.tokenization import encode
from lmdistill.models.classifier import Network
from lmdistill.models.loading.classifier import load
from lmdistill.models.students.truncate import truncate

DATA = ROOT.parent / "shared" / "data" / "glue"
MINILM = 384
"""Width of the packaged network; every other one gets a random network in the shape of BERT."""

STRIDE = 5
"""A round takes every fifth of the batches that are sorted by length together."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is the same for all ways."""

    width: int = MINILM
    """Of the networks; 384 is MiniLM, 768 BERT-base."""

    layers: int = 3
    """Of the student."""

    batch_size: int = 32
    """Originals a step."""

    batches: int = 10
    """Timed steps a round; the padded way takes a fifth of them."""

    data: Path = DATA
    """Folder of SST-2; made-up reviews where it is missing."""

    @property
    def name(self) -> str:
        """For tables."""
        return f"width {self.width}, student of {self.layers} layers, batch {self.batch_size}"


@dataclass(frozen=True, kw_only=True)
class Batches:
    """The same pairs of examples twice: in batches of similar length, and in random ones."""

    rows: Dataset
    """Encoded examples."""

    grouped: tuple[MicroBatch, ...]
    """As the sampler of a run draws them: partners from all rows, pairs of similar length together."""

    shuffled: tuple[MicroBatch, ...]
    """The same pairs with the same lambdas at random."""


def make_networks(setting: Setting) -> tuple[Network, Network]:
    """Teacher, and the student that is its first layers."""
    torch.manual_seed(0)
    teacher = load("packaged:all-MiniLM-L6-v2", labels=("negative", "positive"))
    if setting.width != MINILM:
        config = BertConfig(
            hidden_size=setting.width,
            num_hidden_layers=12,
            num_attention_heads=max(1, setting.width // 64),
            intermediate_size=4 * setting.width,
            initializer_range=0.1,  # loud: a mistake shows in the loss
        )
        source = f"random weights, width {setting.width}"
        teacher = Network(BertForSequenceClassification(config).eval(), teacher.tokenizer, source=source)
    return teacher, truncate(teacher, layers=setting.layers)


def make_batches(setting: Setting, network: Network) -> Batches:
    """The rows of one round, drawn from SST-2 with a fixed seed."""
    rows, lengths = encoded_rows(setting, network, STRIDE * setting.batches * setting.batch_size)
    sampler = BatchSampler(
        lengths=lengths, batch_size=setting.batch_size, epochs=1, seed=0, mixing=MixupSettings()
    )
    ordered = sorted((draw for (draw,) in sampler), key=lambda draw: tokens_of(lengths, draw))
    middle = ordered[STRIDE // 2 :: STRIDE]
    grouped = [middle[i] for i in generator(0, "steps").permutation(len(middle))]
    return Batches(rows=rows, grouped=tuple(grouped), shuffled=tuple(shuffled(grouped)))


def encoded_rows(setting: Setting, network: Network, total: int) -> tuple[Dataset, np.ndarray]:
    """Rows drawn from SST-2 with a fixed seed, encoded, and their lengths in tokens."""
    task = _task(setting)
    chosen = generator(0, "benchmark").permutation(task.train.num_rows)[:total]
    rows = encode(task.train.select(chosen), network.tokenizer, pair=False).rows
    return rows, np.asarray(rows.with_format("numpy")["length"][:])


def tokens_of(lengths: Sequence[int], draw: MicroBatch) -> int:
    """Positions a row when the batch is padded to its longest row, partners included."""
    return max(lengths[row] for row in (*draw.examples, *draw.partners.ravel()))


def shuffled(draws: Sequence[MicroBatch]) -> Iterator[MicroBatch]:
    """The pairs of these batches in random batches of the same sizes."""
    examples, partners, shares = (
        np.concatenate([getattr(draw, name) for draw in draws]) for name in ("examples", "partners", "shares")
    )
    order = generator(0, "shuffled").permutation(len(examples))
    edges = np.cumsum([len(draw.examples) for draw in draws])[:-1]
    for chosen in np.split(order, edges):
        yield MicroBatch(examples=examples[chosen], partners=partners[chosen], shares=shares[chosen])


def _task(setting: Setting) -> Task:
    """SST-2, or reviews that the program makes."""
    if (setting.data / "sst2").is_dir():
        return load_task("sst2", setting.data)
    print(f"{setting.data} has no folder sst2: synthetic reviews instead, lengths and ratios differ.")
    return reviews_task(STRIDE * setting.batches * setting.batch_size, 1)
