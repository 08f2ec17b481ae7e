"""From texts to logits: a teacher and its student in PyTorch, and the student's exported graphs.

The student keeps half of the layers. All ways answer the same texts, with their tokenizer's work, in turn:
each three times, of which the last is timed. The median counts. `pipeline` is that of transformers, as a user
would write it. Quality is not measured here: exports are checked against their network, and the quality of a
student depends on its training.

    python -m benchmarks.serving --threads 2
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from transformers import pipeline

from benchmarks.results_csv import RESULTS, ROOT, Result, append, tables
from lmdistill.commands.export import export
from lmdistill.commands.exported_files import Export
from lmdistill.commands.prediction_file import LogitsOf
from lmdistill.commands.torch_answers import torch_answers
from lmdistill.core.seeding import generator
from lmdistill.evaluation.timing import timed
from lmdistill.export.hugging_face import save
from lmdistill.models.classifier import Network
from lmdistill.models.loading.classifier import load
from lmdistill.models.students.truncate import truncate
from lmdistill.serving.predictor import load_predictor

MODEL = ROOT.parent / "shared" / "models" / "minilm-l6-sst2"
LENGTHS, BATCHES = (16, 64, 128), (1, 32)
TEACHER, STUDENT, PIPELINE = "teacher, torch", "student, torch", "student, transformers pipeline"
WARMUP, SETTLE = 3, 2  # runtimes have threads of their own, which disturb the next way's first pass
FORMATS = Export(to=("onnx", "openvino"), int8=True, min_agreement=0.0, timed_texts=0)

PREDICTOR = """
import sys
from lmdistill.serving.predictor import load_predictor
print(load_predictor(sys.argv[1], graph="onnx-int8").logits([sys.argv[2]]))
"""

TORCH = """
import sys
from transformers import pipeline
print(pipeline("text-classification", sys.argv[1])(sys.argv[2]))
"""


def texts_of(network: Network, tokens: int, count: int) -> list[str]:
    """Random texts of exactly `tokens` word pieces, with the special ones."""
    vocabulary = network.tokenizer.get_vocab()
    words = sorted(word for word in vocabulary if word.isalpha() and len(word) > 1)
    special = len(network.tokenizer("")["input_ids"])
    draw = generator(0, "benchmark texts", tokens)
    return [" ".join(draw.choice(words, size=tokens - special).tolist()) for _ in range(count)]


def prepared(folder: Path, model: Path, most_tokens: int) -> dict[str, LogitsOf]:
    """Every way to answer, by name; the student and its graphs are written into `folder`."""
    teacher = load(model).float().eval()
    student = truncate(teacher, layers=teacher.num_layers // 2).eval()
    save(student, folder / "student")
    texts = folder / "texts.csv"
    texts.write_text("text\n" + "\n".join(texts_of(student, 16, 64)) + "\n", encoding="utf-8")
    export(
        folder / "student", folder / "exported", FORMATS, calibration=texts,
        overrides=(f"data.max_length={most_tokens}",),
    )  # fmt: skip
    ask = pipeline("text-classification", str(folder / "student"), batch_size=max(BATCHES), device="cpu")
    ways: dict[str, LogitsOf] = {
        TEACHER: torch_answers(teacher, most_tokens),
        STUDENT: torch_answers(student, most_tokens),
        PIPELINE: lambda first, second: ask(first),
    }
    for graph in FORMATS.graphs:
        ways[f"student, {graph}"] = load_predictor(
            folder / "exported", graph=graph, threads=torch.get_num_threads()
        ).logits
    return ways


def compete(ways: Mapping[str, LogitsOf], network: Network, runs: int) -> list[Result]:
    """Milliseconds of each way at each batch size and length, and how many times as fast as the teacher."""
    found = []
    for tokens in LENGTHS:
        for size in BATCHES:
            texts = texts_of(network, tokens, size)
            times = timed(
                {name: partial(way, texts, None) for name, way in ways.items()},
                runs=runs,
                warmup=WARMUP,
                settle=SETTLE,
            )
            setting = f"batch {size}, {tokens} tokens"
            for name, values in times.items():
                ratios = [whole / own for whole, own in zip(times[TEACHER], values, strict=True)]
                measures = {"ms": statistics.median(values), "times as fast": statistics.median(ratios)}
                found += [
                    Result(setting=setting, way=name, measure=measure, value=value)
                    for measure, value in measures.items()
                ]
    return found


def starts(folder: Path, runs: int) -> list[Result]:
    """Seconds from the start of a process to its first answer."""
    place = str(folder / "exported")
    commands = {
        "student, onnx-int8, without this package": [
            str(ROOT / "examples" / "serve_onnx.py"),
            place,
            "a film",
        ],
        "student, onnx-int8": ["-c", PREDICTOR, place, "a film"],
        PIPELINE: ["-c", TORCH, str(folder / "student"), "a film"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, arguments in commands.items():
            times[name].append(_seconds(partial(_run, arguments)))
    return [
        Result(
            setting="start of a process",
            way=name,
            measure="s to the first answer",
            value=statistics.median(one),
        )
        for name, one in times.items()
    ]


def _run(arguments: Sequence[str]) -> None:
    """Run Python in a new process."""
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)


def _seconds(work: Callable[[], object]) -> float:
    """Wall-clock time of one call."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark and append to the table of results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path, default=MODEL, help="folder of the teacher")
    parser.add_argument("--runs", type=int, default=20, help="timed passes of each way and setting")
    parser.add_argument("--starts", type=int, default=5, help="processes of each way")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--results", type=Path, default=RESULTS, help="table to append to")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(chosen.threads)
    with tempfile.TemporaryDirectory() as name, torch.inference_mode():
        ways = prepared(Path(name), chosen.model, max(LENGTHS))
        found = compete(ways, load(chosen.model), chosen.runs)
        found += starts(Path(name), chosen.starts)
    print(tables(found))
    append(found, benchmark="serving", threads=torch.get_num_threads(), path=chosen.results)


if __name__ == "__main__":
    main()
