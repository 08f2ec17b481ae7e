"""Networks in, their most important heads and neurons out."""

import json

import pytest
import torch

from lmdistill.commands import prune as pruning
from lmdistill.commands.prune import prune
from lmdistill.core.batch import Inputs
from lmdistill.core.errors import ConfigError, MismatchError, ModelError, UnknownNameError
from lmdistill.export.hugging_face import has_modeling_file, save
from lmdistill.models.loading.causal_lm import load_causal
from lmdistill.models.loading.classifier import load
from lmdistill.models.model_stats import count_parameters
from lmdistill.models.pruning.families import widths_of
from tests.tiny import WORDS, make_batch, tiny
from tests.tiny_causal import language_batch, tiny_language

ROWS = ("task=own", "data={source: texts.csv, dev: dev.csv, max_length: 32}")
TEXTS = ("texts.source=rows.jsonl", "texts.dev_rows=2", "texts.max_length=24")


@pytest.fixture(autouse=True)
def once(monkeypatch):
    monkeypatch.setattr(pruning, "LATENCY_RUNS", 1)  # times are not looked at


@pytest.fixture
def writer(place):
    """A language model in `writer`, and rows for it."""
    save(tiny_language("llama", layers=2, num_attention_heads=4, num_key_value_heads=2), place / "writer")
    pairs = [{"prompt": f"{a} {b}", "completion": f"{b} {a}"} for a in WORDS[5:13] for b in WORDS[:3]]
    (place / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pairs))
    return place / "writer"


def logits(network):
    return network(make_batch().inputs).logits


def without_half(network):
    """A network whose last head and last 16 neurons of each layer count nothing."""
    for layer in network.model.bert.encoder.layer:
        attention, output = layer.attention.self, layer.attention.output.dense
        with torch.no_grad():
            for projection in (attention.query, attention.key, attention.value):
                projection.weight[8:] = projection.bias[8:] = 0
            output.weight[:, 8:] = 0
            layer.intermediate.dense.weight[16:] = layer.intermediate.dense.bias[16:] = 0
            layer.output.dense.weight[:, 16:] = 0
    return network


def test_what_counts_nothing_is_what_goes(place):
    network = without_half(tiny(layers=3, seed=4))
    save(network, place / "half")
    found = prune("half", place / "out", keep=0.5)
    torch.testing.assert_close(logits(load(place / "out")), logits(network), rtol=1e-5, atol=1e-5)
    assert (found.before.heads, found.before.neurons) == (6, 96)
    assert (found.after.heads, found.after.neurons) == (3, 48)


@pytest.mark.parametrize("settings", [{}, {"score": "gradient", "overrides": ROWS}])
def test_all_units_are_the_whole_network_and_its_outputs_keep_their_order(place, settings):
    """The task says mid, neg, pos; measuring on its rows must leave Pos, NEG, mid as they were."""
    for name in ("named-in-another-order", "nameless"):
        prune(f"models/{name}", place / f"{name}-out", keep=1.0, **settings)
        before, after = load(f"models/{name}"), load(place / f"{name}-out")
        assert after.labels == before.labels
        torch.testing.assert_close(logits(after), logits(before), rtol=1e-5, atol=1e-5)


def test_the_numbers_are_those_of_the_folder(place):
    found = prune("models/classifier", place / "out", keep=0.5)
    small = load(place / "out")
    assert (found.after.heads, found.after.neurons) == tuple(
        map(sum, (widths_of(small).heads, widths_of(small).neurons))
    )
    assert found.after.parameters == count_parameters(small).total < found.before.parameters
    assert found.after.encoder == count_parameters(small).encoder < found.before.encoder
    assert found.before.encoder == count_parameters(load("models/classifier")).encoder
    assert found.after.latency_ms > 0
    assert found.is_carried == has_modeling_file(place / "out") is True
    assert found.model == "NarrowBertForSequenceClassification"
    assert found.auto == "AutoModelForSequenceClassification"


def test_scores_and_scopes_without_a_word_are_the_usual_ones(place, writer):
    plain = prune("models/classifier", place / "a", keep=0.5).pruning
    on_rows = prune("models/classifier", place / "b", keep=0.5, overrides=ROWS).pruning
    writes = prune("writer", place / "c", keep=0.5).pruning
    on_texts = prune("writer", place / "d", keep=0.5, overrides=TEXTS).pruning
    assert (plain.score, plain.scope, plain.multiple) == ("magnitude", "global", 8)
    assert (on_rows.score, on_rows.scope) == ("gradient", "global")
    assert (writes.score, writes.scope) == ("magnitude", "layer")
    assert (on_texts.score, on_texts.scope) == ("gradient", "layer")


def test_thresholds_that_were_chosen_before_are_named(place, caplog):
    network = load("models/classifier")
    network.model.config.problem_type = "multi_label_classification"
    network.set_thresholds([0.2] * len(network.labels))
    save(network, place / "several")
    prune("several", place / "out", keep=0.5)
    assert "out: the thresholds of its labels were chosen before it was pruned. Distil it with" in caplog.text
    caplog.clear()
    prune("models/classifier", place / "other", keep=0.5)
    assert "thresholds" not in caplog.text


def test_a_language_model_with_equal_layers_stays_a_stock_model(place, writer):
    found = prune("writer", place / "out", keep=0.5, score="activation", overrides=TEXTS, multiple=4)
    assert (found.model, found.auto, found.is_carried) == ("LlamaForCausalLM", "AutoModelForCausalLM", False)
    assert widths_of(load_causal(place / "out")).neurons == (16, 16)
    assert not (place / "out" / "modeling_narrow.py").exists()


def test_a_whole_language_model_writes_the_same(place, writer):
    prune("writer", place / "out", keep=1.0, overrides=TEXTS)
    batch = language_batch().inputs
    real = batch.mask == 1
    states = [
        network.head.logits(network.states(Inputs(ids=batch.ids, mask=batch.mask))[real])
        for network in (load_causal("writer"), load_causal(place / "out"))
    ]
    torch.testing.assert_close(*states, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("overrides", [(), TEXTS])
def test_half_precision_stays_half_precision(place, writer, overrides):
    network = load_causal("writer", dtype=torch.bfloat16)
    save(network, place / "half")
    prune("half", place / "out", keep=0.5, overrides=overrides)
    assert json.loads((place / "out" / "config.json").read_text())["dtype"] == "bfloat16"
    assert load_causal(place / "out", dtype="auto").model.dtype == torch.bfloat16


WRONG = {
    "keep of 0": ({"keep": 0.0}, ConfigError, r"^keep must be in \(0, 1\], got 0\. "),
    "keep above 1": ({"keep": 1.5}, ConfigError, r"^keep must be in \(0, 1\], got 1\.5\. "),
    "keep that is no number": ({"keep": float("nan")}, ConfigError, r"^keep must be in \(0, 1\], got nan\. "),
    "a score that does not exist": ({"score": "gradeint"}, UnknownNameError, "Did you mean 'gradient'"),
    "a scope that does not exist": ({"scope": "head"}, UnknownNameError, "no choice for scope is called 'head'"),
    "multiples of 0": ({"multiple": 0}, ConfigError, r"^multiple must be >= 1, got 0\.$"),
    "no head": ({"keep": 0.05}, ModelError, r"no layer of models/classifier would keep a head"),
    "a score of rows without rows": (
        {"score": "gradient"}, ConfigError,
        r"^the score gradient is measured on rows, and none are named\. Add --set task=NAME and --set data\.source",
    ),
    "rows without use": (
        {"score": "magnitude", "overrides": ROWS}, ConfigError, r"^--set task=own has no effect on the score magnitude",
    ),
    "rows without a task": ({"overrides": ROWS[1:]}, ConfigError, r"^models/classifier is no run.* Add --set task=NAME"),
    "other labels": ({"target": "models/stranger", "overrides": ROWS}, MismatchError, r"the task \(mid, neg, pos\)"),
    "texts for a classifier": ({"overrides": TEXTS}, ConfigError, r"^texts has no effect on a finished network"),
    "no such model": ({"target": "./nothing"}, ModelError, r"^there is no model folder \./nothing"),
    "an encoder without a head": ({"target": "models/encoder"}, ModelError, r"has no classification head"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "error", "match"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_done_is_said_and_leaves_nothing(place, changes, error, match):
    settings = {"target": "models/classifier", "keep": 0.5, **changes}
    with pytest.raises(error, match=match):
        prune(settings.pop("target"), place / "out", **settings)
    assert not (place / "out").exists()
    assert not list(place.glob(".out*"))


def test_a_task_for_a_language_model_is_refused(place, writer):
    with pytest.raises(
        ConfigError, match=r"^task has no effect on a finished language model; texts can be set"
    ):
        prune("writer", place / "out", keep=0.5, overrides=ROWS)


def test_a_family_that_is_not_known_is_named_before_rows_are_read(place):
    save(tiny_language("granite", layers=2), place / "granite")
    with pytest.raises(
        ModelError, match=r"neurons of granite models are not known; known families: .* Add an entry to"
    ):
        prune("granite", place / "out", keep=0.5, overrides=("texts.source=missing.jsonl",))


def test_what_is_there_is_not_replaced(place):
    (place / "out").mkdir()
    with pytest.raises(ModelError, match=r"out exists\. Choose another --out, or remove it\."):
        prune("models/classifier", place / "out", keep=0.5)
    assert list((place / "out").iterdir()) == []
