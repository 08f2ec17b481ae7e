"""An exported folder of a tiny classifier, and transformers.js, which reads it."""

import json
import os
import shutil
import subprocess
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from lmdistill.commands.export import export
from lmdistill.commands.exported_files import Export
from lmdistill.export.hugging_face import save
from lmdistill.serving.manifest import MANIFEST
from tests.tiny import WORDS, tiny

REPO = Path(__file__).parents[2]
EXAMPLES = REPO / "examples" / "browser"
NODE = shutil.which("node")
INSTALLED = (EXAMPLES / "node_modules" / "@huggingface" / "transformers").is_dir()
NEEDS = "needs npm install --ignore-scripts in examples/browser"

REAL = REPO.parent / "shared" / "models" / "minilm-l6-sst2"
GLUE = REPO.parent / "shared" / "data" / "glue"

LABELS = ("bad", "fine", "good")
LONGEST = 24
TEXTS = [
    " ".join(WORDS[(number * 7 + step * 3) % len(WORDS)] for step in range(1 + number % 13))
    for number in range(44)
] + ["", "unknown words", "the film, it is NOT good!", "word " * 40, "a\tb\nc", " <b>good</b> "]
"""Fifty: of unequal lengths, one empty, one over the longest input."""

PAIRS = list(zip(TEXTS, reversed(TEXTS), strict=True))
"""Pairs of these; texts of a pair are empty, short, or both too long together."""


def classifier(temporary: pytest.TempPathFactory) -> Path:
    """A folder of a classifier with three classes, in float32 and in 8 bits; one for all workers."""
    node("--version")  # skips before anything is written
    own = temporary.getbasetemp()
    place = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "transformers-js"
    with FileLock(f"{place}.lock"):
        if not place.exists():
            _write(place)
    return place / "out"


def _write(folder: Path) -> None:
    save(tiny(layers=2, seed=1, labels=LABELS), folder / "model")
    rows = [f"{text},{LABELS[number % 3]}\n" for number, text in enumerate(TEXTS[:40])]
    (folder / "rows.csv").write_text("text,label\n" + "".join(rows), encoding="utf-8")
    settings = (
        "task=own",
        f"data.source={folder / 'rows.csv'}",
        "data.dev=0.5",
        f"data.max_length={LONGEST}",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own, which differ between versions
        formats = Export(int8=True, min_agreement=0.0, timed_texts=0)
        export(folder / "model", folder / "out", formats, overrides=settings)


def edit(folder: Path, copy: Path, file: str = MANIFEST, **changes: Any) -> Path:
    """A copy of an exported folder with other values in a file, or in a part of it that has them."""
    shutil.copytree(folder, copy)
    path = copy / file
    table = json.loads(path.read_text("utf-8"))
    for name, value in changes.items():
        parts = [part for part in table.values() if isinstance(part, dict) and name in part]
        (parts or [table])[0][name] = value
    path.write_text(json.dumps(table), encoding="utf-8")
    return copy


def node(*words: str | Path, given: str = "") -> "subprocess.CompletedProcess[str]":
    """Run Node; the test is skipped by name without it."""
    if NODE is None:
        pytest.skip("needs node")
    if not INSTALLED:
        pytest.skip(NEEDS)
    command = [NODE, *map(str, words)]
    return subprocess.run(command, input=given, capture_output=True, text=True, encoding="utf-8", timeout=120)


def in_node(tasks: Sequence[Mapping[str, Any]]) -> list[Any]:
    """What transformers.js says to tasks of `node_logits.mjs`, in one process."""
    done = node(Path(__file__).with_name("node_logits.mjs"), EXAMPLES, given=json.dumps(tasks, default=str))
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found
