"""A finished language model looked at again: likelihood, its teacher beside it, other texts, prompts."""

import json
import logging
import math
from importlib.util import find_spec
from pathlib import Path

import datasets
import pytest

from lmdistill.cli.main import main
from lmdistill.commands.evaluate_language import evaluate_language, is_writer
from lmdistill.commands.generate import generate
from lmdistill.core.errors import ConfigError, DataError, MismatchError
from lmdistill.evaluation.generation_quality import distinct_n
from lmdistill.export.hugging_face import save
from lmdistill.recipes.files import recipe_of
from lmdistill.records.record import read_record
from lmdistill.runs.language.evaluation import uniform_alarms
from lmdistill.runs.run_recipe import run_recipe
from tests.tiny import WORDS
from tests.tiny_causal import tiny_language

RECIPE = {
    "texts": {"source": "rows.txt", "dev": "dev.txt", "separator": "%", "max_length": 24},
    "teacher": {"model": "teacher"},
    "student": {"layers": 1},
    "methods": {"KD": {"name": "token_kd"}},
    "writing": {"rows": 0, "max_new": 5},
    "training": {"epochs": 1, "batch_size": 4, "optimizer": {"learning_rate": 1e-2}},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A finished run whose networks have 32 outputs for 24 tokens."""
    found = tmp_path_factory.mktemp("evaluate")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(found)
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", found / "cache")
        patch.setattr("lmdistill.runs.write_report.write_report", lambda folder, runs, order=(): None)
        teacher = tiny_language(rows=32, layers=2)
        teacher.tokenizer.model_max_length = (
            512  # the model reads 64 tokens, and only its configuration says so
        )
        save(teacher, Path("teacher"))
        Path("rows.txt").write_text("".join(f"{a} {b}%" for a in WORDS[5:9] for b in WORDS[5:10]))
        Path("dev.txt").write_text("".join(f"{a} {b} {a}%" for a in WORDS[9:12] for b in WORDS[5:8]))
        rows = [{"prompt": f"{a} film", "output": f"{a} plot"} for a in WORDS[5:10]]
        Path("asked.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        run_recipe(recipe_of(RECIPE), Path("run"), command="test")
    return found


@pytest.fixture(autouse=True)
def place(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "cache")


def test_all_numbers_of_the_record_come_again_agreement_and_groups_of_tokens_too():
    record, found = read_record(Path("run")), evaluate_language("run")
    assert found.passages == 9
    assert (found.prompts, found.written) == (0, {})
    metrics = record.metrics["dev"]
    expected = {
        "nats": metrics["nats"],
        "agreement": metrics["agreement"],
        "teacher_nats": record.teacher_metrics["dev"]["nats"],
        "easy_nats": record.tokens.easy.nats,
        "easy_agreement": record.tokens.easy.agreement,
        "hard_nats": record.tokens.hard.nats,
        "hard_teacher_nats": record.tokens.hard.teacher_nats,
    }
    assert {name: found.metrics[name] for name in expected} == pytest.approx(expected, rel=1e-6)


def test_networks_that_are_worse_than_uniform_guessing_are_told_of_in_the_record_and_in_evaluate(caplog):
    record = read_record(Path("run"))
    told = {
        name: any(alarm.startswith(f"the {name} is worse than uniform guessing") for alarm in record.alarms)
        for name in ("student", "teacher")
    }
    guess = math.log(len(tiny_language().tokenizer))
    assert told == {
        "student": record.metrics["dev"]["nats"] >= guess,
        "teacher": record.teacher_metrics["dev"]["nats"] >= guess,
    }
    assert told["teacher"]  # its weights are random and large
    with caplog.at_level(logging.WARNING, "lmdistill"):
        evaluate_language("teacher", ["texts.source=rows.txt", "texts.dev=dev.txt", 'texts.separator="%"'])
    assert any(
        text.startswith("the model is worse than uniform guessing on dev: ") for text in caplog.messages
    )


@pytest.mark.parametrize("above", [-0.01, 0.0, 0.01])
def test_a_network_at_the_likelihood_of_a_uniform_guess_or_worse_is_told_of(above):
    told = uniform_alarms({"student": math.log(50) + above, "teacher": 1.0}, 50)
    assert len(told) == (above >= 0)
    assert all("learned nothing of use" in text and "--find-rate" in text for text in told)


def test_a_model_without_a_run_answers_for_the_tokens_of_its_tokenizer_only():
    found = evaluate_language(
        "teacher", ["texts.source=rows.txt", "texts.dev=dev.txt", "texts.separator='%'"]
    )
    record = read_record(Path("run"))
    assert found.metrics["nats"] == pytest.approx(record.teacher_metrics["dev"]["nats"], rel=1e-6)
    assert "agreement" not in found.metrics


def test_the_teacher_can_be_left_out_or_be_gone(caplog, monkeypatch):
    whole, alone = evaluate_language("run"), evaluate_language("run", with_teacher=False)
    assert "agreement" not in alone.metrics
    assert alone.metrics["nats"] == pytest.approx(whole.metrics["nats"], rel=1e-6)
    monkeypatch.setattr("lmdistill.commands.open_language_model.find_teacher", lambda folder, record: None)
    with caplog.at_level(logging.INFO, "lmdistill"):
        assert evaluate_language("run").metrics == alone.metrics
    assert "the teacher teacher is not in a folder here; only its student is evaluated" in caplog.text


def test_training_rows_are_not_encoded():
    rows = [{"prompt": "bad " * 20, "completion": "film"}] * 3
    Path("long.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("short.jsonl").write_text(json.dumps({"prompt": "bad", "completion": "film"}) + "\n")
    settings = ["texts.source=long.jsonl", "texts.dev=short.jsonl", "texts.max_length=8"]
    assert evaluate_language("teacher", settings).passages == 1


def test_what_belonged_to_the_source_of_the_run_is_left_out_for_another_one_and_said(caplog):
    rows = [{"text": f"{a} {b}"} for a in WORDS[5:8] for b in WORDS[9:12]]
    Path("other.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with caplog.at_level(logging.INFO, "lmdistill"):
        found = evaluate_language("run", ["texts.source=other.jsonl", "texts.dev_rows=4"])
    assert found.passages == 4
    assert "texts.separator was '%' for rows.txt; it is left out" in caplog.text
    assert "texts.dev was 'dev.txt' for rows.txt; it is left out" in caplog.text
    with pytest.raises(ConfigError, match=r"texts\.separator applies only to text files"):
        evaluate_language("run", ["texts.source=other.jsonl", "texts.separator='%'"])
    Path("other.txt").write_text("".join(f"{row['text']}%" for row in rows))
    kept = evaluate_language("run", ["texts.source=other.txt", "texts.dev_rows=4"])
    assert kept.metrics == pytest.approx(dict(found.metrics), rel=1e-6)
    assert evaluate_language("run", ["texts.source=rows.txt"]).passages == 9


def test_prompts_are_gone_on_from_as_generate_does():
    found = evaluate_language("run", prompts=Path("asked.jsonl"))
    generate("run", Path("asked.jsonl"), Path("asked.out.jsonl"), max_new=5)
    texts = [json.loads(line)["completion"] for line in Path("asked.out.jsonl").read_text().splitlines()]
    assert found.prompts == 5
    assert found.written["distinct_1"] == distinct_n(texts, 1)
    assert found.written["length"] <= 5
    assert ("rouge_l" in found.written) == (find_spec("rouge_score") is not None)
    short = evaluate_language("run", ["writing.max_new=1"], prompts=Path("asked.jsonl"))
    assert short.written["length"] == 1


@pytest.mark.parametrize(
    ("settings", "options", "error", "message"),
    [
        (["writing.max_new=1"], {}, ConfigError, "writing has no effect on a finished language model"),
        (["writing.rows=1"], {"prompts": Path("asked.jsonl")}, ConfigError, "writing has no effect"),
        (["training.epochs=3"], {}, ConfigError, "training has no effect on a finished language model"),
        ([], {"prompts": Path("nowhere.jsonl")}, DataError, "does not exist"),
        (["texts.dev=long.txt", "texts.max_length=80"], {}, MismatchError, "reads at most 64 tokens"),
    ],
)
def test_what_has_no_effect_or_does_not_fit_is_refused(settings, options, error, message):
    Path("long.txt").write_text("bad " * 70 + "%")
    with pytest.raises(error, match=message):
        evaluate_language("run", settings, **options)


def test_a_causal_model_is_a_writer_unless_it_is_given_a_task():
    assert is_writer("teacher")
    assert is_writer("run")
    assert not is_writer("teacher", ["task=sst2"])


def said(capsys, *words):
    with pytest.raises(SystemExit) as left:
        main(["evaluate", *words])
    out, error = capsys.readouterr()
    return left.value.code, out, [line for line in error.splitlines() if line.startswith("error")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("teacher",), "Add --set texts.source="),
        (("teacher", "--set", "texts.max_length=24"), "Add --set texts.source="),
        (("run", "--benchmark", "arc_easy", "--prompts", "asked.jsonl"), "--prompts asked.jsonl has no effect"),
    ],
)  # fmt: skip
def test_the_command_says_in_one_line_what_is_missing_or_too_much(capsys, words, message):
    code, out, errors = said(capsys, *words)
    assert (code, out, len(errors)) == (2, "", 1)
    assert message in errors[0]


def test_the_command_prints_passages_and_prompts_apart(capsys):
    code, out, errors = said(capsys, "run", "--prompts", "asked.jsonl")
    assert (code or 0, errors) == (0, [])
    for name in ("passages", "agreement", "hard teacher nats", "prompts", "distinct 2"):
        assert name in out
    assert "agreement" not in said(capsys, "run", "--no-teacher")[1]
