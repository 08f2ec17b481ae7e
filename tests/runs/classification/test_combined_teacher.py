"""Several teachers: what they teach is what their combined logits teach, whoever they are."""

import json
import logging

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.special import log_softmax

from lmdistill.core.errors import ConfigError, MismatchError
from lmdistill.data.load_task import load_task
from lmdistill.data.tasks.dev_split import hold_out_dev
from lmdistill.evaluation.temperature import fit_temperature
from lmdistill.export.hugging_face import save
from lmdistill.models.classification_head import reorder_outputs
from lmdistill.models.loading.classifier import load
from lmdistill.recipes.files import read_recipe
from lmdistill.records.predictions import read_predictions
from lmdistill.records.record import read_record
from lmdistill.report.teaching_text import teaching_facts
from lmdistill.runs.classification import evaluation
from lmdistill.runs.classification.dataset import read_split
from lmdistill.runs.run_recipe import run_recipe, train_teacher
from tests.tiny import WORDS, tiny
from tests.tiny_recipe import write_recipe

KD = {"KD": {"name": "kd", "alpha": 1.0, "divergence": "mse"}}


@pytest.fixture
def given(tmp_path, monkeypatch):
    """A recipe of 5 steps, three classifiers with two tokenizers, one in another order, and an encoder."""
    monkeypatch.setattr(evaluation, "LATENCY_RUNS", 1)
    path = write_recipe(tmp_path / "given", dropout=0.0, epochs=1, methods=KD)
    save(tiny(layers=2, seed=4, labels=("bad", "good")), tmp_path / "b")
    other = tiny(layers=1, seed=5, labels=("bad", "good"), width=8, words=WORDS[::-1])
    save(reorder_outputs(other, (1, 0), ("good", "bad")), tmp_path / "c")
    bare = tiny(layers=2, seed=6)
    bare.model.bert.save_pretrained(tmp_path / "bare")
    bare.tokenizer.save_pretrained(tmp_path / "bare")
    return path


def run(path, out, *changes):
    folders = run_recipe(read_recipe(str(path), list(changes)), out, command="test")
    return folders[0] if len(folders) == 1 else folders


def several(given, *names):
    folder = given.parent
    places = {"a": folder / "model", **{name: folder.parent / name for name in ("b", "c", "bare")}}
    return f"teacher={{models: [{', '.join(str(places[name]) for name in names)}]}}"


def close(first, second, tolerance=1e-5):
    one, two = (load_file(folder / "student" / "model.safetensors") for folder in (first, second))
    return all(
        torch.allclose(one[name], two[name], atol=tolerance, rtol=0) for name in one if "key.bias" not in name
    )


def by_hand(given, names, split):
    """Log-probabilities of each model for a split, each read with its own tokenizer and order of classes."""
    recipe = read_recipe(str(given))
    task = load_task("own", recipe.data.source)
    found = []
    for name in names:
        folder = given.parent / "model" if name == "a" else given.parent.parent / name
        network = load(folder, labels=task.spec.labels)
        logits = read_split(task, split, network, max_length=32).logits(network, "cpu")
        found.append(log_softmax(logits.astype(np.float64), axis=-1))
    return task, np.stack(found)


def test_three_models_with_two_tokenizers_teach_what_a_file_of_their_mean_teaches(given, tmp_path, no_pages):
    student = f"student={{model: {tmp_path / 'b'}}}"
    live = run(given, tmp_path / "live", several(given, "a", "b", "c"), student)
    lines = []
    for split in ("train", "dev"):
        task, logs = by_hand(given, "abc", split)
        mean = logs.mean(0)
        mean -= mean.mean(-1, keepdims=True)
        lines += [
            {"text": text, "logits": dict(zip(task.spec.labels, row.tolist(), strict=True))}
            for text, row in zip(task.split(split)["sentence1"], mean, strict=True)
        ]
    (tmp_path / "mean.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    told = run(given, tmp_path / "told", f"teacher.answers={tmp_path / 'mean.jsonl'}", student)
    assert close(live, told)
    ours, theirs = read_record(live), read_record(told)
    assert ours.teacher_metrics == theirs.teacher_metrics
    teaching, teacher = ours.teaching, ours.teacher
    sizes = [model.parameters for model in teaching.models]
    assert (teacher.layers, teacher.parameters.total) == (6, sum(sizes))
    assert [model.layers for model in teaching.models] == [3, 2, 1]
    assert teacher.source == "an ensemble of 3 models"
    stores = list((tmp_path / "teachers" / "outputs").glob("*/manifest.json"))
    assert len(stores) == 3  # each member's own, combined when read
    choices = by_hand(given, "abc", "train")[1].argmax(-1)
    divided = (choices != choices[0]).any(0).mean()
    assert teaching.disagreement["train"].divided == pytest.approx(divided)
    assert 0 < divided < 1
    facts = dict(teaching_facts(ours))
    assert "parameters, dev accuracy, %" in facts["teacher model 3"]


@pytest.mark.slow
def test_the_order_of_models_does_not_matter(given, tmp_path, no_pages):
    student = f"student={{model: {tmp_path / 'b'}}}"
    one, other = (
        run(given, tmp_path / "".join(order), several(given, *order), student) for order in ("abc", "cba")
    )
    assert close(one, other, 1e-6)
    assert read_record(one).teacher.fingerprint == read_record(other).teacher.fingerprint


@pytest.mark.slow
def test_copies_of_one_model_teach_as_it_does(given, tmp_path, no_pages, caplog):
    methods = "methods={M: {name: mixkd, alpha_kd: 1.0, distance: forward_kl}}"
    one = run(given, tmp_path / "one", methods)
    with caplog.at_level(logging.INFO):
        both = run(given, tmp_path / "two", methods, several(given, "a", "a"))
    assert close(one, both)
    assert "counts 2 times: it came fine-tuned, so its copies are the same" in caplog.text
    assert read_record(both).teaching.disagreement["train"].jensen_shannon == pytest.approx(0, abs=1e-9)


def test_models_of_one_name_are_fine_tuned_with_consecutive_seeds(given, tmp_path, no_pages):
    folder = run(
        given, tmp_path / "runs", several(given, "bare", "a", "bare"), "teacher.training.epochs=1",
        "teacher.training.seed=5",
    )  # fmt: skip
    record = read_record(folder)
    assert [model.seed for model in record.teaching.models] == [5, None, 6]
    assert any("bare teaches 2 times, fine-tuned with the seeds 5, 6" in note for note in record.task.notes)
    first, second = (
        load_file(tmp_path / "runs" / "teacher" / number / "model.safetensors") for number in "13"
    )
    assert not all(torch.equal(first[name], second[name]) for name in first)
    assert record.student.layers == 2  # of the first model


def test_a_temperature_is_fitted_on_rows_that_no_model_has_seen(given, tmp_path, no_pages):
    folder = run(
        given, tmp_path / "run", several(given, "bare"), "teacher.training.epochs=1",
        "teacher.fit_temperature=true", "student.model=" + str(tmp_path / "b"),
    )  # fmt: skip
    record = read_record(folder)
    task = load_task("own", read_recipe(str(given)).data.source)
    kept, held = hold_out_dev(task.train, 0.1)
    (tuned,) = (tmp_path / "teachers").glob("own-*")
    rows = read_record(tuned).task.rows["train"]
    assert (rows, record.task.rows["train"]) == (kept.num_rows, task.train.num_rows)
    network = load(tuned / "student")
    logits = read_split(
        type(task)(spec=task.spec, splits={"x": held}, source=""), "x", network, max_length=32
    ).logits(network, "cpu")
    wanted = fit_temperature(np.asarray(held["label"]), logits)
    found = record.teaching.temperature
    assert found.value == pytest.approx(wanted.value, rel=1e-3)
    assert (found.rows, found.may_be_seen) == (held.num_rows, False)
    assert found.nll_after <= found.nll_before
    assert any("temperature is" in note and "may have seen" not in note for note in record.task.notes)


@pytest.mark.slow
def test_one_ready_model_has_a_temperature_too_and_the_note_says_that_it_may_have_seen_the_rows(
    given, tmp_path, no_pages
):
    plain = run(given, tmp_path / "plain")
    warm = run(given, tmp_path / "warm", "teacher.fit_temperature=true")
    record = read_record(warm)
    assert record.teaching.temperature.may_be_seen
    assert any("which models that came fine-tuned may have seen" in note for note in record.task.notes)
    assert record.teacher_metrics == read_record(plain).teacher_metrics
    assert record.teacher.source == read_record(plain).teacher.source
    ours, theirs = (
        np.array([one.teacher for one in read_predictions(folder / "predictions.jsonl")])
        for folder in (warm, plain)
    )
    gaps = [np.diff(logits, axis=1) for logits in (ours, theirs)]
    np.testing.assert_allclose(gaps[0] * record.teaching.temperature.value, gaps[1], atol=1e-4)


def test_mixing_runs_every_model_if_they_share_a_tokenizer(given, tmp_path, no_pages):
    method = "methods={M: {name: mixkd, alpha_kd: 1.0}}"
    stored = run(given, tmp_path / "stored", several(given, "a", "b"), method)
    live = run(given, tmp_path / "live", several(given, "a", "b"), method, "teacher.store_outputs=false")
    assert close(stored, live)
    assert "train" not in read_record(live).teaching.disagreement


MINIDISC = "schedule={name: minidisc, grid: [0.7, 0.5, 0.3], largest: 0.7}"


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        (("abc", "methods={M: {name: mixkd}}"), MismatchError, r"M has to run its teacher.*different tokens"),
        (("ab", "methods={P: {name: pkd}}"), MismatchError, r"P reads the hidden states.*Use method kd"),
        (("ab", "methods={H: {name: hidden_kd}}"), MismatchError, r"H reads the hidden states"),
        (("ab", MINIDISC, "student.keep=0.3", "student.layers=all"), ConfigError, r"prunes its teacher, and"),
        (("ab", "student.keep=0.5"), ConfigError, r"student\.keep is 0\.5, which needs a network as teacher"),
        (("ab", "teacher.answers=x.jsonl"), ConfigError, r"answers is x\.jsonl and models is set"),
        (("ab", "teacher.model=other"), ConfigError, r"model is other and models is .*set only one of them"),
        (("", "teacher.model=null"), ConfigError, r"model is null and models is empty"),
    ],
)
def test_what_cannot_be_taught_by_several_is_refused_before_anything_is_trained(
    given, tmp_path, no_pages, changes, error, said
):
    names, *others = changes
    with pytest.raises(error, match=said):
        run(given, tmp_path / "out", *([several(given, *names)] if names else []), *others)
    assert not (tmp_path / "out" / "record.json").exists()


def test_scores_are_averaged_and_have_no_temperature(given, tmp_path, no_pages):
    save(tiny(layers=2, seed=4, classes=1), tmp_path / "b")
    save(tiny(layers=2, seed=5, classes=1), tmp_path / "c")
    with (tmp_path / "scores.csv").open("w") as file:
        file.write(
            "text,score\n" + "".join(f"{WORDS[n % 20]} {WORDS[n % 7]} {n},{n / 7:.2f}\n" for n in range(48))
        )
    data = [f"data={{source: {tmp_path / 'scores.csv'}, max_length: 32, label: score, kind: regression}}"]
    record = read_record(run(given, tmp_path / "run", several(given, "b", "c"), *data))
    assert record.teaching.disagreement["dev"].spread > 0
    assert record.teaching.disagreement["dev"].divided is None
    with pytest.raises(ConfigError, match=r"fit_temperature is for tasks with one class.*has scores"):
        run(given, tmp_path / "out", several(given, "b", "c"), "teacher.fit_temperature=true", *data)


def test_one_teacher_is_fine_tuned_at_a_time_and_the_advice_works(given, tmp_path):
    changes = [several(given, "bare", "bare"), "teacher.training.epochs=1"]
    with pytest.raises(ConfigError, match=r"teacher\.models names 2 teachers"):
        train_teacher(read_recipe(str(given), changes), tmp_path / "cache", command="test")
    changes += ["teacher.models=[]", f"teacher.model={tmp_path / 'bare'}"]
    folder = train_teacher(read_recipe(str(given), changes), tmp_path / "cache", command="test")
    assert load(folder).labels == ("bad", "good")


def test_the_advice_of_the_refusals_works(given, tmp_path, no_pages):
    run(
        given, tmp_path / "out", several(given, "a", "b", "c"), "teacher.model=null",
        "methods={M: {name: mixkd, alpha_tmkd: 0, alpha_kd: 1}}",
    )  # fmt: skip
