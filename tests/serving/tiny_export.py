"""An exported folder that is written by hand within milliseconds: words with known logits, and their mean."""

import json

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers

from lmdistill.serving.certificate import Certificate, Reference
from lmdistill.serving.estimate import Estimate
from lmdistill.serving.manifest import Answers, Manifest, Origin, Reads, write_manifest
from lmdistill.serving.predictor import Predictor, load_predictor

WORDS = 400
LONGEST = 64
LABELS = ("red", "green", "blue")
WEIGHTS = np.random.default_rng(5).normal(scale=3.0, size=(WORDS + 2, len(LABELS))).astype(np.float32)
"""Logits of each word: padding, the unknown word, then w0, w1 and so on."""


def text_of(*numbers):
    """A text of words with these numbers."""
    return " ".join(f"w{number}" for number in numbers)


def expected(text):
    """Its logits, in float64 and from the weights: the mean of those of its words."""
    numbers = [int(word[1:]) + 2 for word in text.split()][:LONGEST]
    return WEIGHTS[numbers].astype(np.float64).mean(axis=0)


def label_of(text):
    return LABELS[int(expected(text).argmax())]


def confidence_of(text):
    powers = np.exp(expected(text) - expected(text).max())
    return float((powers / powers.sum()).max())


def write_graph(path, outputs):
    """Words to the mean of their logits, as an ONNX graph; padding does not count."""
    from onnx import TensorProto, helper, numpy_helper, save

    def node(kind, given, made, **named):
        return helper.make_node(kind, given, [made], **named)

    nodes = [
        node("Gather", ["weights", "input_ids"], "found"),
        node("Cast", ["attention_mask"], "mask", to=TensorProto.FLOAT),
        node("Unsqueeze", ["mask", "last"], "wide"),
        node("Mul", ["found", "wide"], "masked"),
        node("ReduceSum", ["masked", "middle"], "total", keepdims=0),
        node("ReduceSum", ["wide", "middle"], "count", keepdims=0),
        node("Div", ["total", "count"], "logits"),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["b", "t"])
        for name in ("input_ids", "attention_mask")
    ]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", outputs])
    constants = [
        numpy_helper.from_array(np.ascontiguousarray(WEIGHTS[:, :outputs]), "weights"),
        numpy_helper.from_array(np.array([2]), "last"),
        numpy_helper.from_array(np.array([1]), "middle"),
    ]
    graph = helper.make_graph(nodes, "mean", inputs, [output], constants)
    path.parent.mkdir(parents=True)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)


def certificate(threshold):
    """A certificate with this threshold; serving reads nothing else of it."""
    return Certificate(
        threshold=threshold, agreement=0.9, confidence=0.95, against="teacher", texts=100, answered=80, agreed=78,
        coverage=Estimate(value=0.8, low=0.7, high=0.9), source="texts.csv", unseen=True, made="2026-11-30",
        reference=Reference(slices={}, histograms={}),
    )  # fmt: skip


def tiny_tokenizer():
    vocabulary = {"[PAD]": 0, "[UNK]": 1, **{f"w{number}": number + 2 for number in range(WORDS)}}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


def manifest_of(kind="classification", *, pairs=False, graph="onnx", threshold=None):
    answers = Answers(kind=kind, labels=() if kind == "regression" else LABELS)
    return Manifest(
        version="0",
        answers=answers,
        reads=Reads(
            pairs=pairs,
            max_length=LONGEST,
            padding=0,
            inputs=("input_ids", "attention_mask"),
            columns=("first", "second") if pairs else ("review",),
        ),
        graphs={graph: "onnx/model.onnx"},
        default=graph,
        origin=Origin(model="model"),
        certificates={} if threshold is None else {graph: certificate(threshold)},
    )


def write_export(folder, **named):
    """An exported folder; arguments as those of `manifest_of`."""
    manifest = manifest_of(**named)
    write_graph(folder / "onnx" / "model.onnx", max(1, len(manifest.answers.labels)))
    tiny_tokenizer().save(str(folder / "tokenizer.json"))
    names = {str(number): label for number, label in enumerate(manifest.answers.labels)}
    (folder / "config.json").write_text(json.dumps({"id2label": names}))
    write_manifest(manifest, folder)
    return folder


def stub_predictor(run=None, **named):
    """A predictor whose graph is numpy: the same means, unless `run` computes something else."""
    tokenizer = tiny_tokenizer()
    tokenizer.enable_truncation(LONGEST)
    manifest = manifest_of(**named)

    def mean(inputs):
        found = WEIGHTS[inputs["input_ids"]] * inputs["attention_mask"][..., None]
        return (found.sum(axis=1) / inputs["attention_mask"].sum(axis=1, keepdims=True)).astype(np.float32)

    return Predictor(
        manifest=manifest, tokenizer=tokenizer, run=run or mean, source="stub", graph=manifest.default
    )


def opened(folder, **named):
    """The predictor of a folder that is written for it."""
    return load_predictor(write_export(folder, **named), threads=1)
