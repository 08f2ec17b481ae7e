"""How fast does a student of a language model learn by KD, against the loop that a user would write?

    python -m benchmarks.language_step

Both train the same student on the same passages, from the same teacher, in the same process, in turn. Ours is
a step of a run: batches of similar length, logits of scored positions only, a chunk at a time. The
straightforward loop takes random batches padded to their longest passage, all logits of both models, and
PyTorch's divergence. A token is a scored one.
"""

import argparse
import copy
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import kl_div

from benchmarks.results_csv import RESULTS, ROOT, Result, append, table
from lmdistill.core.batch import Batch
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.optimizer_step import make_learner
from lmdistill.engine.training_settings import Training
from lmdistill.methods import TokenKD
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.models.loading.causal_lm import load_causal
from lmdistill.models.students.random_llama import random_llama
from lmdistill.models.students.truncate import truncate
from lmdistill.recipes.language_model import Texts
from lmdistill.runs.language.data import load_texts
from lmdistill.runs.language.dataset import EncodedTexts, encode_texts

SHARED = ROOT.parent / "shared"
MODEL = SHARED / "models" / "stories260k"
STORIES = SHARED / "data" / "text" / "tinystories_sample_2MiB.txt.gz"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A teacher and the student that learns from it."""

    name: str
    """For tables."""

    teacher: LanguageNetwork
    """Imitated."""

    student: LanguageNetwork
    """Trained; each way takes a copy."""


def pairs(which: Sequence[str]) -> list[Pair]:
    """The real small model and a random one of about ten million parameters, each with half its layers."""
    small = load_causal(MODEL)
    found = {"stories260k": small}
    if "10M" in which:
        found["10M"] = random_llama(small.tokenizer, width=320, layers=8, heads=8, positions=512, seed=0)
    return [
        Pair(
            name=name, teacher=found[name], student=truncate(found[name], layers=found[name].num_layers // 2)
        )
        for name in which
    ]


def our_steps(pair: Pair, batches: Sequence[list[Batch]], training: Training) -> float:
    """Seconds for these steps of a run."""
    student = _copy(pair.student)
    accelerator = make_accelerator(training)
    learner = make_learner(TokenKD(), student, pair.teacher, training=training, accelerator=accelerator)
    learner.gradients(batches[0])
    start = time.perf_counter()
    for window in batches:
        learner.gradients(window)
        learner.update(1e-4)
    return time.perf_counter() - start


def plain_steps(pair: Pair, batches: Sequence[list[Batch]]) -> float:
    """Seconds for these steps of the straightforward loop."""
    model, teacher = _copy(pair.student).model.train(), pair.teacher.model.eval()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    _plain_loss(model, teacher, batches[0][0]).backward()
    start = time.perf_counter()
    for (batch,) in batches:
        optimizer.zero_grad()
        _plain_loss(model, teacher, batch).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return time.perf_counter() - start


def _plain_loss(model: Any, teacher: Any, batch: Batch) -> torch.Tensor:
    """Forward KL of all positions, then the mean of those that are scored."""
    ids, mask = batch.inputs.ids, batch.inputs.mask
    with torch.no_grad():
        theirs = teacher(input_ids=ids, attention_mask=mask).logits.log_softmax(-1)
    ours = model(input_ids=ids, attention_mask=mask).logits.log_softmax(-1)
    each = kl_div(ours, theirs, log_target=True, reduction="none").sum(-1)
    return (each * batch.scored).sum() / batch.scored.sum()


def _copy(network: LanguageNetwork) -> LanguageNetwork:
    """The same weights again."""
    return network.with_model(copy.deepcopy(network.model), source=network.source)


def windows(pages: EncodedTexts, training: Training, steps: int) -> list[list[Batch]]:
    """The first batches of a run."""
    loader = pages.feed(TokenKD(), training).loader(start=0, processes=1, process=0)
    return [window for window, _ in zip(loader, range(steps), strict=False)]


def compete(
    pair: Pair, pages: EncodedTexts, training: Training, chosen: argparse.Namespace
) -> dict[str, float]:
    """Tokens a second of each way, the median of rounds that take them in turn."""
    grouped = windows(pages, training, chosen.steps)
    loose = windows(pages, replace(training, group_by_length=False), chosen.steps)
    ways = {"ours": grouped, "ours, random batches": loose, "plain loop": loose}
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(chosen.rounds):
        for way, batches in ways.items():
            if way == "plain loop":
                seconds = plain_steps(pair, batches)
            else:
                seconds = our_steps(pair, batches, training)
            rates[way].append(sum(batch.count for window in batches for batch in window) / seconds)
            print(".", end="", flush=True, file=sys.stderr)
    print(file=sys.stderr)
    return {way: statistics.median(found) for way, found in rates.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark and append to the table of results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pairs", nargs="+", default=["stories260k", "10M"])
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--results", type=Path, default=RESULTS, help="table to append to")
    chosen = parser.parse_args(arguments)
    if not MODEL.is_dir():
        sys.exit(f"{MODEL} is not there; this benchmark needs it.")
    texts = Texts(source=str(STORIES), separator="<|endoftext|>", dev_rows=10, rows=400, max_length=256)
    conversations, training = load_texts(texts), Training(batch_size=chosen.batch_size, epochs=1)
    lines, results = [], []
    for pair in pairs(chosen.pairs):
        rates = compete(pair, encode_texts(conversations, pair.teacher.tokenizer, texts), training, chosen)
        base = rates["plain loop"]
        for way, rate in rates.items():
            lines.append([f"{pair.name}: {way}", f"{rate:.0f}", f"{rate / base:.2f}"])
            numbers = {"tokens/s": rate, "times the plain loop": rate / base}
            setting = f"KD of {pair.name}, batch {chosen.batch_size}"
            results += [Result(setting=setting, way=way, measure=m, value=v) for m, v in numbers.items()]
    print(table(["way", "tokens/s", "times the plain loop"], lines))
    append(results, benchmark="language_step", threads=torch.get_num_threads(), path=chosen.results)


if __name__ == "__main__":
    main()
