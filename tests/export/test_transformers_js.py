"""Exported folders in transformers.js under Node: our tokens, our logits, our answers."""

import json
import runpy
import sys

import numpy as np
import pytest
from tokenizers import Tokenizer

from lmdistill.commands.export import export
from lmdistill.commands.exported_files import Export
from lmdistill.data.load_task import load_task
from lmdistill.serving.predictor import load_predictor
from tests.export.exported_folders import (
    EXAMPLES,
    GLUE,
    LABELS,
    LONGEST,
    PAIRS,
    REAL,
    REPO,
    TEXTS,
    classifier,
    edit,
    in_node,
    node,
)
from tests.export.vocabularies import KINDS
from tests.export.vocabularies import TEXTS as DIFFICULT

pytestmark = pytest.mark.filterwarnings("ignore")  # the exporter's own, which differ between versions


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return classifier(tmp_path_factory)


@pytest.fixture(scope="module")
def paired(exported, tmp_path_factory):
    """The same graph, asked for pairs."""
    return edit(exported, tmp_path_factory.mktemp("pairs") / "out", pairs=True, default="onnx")


@pytest.fixture(scope="module")
def said(exported, paired):
    """Everything that is asked of them, in one process."""
    short = [text for text in TEXTS if 0 < len(text.split()) < LONGEST - 2]
    one = {"do": "logits", "folder": exported, "graph": "onnx", "texts": TEXTS}
    tasks = {
        "batches": one,
        "singly": one | {"singly": True},
        "8 bits": one | {"graph": "onnx-int8"},
        "pairs": one | {"folder": paired, "texts": PAIRS},
        "pipeline": {"do": "pipeline", "folder": exported, "texts": short},
    }
    return dict(zip(tasks, in_node(list(tasks.values())), strict=True)) | {"short": short}


def test_logits_are_ours(exported, said):
    assert len(TEXTS) == 50
    ours = load_predictor(exported, graph="onnx").logits(TEXTS)
    np.testing.assert_allclose(said["batches"], ours, atol=1e-4)
    assert np.ptp(ours, axis=0).min() > 1


def test_8_bit_logits_are_ours(exported, said):
    ours = load_predictor(exported, graph="onnx-int8")
    # one by one: the texts of a batch share a scale, so they change each other's answers
    alone = np.concatenate([ours.logits([text]) for text in TEXTS])
    np.testing.assert_allclose(said["8 bits"], alone, atol=0.02)
    assert np.abs(np.subtract(said["8 bits"], said["singly"])).max() > 0.02  # another graph


def test_texts_of_a_batch_are_answered_as_if_they_were_alone(said):
    np.testing.assert_allclose(said["singly"], said["batches"], atol=1e-4)


def test_logits_of_pairs_are_ours(paired, said):
    ours = load_predictor(paired).logits(*map(list, zip(*PAIRS, strict=True)))
    np.testing.assert_allclose(said["pairs"], ours, atol=1e-4)


def test_the_librarys_own_pipeline_gives_our_labels_and_probabilities(exported, said):
    logits = load_predictor(exported, graph="onnx").logits(said["short"]).astype(float)
    ours = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    for row, expected in zip(said["pipeline"], ours, strict=True):
        found = {one["label"]: one["score"] for one in row}
        assert found == pytest.approx(dict(zip(LABELS, expected, strict=True)), abs=1e-4)


def test_the_longest_input_is_where_the_library_looks_for_it(exported):
    config = json.loads((exported / "tokenizer_config.json").read_text("utf-8"))
    assert config["model_max_length"] == LONGEST


KINDS_OF_ANSWERS = {
    "classification": {},
    "multilabel": {"thresholds": [0.2, 0.5, 0.9]},
    "regression": {"labels": []},
}
"""Kind of the outputs, and what else the manifest has then."""


@pytest.mark.parametrize("kind", KINDS_OF_ANSWERS)
def test_the_program_prints_the_lines_of_the_one_in_python(kind, exported, tmp_path, monkeypatch, capsys):
    folder = edit(exported, tmp_path / "out", kind=kind, default="onnx", **KINDS_OF_ANSWERS[kind])
    monkeypatch.setattr(sys, "argv", ["serve_onnx.py", str(folder), *TEXTS[:20]])
    runpy.run_path(str(REPO / "examples" / "serve_onnx.py"))
    expected = capsys.readouterr().out.splitlines()
    found = node(EXAMPLES / "answers.mjs", folder, given="".join(f"{text}\n" for text in TEXTS[:20]))
    for line, wanted in zip(found.stdout.splitlines(), expected, strict=True):
        assert json.loads(line) == _near(json.loads(wanted))


def test_the_program_takes_pairs_with_a_tab_between(paired):
    logits = load_predictor(paired).logits(["a good film"], ["a dull plot"])[0]
    (line,) = node(EXAMPLES / "answers.mjs", paired, "a good film\ta dull plot").stdout.splitlines()
    assert json.loads(line)["label"] == LABELS[logits.argmax()]


def _near(wanted):
    """The answer, with its number nearly so."""
    return {
        key: pytest.approx(value, abs=1e-5) if isinstance(value, float) else value
        for key, value in wanted.items()
    }


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], r"usage: node answers.mjs FOLDER [--graph onnx|onnx-int8] [TEXT ...]"),
        (["{tmp}", "a"], "{tmp} holds no exported model: it has no lmdistill.json."),
        (["{out}", "--graph", "openvino", "a"], "{out} has no graph openvino; there are onnx, onnx-int8."),
        (["{pairs}", "a"], "The model was trained on pairs: put a tab between two texts."),
        (["{out}", "--grap", "onnx"], "Unknown option '--grap'"),
    ],
)
def test_what_cannot_be_answered_is_one_line(words, expected, exported, paired, tmp_path):
    places = {"tmp": tmp_path, "out": exported, "pairs": paired}
    done = node(EXAMPLES / "answers.mjs", *(word.format(**places) for word in words))
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: " + expected.format(**places))


def test_tokens_are_ours_in_every_kind_of_vocabulary(tmp_path):
    node("--version")
    tasks = []
    for name, make in KINDS.items():
        make().save_pretrained(tmp_path / name)
        pairs = list(zip(DIFFICULT, reversed(DIFFICULT), strict=True))
        for longest in (512, LONGEST):
            tasks.append(
                {"do": "tokens", "folder": tmp_path / name, "texts": DIFFICULT + pairs, "longest": longest}
            )
    for task, rows in zip(tasks, in_node(tasks), strict=True):
        tokenizer = Tokenizer.from_file(str(task["folder"] / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(task["longest"], strategy="longest_first")
        for text, row in zip(task["texts"], rows, strict=True):
            ours = tokenizer.encode(*((text,) if isinstance(text, str) else text))
            assert (task["folder"].name, text, row["ids"]) == (task["folder"].name, text, ours.ids)
            if task["folder"].name != "roberta":  # its graphs have no segments
                assert row["types"] == ours.type_ids


@pytest.mark.slow
@pytest.mark.skipif(not (REAL.exists() and GLUE.exists()), reason="../shared is not here")
def test_a_real_classifier_gives_our_logits(tmp_path):
    node("--version")
    rows = ("task=sst2", f"data.source={GLUE}")
    export(REAL, tmp_path / "out", Export(int8=True, timed_texts=0), overrides=rows)
    texts = list(load_task("sst2", data=str(GLUE)).split("dev")["sentence1"][:50])
    tasks = [
        {"do": "logits", "folder": tmp_path / "out", "graph": graph, "texts": texts}
        for graph in ("onnx", "onnx-int8")
    ]
    for task, found in zip(tasks, in_node(tasks), strict=True):
        predictor = load_predictor(tmp_path / "out", graph=task["graph"])
        ours = np.concatenate([predictor.logits([text]) for text in texts])
        np.testing.assert_allclose(found, ours, atol=1e-4)
