"""Language models from Python: what a recipe does, with objects instead of a file."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM

import lmdistill as ld
from lmdistill.commands.evaluate_language import evaluate_language
from lmdistill.core.completions import Completions
from lmdistill.core.errors import ConfigError, MismatchError, RunError, UnknownNameError
from lmdistill.data.language.special_tokens import bos_ids
from lmdistill.export.hugging_face import save
from lmdistill.models.generation import generate_completions
from lmdistill.recipes.files import read_recipe
from lmdistill.records.record import read_record
from lmdistill.runs.run_recipe import run_recipe
from tests.tiny import WORDS, tiny
from tests.tiny_causal import tiny_language, tiny_language_tokenizer

TRAINING = ld.Training(epochs=1, batch_size=8, optimizer=ld.Optimizer(learning_rate=1e-2))
SETTINGS = {"dev_rows": 4, "max_length": 12}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with rows and a teacher, as working directory."""
    folder = tmp_path_factory.mktemp("python")
    rows = [{"prompt": f"{a} {b}", "completion": f"{b} {a} ."} for a in WORDS[5:13] for b in WORDS[5:8]]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    save(tiny_language(layers=2), folder / "teacher")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


@pytest.fixture
def texts(place):
    return ld.load_texts("rows.jsonl", **SETTINGS)


@pytest.fixture
def teacher(place):
    return ld.load_causal("teacher")


def distilled(teacher, texts, out, **others):
    return ld.distill(
        teacher, texts, student=ld.truncate(teacher, layers=1), out=out, **{"training": TRAINING, **others}
    )


def test_a_run_from_python_is_that_of_the_recipe(place, texts, teacher):
    run = distilled(teacher, texts, "runs/one", method=ld.TokenKD())
    recipe = {
        "texts": {"source": "rows.jsonl", **SETTINGS}, "teacher": {"model": "teacher"},
        "student": {"layers": 1}, "methods": {"TokenKD": {"name": "token_kd"}},
        "training": {"epochs": 1, "batch_size": 8, "optimizer": {"learning_rate": 1e-2}},
    }  # fmt: skip
    (place / "recipe.yaml").write_text(json.dumps(recipe))
    (folder,) = run_recipe(read_recipe("recipe.yaml"), place / "runs" / "same", command="test")
    theirs = read_record(folder)
    assert run.record.student.fingerprint == theirs.student.fingerprint
    assert run.metrics == theirs.metrics["dev"]
    assert run.record.task.fingerprint == theirs.task.fingerprint
    assert run.record.teacher.disk_bytes == theirs.teacher.disk_bytes > 0
    assert evaluate_language("runs/one").metrics["nats"] == pytest.approx(run.metrics["nats"], rel=1e-6)


def test_a_run_has_a_student_that_writes_and_a_speed(place, texts, teacher):
    run = distilled(teacher, texts, "runs/atkd")
    assert run.record.method["name"] == "atkd"
    assert isinstance(run.student, ld.LanguageNetwork)
    assert run.student.num_layers == 1
    facts = run.record
    assert run.speedup == facts.teacher.latency["1"].p50_ms / facts.student.latency["1"].p50_ms > 0
    assert facts.student.latency["1"].tokens in range(4, 13)
    assert len(ld.complete_texts(run.student, ["the film"], max_new=3)) == 1


def test_the_same_call_reads_the_run_and_another_one_is_refused(place, texts, teacher):
    first = distilled(teacher, texts, "runs/again")
    written = (place / "runs" / "again" / "record.json").stat().st_mtime_ns
    assert distilled(teacher, texts, "runs/again").metrics == first.metrics
    assert (place / "runs" / "again" / "record.json").stat().st_mtime_ns == written
    with pytest.raises(RunError, match=r"runs/again holds another run: methods\.ATKD"):
        distilled(teacher, texts, "runs/again", method=ld.SFT())


def test_the_teachers_completions_are_learned_where_the_method_asks_for_them(place, texts, teacher):
    method = ld.SFT(completions=Completions(teacher=True, max_new=4))
    run = distilled(teacher, texts, "runs/seq", method=method)
    assert any("have the teacher's completion" in note for note in run.record.task.notes)
    assert list((place / "runs" / "teachers").glob("completions-*.jsonl"))
    gold = distilled(teacher, texts, "runs/gold", method=ld.SFT()).record.task
    assert run.record.task.fingerprint != gold.fingerprint  # other rows to learn, the same to be judged on
    assert run.record.task.dev_fingerprint == gold.dev_fingerprint != gold.fingerprint
    with pytest.raises(MismatchError, match=r"sft with completions\.teacher needs a teacher, got none"):
        ld.distill(None, texts, student=ld.load_causal("teacher"), out="runs/none", method=method)
    assert not (place / "runs" / "none").exists()


def test_a_student_alone_learns_the_texts(place, texts):
    run = ld.distill(
        None, texts, student=ld.load_causal("teacher"), out="runs/sft", method=ld.SFT(), training=TRAINING
    )
    assert run.speedup is None
    assert "agreement" not in run.metrics


def test_finetune_trains_once_and_what_it_keeps_loads_with_plain_transformers(place, texts):
    tuned = ld.finetune("teacher", texts, training=TRAINING, cache="kept")
    (folder,) = (place / "kept").iterdir()
    written = (folder / "record.json").stat().st_mtime_ns
    again = ld.finetune("teacher", texts, training=TRAINING, cache="kept")
    assert (folder / "record.json").stat().st_mtime_ns == written
    plain = AutoModelForCausalLM.from_pretrained(folder / "student")
    before = ld.load_causal("teacher")
    for name, weights in tuned.model.state_dict().items():
        assert torch.equal(weights, again.model.state_dict()[name])
        assert torch.equal(weights, plain.state_dict()[name])
    assert not torch.equal(tuned.head.weight, before.head.weight)
    assert isinstance(ld.finetune("teacher", texts, training=TRAINING), ld.LanguageNetwork)


def test_completions_are_those_of_the_token_ids(teacher):
    prompts = ["the film was", "a meal"]
    begin = bos_ids(teacher.tokenizer)
    ids = [[*begin, *teacher.tokenizer(text, add_special_tokens=False)["input_ids"]] for text in prompts]
    for settings in ({}, {"temperature": 1.0, "seed": 5}):
        new = generate_completions(teacher, ids, max_new=5, **settings)
        said = [teacher.tokenizer.decode(tokens, skip_special_tokens=True) for tokens in new]
        assert ld.complete_texts(teacher, prompts, max_new=5, **settings) == said


def test_texts_have_the_settings_of_a_recipe(place, texts):
    assert texts.settings.max_length == 12
    assert texts.rows.dev.num_rows == 4
    assert any("held out" in note for note in texts.notes)
    with pytest.raises(UnknownNameError, match=r"no setting of texts is called 'max_len'.*'max_length'"):
        ld.load_texts("rows.jsonl", max_len=12)
    with pytest.raises(ConfigError, match="rows must be >= 1, got 0"):
        ld.load_texts("rows.jsonl", rows=0)


def test_data_and_networks_of_two_kinds_are_refused(place, texts, teacher):
    task = ld.load_task("own", "rows.jsonl", text="prompt", label="completion")
    with pytest.raises(
        MismatchError, match=r"the data are texts and the student tiny2 is a classifier\. Load"
    ):
        ld.distill(None, texts, student=tiny(), out="runs/x")
    with pytest.raises(
        MismatchError, match=r"the data are texts and the teacher tiny2 is a classifier\. Load"
    ):
        ld.distill(tiny(), texts, student=teacher, out="runs/x")
    with pytest.raises(
        MismatchError, match=r"a task and the student teacher is a language model\. .*load_texts"
    ):
        ld.distill(None, task, student=teacher, out="runs/x")
    with pytest.raises(ConfigError, match=r"methods\.MixKD is mixkd, which is for classifiers and scorers"):
        distilled(teacher, texts, "runs/x", method=ld.MixKD())
    with pytest.raises(ConfigError, match=r"max_length is 64, and texts are cut as they were loaded"):
        distilled(teacher, texts, "runs/x", max_length=64)
    with pytest.raises(ConfigError, match=r"max_length is 64, and texts are cut as they were loaded"):
        ld.finetune("teacher", texts, max_length=64)
    assert not (place / "runs" / "x").exists()


def test_another_tokenizer_is_refused(place, texts, teacher):
    stranger = tiny_language(layers=1, tokenizer=tiny_language_tokenizer([*WORDS[:-1], "elsewhere"]))
    with pytest.raises(MismatchError, match="elsewhere"):
        ld.distill(teacher, texts, student=stranger, out="runs/x", method=ld.ATKD(), training=TRAINING)
    assert not (place / "runs" / "x").exists()
