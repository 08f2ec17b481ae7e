"""lmdistill trim-vocabulary as a user meets it, and a student of a recipe with a trimmed vocabulary."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from lmdistill.core.atomic_io import read_json
from lmdistill.export.hugging_face import save
from lmdistill.models.loading.classifier import load
from lmdistill.models.model_stats import fingerprint
from lmdistill.records.record import read_record
from tests.cli.cli_project import RECIPE, files_in, read_csv, write_csv, write_recipe
from tests.tiny_causal import tiny_language

USED = ("bad", "dull", "slow", "fine", "film", "plot", "good", "bright", "very", "a", "the", "it")
"""Words of the tokenizer that the texts have; "a" composes others too."""
PIECES = 5 + len(USED)


def test_a_model_is_trimmed_to_the_texts_of_files(place, lmdistill):
    said = lmdistill(
        "trim-vocabulary", "models/classifier", "--texts", "texts.csv", "--texts", "dev.csv", "--out", "small"
    )
    assert said.code == 0, said.err
    assert f"{PIECES} word pieces for the texts, 0 to compose other words, 0 more" in said.out
    assert "the same word pieces in 60 texts; logits of 60 of them differ by at most 0" in said.out
    assert said.out.splitlines()[-1] == f"small: {PIECES} word pieces"
    for folder in ("models/classifier", "small"):
        assert lmdistill("predict", folder, "texts.csv", "--out", f"{Path(folder).name}.csv").code == 0
    assert read_csv("small.csv") == read_csv("classifier.csv")
    model = AutoModelForSequenceClassification.from_pretrained("small")
    assert (
        model.get_input_embeddings().num_embeddings == len(AutoTokenizer.from_pretrained("small")) == PIECES
    )


def test_weights_keep_their_type(place, lmdistill):
    save(load("models/classifier"), place / "half", dtype="float16")
    said = lmdistill("trim-vocabulary", "half", "--texts", "texts.csv", "--out", "small")
    assert said.code == 0, said.err
    assert read_json(place / "small" / "config.json")["dtype"] == "float16"
    assert AutoModelForSequenceClassification.from_pretrained("small").dtype == torch.float16


def test_a_number_of_pieces_is_filled(place, lmdistill):
    words = ("trim-vocabulary", "models/classifier", "--texts", "texts.csv", "--text", "text", "--out")
    said = lmdistill(*words, "small", "--size", "20")
    assert said.code == 0, said.err
    assert "small: 20 word pieces" in said.out
    assert f"{20 - PIECES} more" in said.out
    said = lmdistill(*words, "whole", "--size", "99")
    assert said.code == 0, said.err
    assert "keeps its whole vocabulary of 25 word pieces" in said.err
    assert (
        lmdistill("trim-vocabulary", "small", "--texts", "dev.csv", "--out", "again", "--size", "17").code
        == 0
    )


def test_the_texts_of_a_run_are_known_and_its_dev_rows_show_what_changes(finished, lmdistill, tmp_path):
    said = lmdistill("trim-vocabulary", "runs/one", "--out", tmp_path / "small")
    assert said.code == 0, said.err
    assert "the same word pieces in 48 texts" in said.out
    assert "0 of 12 (0.00 %)" in said.out
    assert load(tmp_path / "small").labels == load("runs/one/student").labels


MISTAKES = {
    "too few": (("--texts", "texts.csv", "--size", "9"), f"--size is 9, and the texts need {PIECES} word pieces and 0 more compose other words. Set --size to at least {PIECES}, or to texts."),
    "none": (("--texts", "texts.csv", "--size", "0"), "--size must be >= 1 or texts, got 0."),
    "words": (("--texts", "texts.csv", "--size", "few"), "'few' is neither a number nor texts. See lmdistill trim-vocabulary --help."),
    "no texts": ((), "models/classifier is no run, so its training texts are not known. Name a file with --texts."),
    "a column without a file": (("--text", "text"), "--text is text, and no file is named. Add --texts"),
    "another column": (("--texts", "texts.csv", "--text", "review"), "texts.csv: "),
    "a file that is not there": (("--texts", "none.csv"), "none.csv"),
    "a file without rows": (("--texts", "empty.csv"), "empty.csv"),
    "a folder that is there": (("--texts", "texts.csv", "--out", "models"), "models exists. Choose another --out"),
    "a language model": (("writer", "--texts", "texts.csv"), "writer is a language model, whose outputs are its vocabulary. Name a classifier"),
    "an encoder": (("models/encoder", "--texts", "texts.csv"), "has no classification head"),
}  # fmt: skip


@pytest.mark.parametrize(("words", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_one_line_and_leaves_nothing_behind(words, message, place, lmdistill):
    write_csv("empty.csv", [])
    save(tiny_language("llama", layers=1), place / "writer")
    before = files_in(place)
    target = () if words and not words[0].startswith("--") else ("models/classifier",)
    said = lmdistill("trim-vocabulary", *target, *words, *(() if "--out" in words else ("--out", "out")))
    assert said.code == 2
    (line,) = [line for line in said.err.splitlines() if line.startswith("error")]
    assert message in line
    assert files_in(place) == before


def test_a_student_is_trimmed_rounded_and_judged_as_it_is_saved(place, lmdistill):
    write_recipe("recipe.yaml", {**RECIPE, "student": {"layers": 2, "vocabulary": 18, "saved_as": "float16"}})
    rows = [*read_csv("dev.csv")[1:], ["never a meal", "neg"], ["it was very good", "pos"]]
    write_csv("dev.csv", rows)
    said = lmdistill("distill", "recipe.yaml", "--out", "run")
    assert said.code == 0, said.err
    record, folder = read_record(Path("run")), Path("run/student")
    facts = record.vocabulary
    assert (facts.pieces_before, facts.pieces, facts.filled) == (25, 18, 18 - PIECES)
    assert facts.texts == 48
    assert (facts.changed["dev"].texts, facts.changed["dev"].changed_texts) == (14, 2)
    assert record.student.parameters.embeddings < record.teacher.parameters.embeddings
    assert record.student.disk_bytes < record.teacher.disk_bytes / 2
    assert read_json(folder / "config.json")["dtype"] == "float16"
    assert len(AutoTokenizer.from_pretrained(folder)) == 18
    assert record.student.fingerprint == fingerprint(load(folder))
    card = (folder / "README.md").read_text()
    assert "Vocabulary: 18 of 25 word pieces." in card
    assert "2 of 14 texts of dev have others." in card
    evaluated = lmdistill("evaluate", "run")
    assert evaluated.code == 0, evaluated.err
    assert f"{100 * record.metrics['dev']['accuracy']:.2f}" in evaluated.out
    assert lmdistill("predict", "run", "dev.csv", "--out", "answers.csv").code == 0
    assert len(read_csv("answers.csv")) == 15
    predicted = [row[2] for row in read_csv("answers.csv")[1:]]
    lines = [json.loads(line) for line in Path("run/predictions.jsonl").read_text().splitlines()]
    labels = record.task.labels
    assert predicted == [labels[max(range(3), key=line["student"].__getitem__)] for line in lines]
    right = sum(row[2] == row[1] for row in read_csv("answers.csv")[1:]) / 14
    assert record.metrics["dev"]["accuracy"] == pytest.approx(right)
    assert load(folder).tokenizer.tokenize("never good") == ["[UNK]", "good"]


REFUSED = {
    "too few": ({"student": {"layers": 2, "vocabulary": 9}}, f"student.vocabulary is 9, and the texts need {PIECES} word pieces"),
    "none": ({"student": {"layers": 2, "vocabulary": 0}}, "student.vocabulary must be >= 1 or texts, got 0."),
    "a linear model": ({"student": {"vocabulary": "texts"}, "method": {"name": "tfidf"}}, "student.vocabulary is texts, and TFIDF trains a linear model without word pieces. Leave it out."),
    "a linear model in half precision": ({"student": {"saved_as": "float16"}, "method": {"name": "tfidf"}}, "student.saved_as is float16, and"),
    "a type that does not exist": ({"student": {"saved_as": "float8"}}, "student.saved_as"),
    "a language model": ({"texts": {"source": "texts.csv"}, "student": {"vocabulary": 9}}, "vocabulary"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_a_recipe_that_cannot_be_is_refused_before_anything_is_trained(changes, message, place, lmdistill):
    recipe = (
        {"student": changes["student"], "texts": changes["texts"]}
        if "texts" in changes
        else {**RECIPE, **changes}
    )
    Path("recipe.yaml").write_text(yaml.safe_dump(recipe))
    said = lmdistill("distill", "recipe.yaml", "--out", "run")
    assert said.code == 2
    (line,) = [line for line in said.err.splitlines() if line.startswith("error")]
    assert message in line
    assert not Path("run/student").exists()
