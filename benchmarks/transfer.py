"""What do texts without labels cost: memory, bytes of stored answers, and speed of training on them?

    python -m benchmarks.transfer --rows 10000 1000000

For each number of made-up texts without labels a fresh process loads them beside a few labelled rows, leaves
out repeats and texts of dev, encodes them, computes and stores the answers of a very small teacher, and takes
batches of method `kd` from them. Printed are the most memory it has held by the end of each stage, of its own
and with the pages of mapped files, the seconds of each stage, and the bytes of the store for each row.

With the largest number of texts three ways of training then take turns on the same batches, in one process:

* without a teacher: method `finetune`, as if every row had a label;
* stored answers: method `kd`, answers read from the store;
* live teacher: method `kd`, the teacher is run in every step.

The student has 3 layers of MiniLM's width, the teacher 6. A round trains each way anew, its first step not
counted.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification

from benchmarks.data_memory import DEV_ROWS, WORDS, made_up_tokenizer, own_memory_mb, watched, write_rows
from benchmarks.mixkd_loops import NEVER, Drawn, untouched
from benchmarks.results_csv import RESULTS, Result, append, tables
from lmdistill.core.protocols import Method
from lmdistill.data.batching.batch_sampler import MicroBatch
from lmdistill.data.tasks.collator import Collator, TokenizedRows
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.callbacks import Callbacks
from lmdistill.engine.fit import fit
from lmdistill.engine.training_settings import Training
from lmdistill.evaluation.process_memory import peak_memory_mb, peak_memory_of
from lmdistill.methods import KD, FineTune
from lmdistill.models.classifier import Network
from lmdistill.models.students.truncate import truncate
from lmdistill.recipes.classifier import Data
from lmdistill.runs.classification.data import load_examples
from lmdistill.runs.classification.dataset import EncodedTask, encode_task
from lmdistill.runs.classification.teacher_outputs import NetworkOutputs

STAGES = ("start", "load", "encode", "store", "iterate")
LABELLED, BATCH = 1000, 32
WAYS: Mapping[str, Method] = {
    "without a teacher": FineTune(),
    "stored answers": KD(),
    "live teacher": KD(),
}
"""Name of a way of training -> its method."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is the same for all ways."""

    width: int = 384
    """Of student and teacher; the network that fills the store is smaller."""

    layers: int = 3
    """Of the student; the teacher has 6."""

    batches: int = 20
    """Timed steps a round."""

    rounds: int = 5
    """How often each way is trained."""

    @property
    def name(self) -> str:
        """For tables."""
        return f"width {self.width}, student of {self.layers} layers, batch {BATCH}"


def network(width: int, layers: int) -> Network:
    """A network in the shape of MiniLM with random weights, for the made-up words."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=WORDS + 4,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=max(1, width // 32),
        intermediate_size=4 * width,
        id2label={0: "bad", 1: "good"},
        label2id={"bad": 0, "good": 1},
    )
    model = BertForSequenceClassification(config).eval()
    return Network(model, made_up_tokenizer(), source=f"random weights, width {width}")


def write_files(folder: Path, rows: int) -> Data:
    """Labelled texts, texts of dev and `rows` texts without labels, as files."""
    write_rows(folder / "dev.csv", DEV_ROWS, kind="dev")
    write_rows(folder / "labelled.csv", LABELLED)
    write_rows(folder / f"{rows}.csv", LABELLED + rows)  # begins with the labelled texts, which are left out
    return Data(
        source=str(folder / "labelled.csv"),
        dev=str(folder / "dev.csv"),
        unlabelled=(str(folder / f"{rows}.csv"),),
    )


def encoded(data: Data, folder: Path, student: Network, note: Callable[[str], None]) -> EncodedTask:
    """The task of `data` in tokens, with stored answers of a network as small as the student."""
    task = load_examples("own", data, cache=folder / "augmented").whole
    note("load")
    found = encode_task(task, student, None, max_length=128)
    note("encode")
    logits = NetworkOutputs(cache=folder / "outputs").of(student, found, 128)
    note("store")
    return replace(found, train=replace(found.train, teacher_logits=logits))


def work(folder: Path, data: Data, rows: int, batches: int) -> None:
    """Load, encode, store and iterate; what was held and how long it took goes to a file in `folder`."""
    found: dict[str, tuple[float, float, float]] = {}
    with watched() as most:

        def note(stage: str) -> None:
            found[stage] = (peak_memory_mb(), max(most[0], own_memory_mb()), time.monotonic())

        note("start")
        task = encoded(data, folder, network(32, 1), note)
        feed = task.feed(KD(), Training(batch_size=BATCH))
        for number, _ in enumerate(feed.loader(start=0, processes=1, process=0), start=1):
            if number == batches:
                break
        note("iterate")
    stored = sum(file.stat().st_size for file in (folder / "outputs").rglob("*.npy"))
    shutil.rmtree(folder / "outputs")
    facts = {"stages": found, "bytes": stored / len(task.train.lengths)}
    (folder / f"{rows}.json").write_text(json.dumps(facts))


def stages_of(
    folder: Path, rows: int, batches: int, measure: Callable[[Callable[[], object]], float]
) -> tuple[Mapping[str, tuple[float, float, float]], float]:
    """Resident and own memory and the seconds of each stage, and bytes of the store for each row."""
    data = write_files(folder, rows)
    os.environ["HF_DATASETS_CACHE"] = str(folder / f"cache-{rows}")  # read by the fresh process
    measure(partial(work, folder, data, rows, batches))
    facts = json.loads((folder / f"{rows}.json").read_text())
    ends = facts["stages"]
    spent = {"start": 0.0, **{late: ends[late][2] - ends[early][2] for early, late in pairwise(STAGES)}}
    return {stage: (*ends[stage][:2], spent[stage]) for stage in STAGES}, facts["bytes"]


def draws_of(task: EncodedTask, batches: int) -> list[MicroBatch]:
    """The first batches of a run, the first of them twice: it is not timed."""
    sampler = task.feed(KD(), Training(batch_size=BATCH)).sampler
    found = [draw for (draw,), _ in zip(sampler, range(batches), strict=False)]
    return [found[0], *found]


def collators(task: EncodedTask) -> dict[str, Collator]:
    """How rows become batches in each way: with a label for every row, with stored answers, or without."""
    rows = task.train.student.rows
    with_labels = rows.remove_columns("label").add_column("label", np.zeros(rows.num_rows, dtype=np.int64))
    view, labelled = task.train.student, task.train.labelled
    return {
        "without a teacher": Collator(student=TokenizedRows(rows=with_labels, padding=view.padding)),
        "stored answers": Collator(student=view, labelled=labelled, teacher_logits=task.train.teacher_logits),
        "live teacher": Collator(student=view, labelled=labelled),
    }


def seconds_of(
    method: Method, student: Network, teacher: Network, collator: Collator, draws: Sequence[MicroBatch]
) -> float:
    """The time of all steps but the first, in seconds."""
    times: list[float] = []
    training = Training(epochs=1, checkpoint_every=NEVER)
    with tempfile.TemporaryDirectory() as folder:
        fit(
            method,
            student,
            teacher if method.uses_teacher else None,
            Drawn(collator=collator, draws=tuple(draws)),
            training=training,
            accelerator=make_accelerator(training),
            folder=Path(folder),
            watch=Callbacks(on_step=lambda step: times.append(time.perf_counter())),
        )
    return times[-1] - times[0]


def compete(setting: Setting, task: EncodedTask) -> dict[str, list[float]]:
    """Rows a second of each way in each round."""
    teacher = network(setting.width, 6)
    student = truncate(teacher, layers=setting.layers)
    draws, feeds = draws_of(task, setting.batches), collators(task)
    examples = sum(len(draw.examples) for draw in draws[1:])
    rates: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(setting.rounds):
        for name, method in WAYS.items():
            seconds = seconds_of(method, untouched(student), teacher, feeds[name], draws)
            rates[name].append(examples / seconds)
            print(".", end="", flush=True, file=sys.stderr)
    print(file=sys.stderr)
    return rates


def speed_results(setting: Setting, rows: int, rates: Mapping[str, Sequence[float]]) -> list[Result]:
    """Median rates, and the ratio to training without a teacher with its range over rounds."""
    found = []
    for name, values in rates.items():
        ratios = [one / alone for one, alone in zip(values, rates["without a teacher"], strict=True)]
        measures = {
            "rows/s": statistics.median(values),
            "times without a teacher": statistics.median(ratios),
            "times without a teacher, least": min(ratios),
            "times without a teacher, most": max(ratios),
        }
        found += [
            Result(setting=f"{rows} texts, {setting.name}", way=name, measure=measure, value=value)
            for measure, value in measures.items()
        ]
    return found


def stage_results(rows: int, stages: Mapping[str, tuple[float, float, float]], stored: float) -> list[Result]:
    """Memory and seconds of each stage, and the size of the store."""
    names = ("resident peak MB", "own peak MB", "seconds")
    found = [
        Result(setting=f"{rows} texts", way=stage, measure=measure, value=value)
        for stage, values in stages.items()
        for measure, value in zip(names, values, strict=True)
    ]
    return [*found, Result(setting=f"{rows} texts", way="store", measure="bytes a row", value=stored)]


def main(
    arguments: Sequence[str] | None = None,
    *,
    measure: Callable[[Callable[[], object]], float] = peak_memory_of,
) -> None:
    """Run the benchmark and append to the table of results; `measure` runs work in a fresh process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 1_000_000], help="texts, no labels")
    parser.add_argument("--width", type=int, default=Setting.width, help="of the networks that are timed")
    parser.add_argument("--batches", type=int, default=Setting.batches, help="timed steps a round")
    parser.add_argument("--rounds", type=int, default=Setting.rounds)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--results", type=Path, default=RESULTS, help="table to append to")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(chosen.threads)
    setting = Setting(width=chosen.width, batches=chosen.batches, rounds=chosen.rounds)
    found: list[Result] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for rows in sorted(chosen.rows):
            found += stage_results(rows, *stages_of(folder, rows, 10 * chosen.batches, measure))
        data, most = write_files(folder, max(chosen.rows)), max(chosen.rows)
        task = encoded(data, folder, network(32, 1), lambda stage: None)
        found += speed_results(setting, most, compete(setting, task))
    print(tables(found))
    append(found, benchmark="transfer", threads=torch.get_num_threads(), path=chosen.results)


if __name__ == "__main__":
    main()
