"""One MixKD step, three ways: ours, a loop that a user would write, and that loop padded to 128 tokens."""

import copy
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.utils.data import DataLoader
from transformers import DataCollatorWithPadding

from lmdistill.core.batch import Batch
from lmdistill.data.batching.batch_sampler import MicroBatch
from lmdistill.data.tasks.collator import Collator, TokenizedRows
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.callbacks import Callbacks, Step
from lmdistill.engine.fit import fit
from lmdistill.engine.training_settings import Training
from lmdistill.methods import MixKD
from lmdistill.models.classifier import Network

PADDED = 128
NEVER = 10**9


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """The feed of a run that is over before its last step, so that it writes no checkpoint."""

    collator: Collator
    """How rows become batches."""

    draws: tuple[MicroBatch, ...]
    """A batch each."""

    @property
    def total_steps(self) -> int:
        """More than there are."""
        return len(self.draws) + 1

    @property
    def steps_per_epoch(self) -> int:
        """All of them."""
        return self.total_steps

    def loader(self, *, start: int, processes: int, process: int) -> DataLoader[list[Batch]]:
        """The draws as batches, whatever `start` and processes."""
        own = torch.Generator().manual_seed(0)
        lists = [[draw] for draw in self.draws]
        return DataLoader(self.collator, batch_sampler=lists, collate_fn=list, generator=own)  # type: ignore[arg-type]

    def regenerate(self, window: list[Batch], student: object, step: int) -> list[Batch]:
        """The batches as they are."""
        return window


@dataclass(frozen=True, kw_only=True)
class Ours:
    """MixKD as `lmdistill.distill` runs it."""

    name: str
    """In tables."""

    order: Literal["grouped", "shuffled"]
    """Which batches it gets."""

    def tokens(self, longest: int) -> int:
        """Positions a row."""
        return longest

    def loss(self, teacher: Network, student: Network, rows: Dataset, draw: MicroBatch) -> float:
        """The objective of one batch."""
        batch = _collator(rows, student)[draw]
        terms = MixKD().losses(student, teacher, batch)
        return float(sum(terms.values())) / batch.count

    def train(
        self, teacher: Network, student: Network, rows: Dataset, draws: Sequence[MicroBatch]
    ) -> list[float]:
        """Train `student`; the time at which each step was over, in seconds."""
        times: list[float] = []
        training = Training(epochs=1, checkpoint_every=NEVER)

        def note(step: Step) -> None:
            times.append(time.perf_counter())

        with tempfile.TemporaryDirectory() as folder:
            fit(
                MixKD(),
                student,
                teacher,
                Drawn(collator=_collator(rows, student), draws=tuple(draws)),
                training=training,
                accelerator=make_accelerator(training),
                folder=Path(folder),
                watch=Callbacks(on_step=note),
            )
        return times


@dataclass(frozen=True, kw_only=True)
class Plain:
    """Transformers and a loop: three forward passes a step, and torch's AdamW as it comes."""

    name: str
    """In tables."""

    padding: Literal["longest", "max_length"]
    """To the longest row of the batch, or always to 128 tokens."""

    order: Literal["grouped", "shuffled"] = "shuffled"
    """Which batches it gets."""

    def tokens(self, longest: int) -> int:
        """Positions a row."""
        return PADDED if self.padding == "max_length" else longest

    def loss(self, teacher: Network, student: Network, rows: Dataset, draw: MicroBatch) -> float:
        """The objective of one batch."""
        batch, share = next(self._batches(rows, student.tokenizer, [draw]))
        return float(plain_loss(student.model, teacher.model, batch, share))

    def train(
        self, teacher: Network, student: Network, rows: Dataset, draws: Sequence[MicroBatch]
    ) -> list[float]:
        """Train `student`; the time at which each step was over, in seconds."""
        times: list[float] = []
        model: Any = student.model
        optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5)
        model.train()
        teacher.model.eval()
        for batch, share in self._batches(rows, student.tokenizer, draws):
            loss = plain_loss(model, teacher.model, batch, share)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            times.append(time.perf_counter())
        return times

    def _batches(
        self, rows: Dataset, tokenizer: Any, draws: Sequence[MicroBatch]
    ) -> Iterator[tuple[Mapping[str, Tensor], Tensor]]:
        """Batches as transformers pads them, first the originals and then their partners, and the shares."""
        names = [name for name in ("input_ids", "token_type_ids", "label") if name in rows.column_names]
        loader: DataLoader[Any] = DataLoader(
            rows.select_columns(names),  # type: ignore[arg-type]
            batch_sampler=[[*draw.examples.tolist(), *draw.partners[:, 0].tolist()] for draw in draws],
            collate_fn=DataCollatorWithPadding(tokenizer, padding=self.padding, max_length=PADDED),
        )
        for batch, draw in zip(loader, draws, strict=True):
            yield batch, torch.from_numpy(draw.shares[:, 0].astype(np.float32))


def plain_loss(student: nn.Module, teacher: nn.Module, batch: Mapping[str, Tensor], share: Tensor) -> Tensor:
    """MixKD with its default weights, written down as the paper has it."""
    ids, mask = batch["input_ids"], batch["attention_mask"]
    size = len(share)
    labels, partner_labels = batch["labels"].split(size)
    logits = student(input_ids=ids[:size], attention_mask=mask[:size]).logits
    mixed = student(**_mixed(student, ids, mask, share)).logits
    with torch.no_grad():
        taught = teacher(**_mixed(teacher, ids, mask, share)).logits
    first = cross_entropy(mixed, labels, reduction="none")
    second = cross_entropy(mixed, partner_labels, reduction="none")
    mixed_labels = (share * first + (1 - share) * second).mean()
    return cross_entropy(logits, labels) + mixed_labels + mse_loss(mixed, taught)


WAYS: Mapping[str, Ours | Plain] = MappingProxyType(
    {
        "ours": Ours(name="ours", order="grouped"),
        "ours, random": Ours(name="ours, random batches", order="shuffled"),
        "plain": Plain(name="plain loop", padding="longest"),
        "padded": Plain(name="plain loop, 128 tokens", padding="max_length"),
    }
)
"""By key; the first is what the others are compared with."""


def untouched(student: Network) -> Network:
    """A copy to train."""
    return copy.deepcopy(student)


def _collator(rows: Dataset, network: Network) -> Collator:
    """Ours."""
    view = TokenizedRows(rows=rows, padding=int(network.tokenizer.pad_token_id))
    return Collator(student=view, mixing=MixKD().mixing)


def _mixed(model: Any, ids: Tensor, mask: Tensor, share: Tensor) -> dict[str, Tensor]:
    """Interpolated word embeddings, where padding is zero, and the union of both masks."""
    size, weight = len(share), share[:, None, None]
    words = model.get_input_embeddings()(ids) * mask[..., None]
    return {
        "inputs_embeds": weight * words[:size] + (1 - weight) * words[size:],
        "attention_mask": mask[:size] | mask[size:],
    }
