"""A folder in which every documented command works within seconds: tiny models, few examples."""

import json
import logging
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from transformers import BertForMaskedLM

from docs.build import paths
from lmdistill.commands import measured
from lmdistill.data import load_task
from lmdistill.data.synthetic.reviews import reviews_task
from lmdistill.export.hugging_face import save
from lmdistill.models.loading import resolve
from lmdistill.runs import stage
from lmdistill.runs.classification import evaluation
from tests.docs.pages import REPO
from tests.tiny import WORDS, tiny
from tests.tiny_causal import tiny_language

LONGEST = 128
GOOD, BAD = ("good", "fine", "bright"), ("bad", "dull", "slow")


def _encoder(folder: Path) -> None:
    """A tiny BERT without a head for classes, under the name of the large one."""
    whole = tiny(layers=4)
    whole.model.config.max_position_embeddings = whole.tokenizer.model_max_length = LONGEST
    torch.manual_seed(0)
    BertForMaskedLM(whole.model.config).save_pretrained(folder)
    whole.tokenizer.save_pretrained(folder)


def _glue(folder: Path) -> None:
    """SST-2 in the official layout, with texts that the tiny vocabulary has."""
    folder.mkdir(parents=True)
    texts = [
        (f"the {noun} was {word} {extra}", number)
        for number, words in enumerate((BAD, GOOD))
        for word in words
        for noun in ("film", "plot", "cast", "meal")
        for extra in WORDS[10:15]
    ]
    lines = [f"{text}\t{label}\n" for text, label in texts]
    for split, part in (("train", lines), ("dev", lines[::7])):
        (folder / f"{split}.tsv").write_text("sentence\tlabel\n" + "".join(part))
    tests = "".join(f"{number}\t{text}\n" for number, (text, _) in enumerate(texts[::9]))
    (folder / "test.tsv").write_text("index\tsentence\n" + tests)


def _stories(folder: Path) -> None:
    """More short texts than are set aside, and a tiny language model under the name of a large one."""
    texts = [f"{a} {b} {c}" for a in WORDS[:10] for b in WORDS[10:16] for c in WORDS[3:8]]
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    (folder / "stories.jsonl").write_text(lines, encoding="utf-8")
    teacher = tiny_language(layers=3, max_position_embeddings=1024)
    teacher.tokenizer.model_max_length = 1024
    save(teacher, folder / "teacher-7b")


@pytest.fixture(scope="module")
def folder_of_examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder; made once for the commands of a file."""
    folder = tmp_path_factory.mktemp("docs")
    _encoder(folder / "bert-base-uncased")
    (folder / "packages" / "tiny_package").mkdir(parents=True)
    (folder / "packages" / "tiny_package" / "__init__.py").touch()
    for copied in ("packages/tiny_package/model", "models/bert"):
        shutil.copytree(folder / "bert-base-uncased", folder / copied)
    _glue(folder / "glue_data" / "SST-2")
    _stories(folder)
    shutil.copytree(REPO / "examples", folder / "examples", ignore=shutil.ignore_patterns("node_modules"))
    return folder


@pytest.fixture
def world(folder_of_examples: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder as working directory, with the packaged model replaced by a tiny one."""
    monkeypatch.chdir(folder_of_examples)
    monkeypatch.syspath_prepend(folder_of_examples / "packages")
    monkeypatch.setattr(load_task, "reviews_task", partial(reviews_task, 48, 24))
    monkeypatch.setattr(stage, "write_pages", lambda folder: None)  # a report for each run; one is enough
    monkeypatch.setattr(evaluation, "LATENCY_RUNS", 1)
    monkeypatch.setattr(measured, "peak_memory_of", lambda work: 0.0)  # it starts processes
    tiny_package = {"packaged:all-MiniLM-L6-v2": ("tiny_package", "model", "demo")}
    monkeypatch.setattr(resolve, "PACKAGED", tiny_package)
    log = logging.getLogger("lmdistill")
    kept = log.handlers[:], log.level, log.propagate
    yield folder_of_examples
    log.handlers[:], log.propagate = kept[0], kept[2]
    log.setLevel(kept[1])


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of its own: no records yet."""
    for name in ("RESULTS", "FIGURES", "TABLES"):
        monkeypatch.setattr(paths, name, tmp_path / name.lower())
    monkeypatch.setattr(paths, "CLAIMS", tmp_path / "claims.yaml")
    return tmp_path
