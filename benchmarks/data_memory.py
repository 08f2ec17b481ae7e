"""Does memory grow with the data set?

    python -m benchmarks.data_memory --rows 10000 1000000

For each size a fresh process loads a CSV file of that many made-up rows and a small dev file, encodes them
and takes MixKD batches. Printed is the most memory it has held by the end of each stage: `resident`, as the
system counts it (with those pages of the memory-mapped data set that happen to be in memory; it takes them
back when others need them), and `own`, without pages of files. What must be there for every row is its length
and its place in the order of an epoch, 8 bytes each.
"""

import argparse
import csv
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from benchmarks.results_csv import RESULTS, Result, append, table
from lmdistill.core.seeding import generator
from lmdistill.data.load_task import load_task
from lmdistill.data.tasks.collator import TokenizedRows
from lmdistill.data.tasks.tokenization import encode
from lmdistill.engine.training_settings import Training
from lmdistill.evaluation.process_memory import peak_memory_mb, peak_memory_of
from lmdistill.methods import MixKD
from lmdistill.runs.classification.dataset import EncodedSplit, EncodedTask

STAGES = ("start", "load", "encode", "iterate")
DEV_ROWS = 200
WORDS, TEXTS = 500, 2000
EVERY_SECONDS = 0.005


def made_up_tokenizer() -> Any:
    """Words to numbers."""
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *(f"word{i}" for i in range(WORDS))]
    inner = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    inner.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        model_max_length=512,
    )  # fmt: skip


def write_rows(path: Path, rows: int, *, kind: str = "rows") -> None:
    """A CSV file of texts of 5 to 40 words, none like another, with labels; other texts for each kind."""
    rng = generator(0, kind)
    texts = [
        " ".join(f"word{i}" for i in rng.integers(0, WORDS, size=size))
        for size in rng.integers(5, 41, size=TEXTS)
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("sentence", "label"))
        writer.writerows((f"{texts[i % TEXTS]} {i}", ("bad", "good")[i % 2]) for i in range(rows))


def own_memory_mb() -> float:
    """What this process holds now, pages of files apart, in MB of 10^6 bytes; 0 where nobody says."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return sum(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("RssAnon"))


@contextmanager
def watched() -> Iterator[list[float]]:
    """A list whose one entry is the most that `own_memory_mb` has been so far."""
    most, over = [own_memory_mb()], threading.Event()

    def watch() -> None:
        while not over.wait(EVERY_SECONDS):
            most[0] = max(most[0], own_memory_mb())

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()


def work(folder: Path, rows: int, batches: int) -> None:
    """Load, encode and iterate; what was held after each stage goes to a file in `folder`."""
    found: dict[str, tuple[float, float]] = {}
    with watched() as most:

        def note(stage: str) -> None:
            found[stage] = (peak_memory_mb(), max(most[0], own_memory_mb()))

        note("start")
        task = load_task("own", folder / f"{rows}.csv", dev=folder / "dev.csv")
        note("load")
        encoded = encode(task.train, made_up_tokenizer(), pair=False)
        note("encode")
        view = TokenizedRows(rows=encoded.rows, padding=0)
        split = EncodedSplit(student=view, teacher=None, truncated=encoded.truncated)
        feed = EncodedTask(task=task, train=split, dev={}).feed(MixKD(), Training())
        for number, _ in enumerate(feed.loader(start=0, processes=1, process=0), start=1):
            if number == batches:
                break
        note("iterate")
    (folder / f"{rows}.json").write_text(json.dumps(found))


def peaks_of(
    folder: Path, rows: int, batches: int, measure: Callable[[Callable[[], object]], float]
) -> Mapping[str, tuple[float, float]]:
    """Resident and own memory by stage, of a process that has a cache of its own."""
    write_rows(folder / f"{rows}.csv", rows)
    os.environ["HF_DATASETS_CACHE"] = str(folder / f"cache-{rows}")  # read by the fresh process
    measure(partial(work, folder, rows, batches))
    found: dict[str, tuple[float, float]] = json.loads((folder / f"{rows}.json").read_text())
    return found


def main(
    arguments: Sequence[str] | None = None,
    *,
    measure: Callable[[Callable[[], object]], float] = peak_memory_of,
) -> None:
    """Run the benchmark and append to the table of results; `measure` runs work in a fresh process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--batches", type=int, default=200, help="of 32 rows and their partners")
    parser.add_argument("--results", type=Path, default=RESULTS, help="table to append to")
    chosen = parser.parse_args(arguments)
    peaks = {}
    with tempfile.TemporaryDirectory() as name:
        write_rows(Path(name) / "dev.csv", DEV_ROWS)
        for rows in chosen.rows:
            began = time.monotonic()
            peaks[rows] = peaks_of(Path(name), rows, chosen.batches, measure)
            print(f"{rows} rows: {time.monotonic() - began:.0f} s", flush=True)
    print(shown(peaks))
    found = [
        Result(setting=f"{rows} rows", way=stage, measure=f"{kind} peak MB", value=value)
        for rows, stages in peaks.items()
        for stage, values in stages.items()
        for kind, value in zip(("resident", "own"), values, strict=True)
    ]
    append(found, benchmark="data_memory", threads=torch.get_num_threads(), path=chosen.results)


def shown(peaks: Mapping[int, Mapping[str, tuple[float, float]]]) -> str:
    """A line for each stage; the last columns say by how much the largest data set is above the smallest."""
    fewest, most = min(peaks), max(peaks)
    lines = []
    for stage in STAGES:
        values = [value for stages in peaks.values() for value in stages[stage]]
        grown = [large - small for large, small in zip(peaks[most][stage], peaks[fewest][stage], strict=True)]
        lines.append(
            [f"after {stage}", *(f"{value:.0f}" for value in values), *(f"{one:+.0f}" for one in grown)]
        )
    sizes = [f"{kind} MB, {rows} rows" for rows in peaks for kind in ("resident", "own")]
    return table(["most memory held", *sizes, "resident, grown", "own, grown"], lines)


if __name__ == "__main__":
    main()
