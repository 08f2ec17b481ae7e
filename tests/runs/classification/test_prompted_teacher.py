"""A decoder without a head teaches by prompt; one with a head teaches as any classifier."""

import json

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

import lmdistill as ld
from lmdistill.core.errors import ConfigError, DataError, LmdistillError, ModelError, RunError
from lmdistill.data.load_task import load_task
from lmdistill.export.hugging_face import save
from lmdistill.labelling.label_prompt import CONTENT_FREE
from lmdistill.models.loading.causal_lm import load_causal
from lmdistill.recipes.files import read_recipe
from lmdistill.records.predictions import read_predictions
from lmdistill.records.record import read_record
from lmdistill.runs.classification import evaluation
from lmdistill.runs.run_recipe import run_recipe
from lmdistill.stores.manifest import MANIFEST, Manifest, require_store
from tests.tiny import WORDS, tiny
from tests.tiny_causal import FAMILIES, tiny_language, tiny_language_tokenizer
from tests.tiny_recipe import write_recipe

KD = {"KD": {"name": "kd", "alpha": 1.0}}
PROMPT = "the film {text} was"
NUMBERS = [str(number) for number in range(48)]


@pytest.fixture
def given(tmp_path, monkeypatch):
    """A recipe whose teacher is a tiny language model with a prompt, and whose student is an encoder."""
    monkeypatch.setattr(evaluation, "LATENCY_RUNS", 1)
    tokenizer = tiny_language_tokenizer([*WORDS, *NUMBERS, "N/A", "[MASK]"])
    save(tiny_language("llama", layers=2, tokenizer=tokenizer, rows=len(tokenizer)), tmp_path / "decoder")
    save(tiny(layers=1, seed=2, labels=("bad", "good")), tmp_path / "small")
    (tmp_path / "prompt.txt").write_text(PROMPT)
    return write_recipe(
        tmp_path / "given", dropout=0.0, epochs=1, methods=KD, student={"model": str(tmp_path / "small")},
        teacher={"model": str(tmp_path / "decoder"), "prompt": str(tmp_path / "prompt.txt"), "label_words": {"good": "very bright"}},
    )  # fmt: skip


def run(path, out, *changes):
    (folder,) = run_recipe(read_recipe(str(path), list(changes)), out, command="test")
    return folder


def teacher_logits(folder):
    return np.array([one.teacher for one in read_predictions(folder / "predictions.jsonl")])


def scores_by_hand(folder, texts, words=("bad", "very bright")):
    """Mean log-probability of each word behind the prompt, one sequence at a time, in float64."""
    network = load_causal(folder)
    model, found = network.model.double(), np.zeros((len(texts), len(words)))
    for row, text in enumerate(texts):
        prompt = network.tokenizer(PROMPT.format(text=text))["input_ids"]
        for column, word in enumerate(words):
            answer = network.tokenizer(word)["input_ids"]
            with torch.no_grad():
                logs = model(input_ids=torch.tensor([[*prompt, *answer]])).logits[0].log_softmax(-1)
            start = len(prompt) - 1
            found[row, column] = np.mean([logs[start + at, token].item() for at, token in enumerate(answer)])
    return found


def test_a_prompted_decoder_teaches_what_the_formula_says(given, tmp_path, no_pages):
    calibrated = run(given, tmp_path / "one")
    plain = run(given, tmp_path / "two", "teacher.scoring.calibrate=false")
    texts = load_task("own", read_recipe(str(given)).data.source).split("dev")["sentence1"]
    scores = scores_by_hand(tmp_path / "decoder", texts)
    bias = scores_by_hand(tmp_path / "decoder", CONTENT_FREE).mean(0)
    for folder, wanted in ((calibrated, scores - bias), (plain, scores)):
        np.testing.assert_allclose(teacher_logits(folder), wanted - wanted.mean(1, keepdims=True), atol=2e-5)
    record = read_record(calibrated)
    prompt = record.teaching.prompt
    assert (prompt.template, dict(prompt.words)) == (PROMPT, {"bad": "bad", "good": "very bright"})
    assert list(prompt.content_free.values()) == pytest.approx(bias.tolist(), abs=2e-5)
    assert record.teacher.source == str(tmp_path / "decoder")
    assert record.teacher.layers == 2
    assert record.teacher_metrics == {"dev": record.teaching.models[0].metrics["dev"]}
    assert record.teacher.latency["1"].p50_ms > 0
    assert record.teaching.temperature is None


def test_other_runs_read_the_store_and_a_store_of_another_prompt_is_refused(given, tmp_path, no_pages):
    first = run(given, tmp_path / "one")
    (store,) = (tmp_path / "teachers" / "outputs").glob("own-*[0-9a-f]")
    written = (store / MANIFEST).stat().st_mtime_ns
    run(given, tmp_path / "again", "seeds=[5]")
    assert (store / MANIFEST).stat().st_mtime_ns == written
    (tmp_path / "prompt.txt").write_text("a " + PROMPT)
    second = run(given, tmp_path / "two")
    stores = list((tmp_path / "teachers" / "outputs").glob("own-*[0-9a-f]"))
    assert len(stores) == 2
    assert not np.allclose(teacher_logits(first), teacher_logits(second), atol=1e-3)
    (other,) = (path for path in stores if path != store)
    values = json.loads((other / MANIFEST).read_text())
    wanted = Manifest(**{name: values[name] for name in Manifest.__dataclass_fields__})
    with pytest.raises(RunError, match=r"is of other outputs: settings is .*'prompt'"):
        require_store(store, wanted)


@pytest.mark.slow
def test_a_temperature_is_fitted_for_a_prompt_too(given, tmp_path, no_pages):
    record = read_record(run(given, tmp_path / "one", "teacher.fit_temperature=true"))
    fitted = record.teaching.temperature
    assert (fitted.rows, fitted.may_be_seen) == (4, False)
    assert fitted.nll_after <= fitted.nll_before


def test_from_python_it_is_the_same(given, tmp_path, no_pages):
    folder = run(given, tmp_path / "one")
    recipe = read_recipe(str(given))
    teacher = ld.PromptedTeacher(
        ld.load_causal(tmp_path / "decoder"), PROMPT, label_words={"good": "very bright"}
    )
    training = ld.Training(**{**recipe.training.__dict__, "seed": 3})
    other = ld.distill(
        teacher, ld.load_task("own", recipe.data.source), student=ld.load(tmp_path / "small"),
        method=ld.KD(alpha=1.0), training=training, max_length=32, out=tmp_path / "two",
    )  # fmt: skip
    assert other.record.student.fingerprint == read_record(folder).student.fingerprint
    assert other.record.teacher.fingerprint == read_record(folder).teacher.fingerprint
    assert other.record.recipe["teacher"]["prompt"] == PROMPT


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        (["student={}"], ConfigError, r"no classifier can be made of its layers\. Set student\.model"),
        (["teacher.prompt=none.txt"], DataError, r"the prompt none\.txt cannot be read"),
        (["teacher.model=null", "teacher.models=[a]"], ConfigError, r"prompt is .* and models is set"),
        (["teacher.answers=a.jsonl"], ConfigError, r"prompt is .* and answers is set"),
        (["teacher.label_words={fine: ok}"], LmdistillError, r"no label is called 'fine'"),
        (["teacher.label_words={good: bad}"], ConfigError, r"the words of labels 'bad' and 'bad' are alike"),
        (["teacher.prompt=null"], ConfigError, r"label_words are for a decoder that is prompted"),
        (["teacher={model: DECODER}"], ModelError, r"no classification head\. Set teacher\.prompt"),
        (["teacher.model=MODEL"], ModelError, r"is a classifier .* a causal language model is needed"),
        (["methods={M: {name: mixkd}}"], LmdistillError, r"M has to run its teacher.*which is prompted"),
    ],
)  # fmt: skip
def test_what_cannot_be_prompted_is_refused_in_one_line(given, tmp_path, no_pages, changes, error, said):
    places = {"DECODER": str(tmp_path / "decoder"), "MODEL": str(tmp_path / "given" / "model")}
    for name, place in places.items():
        changes = [change.replace(name, place) for change in changes]
    with pytest.raises(error, match=said):
        run(given, tmp_path / "out", *changes)
    assert not (tmp_path / "out" / "record.json").exists()


def test_a_decoder_with_a_head_teaches_as_any_classifier(given, tmp_path, no_pages):
    torch.manual_seed(0)
    names = {"id2label": {0: "good", 1: "bad"}, "label2id": {"good": 0, "bad": 1}, "pad_token_id": 0}
    tokenizer = tiny_language_tokenizer([*WORDS, *NUMBERS])
    settings = FAMILIES["qwen2"] | {"num_hidden_layers": 2, "vocab_size": len(tokenizer)} | names
    model = AutoModelForSequenceClassification.from_config(AutoConfig.for_model("qwen2", **settings))
    model.save_pretrained(tmp_path / "headed")
    tokenizer.save_pretrained(tmp_path / "headed")
    record = read_record(run(given, tmp_path / "one", f"teacher={{model: {tmp_path / 'headed'}}}"))
    assert record.teaching is None
    assert record.teacher.source == str(tmp_path / "headed")
    both = read_record(
        run(given, tmp_path / "two", f"teacher={{models: [{tmp_path / 'headed'}, {tmp_path / 'small'}]}}")
    )
    assert both.teaching.models[0].metrics["dev"] == record.teacher_metrics["dev"]
