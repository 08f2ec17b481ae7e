"""What a user gets wrong with language models: one line, exit code 2, nothing half-written."""

import json

import pytest
from transformers import BertConfig, BertForMaskedLM

from lmdistill.cli.main import main
from tests.tiny import WORDS, tiny
from tests.tiny_causal import SPECIAL, tiny_language, tiny_language_tokenizer

RECIPE = {
    "texts": {"source": "rows.jsonl", "dev_rows": 2, "max_length": 24},
    "teacher": {"model": "teacher"},
    "student": {"layers": 1},
    "methods": {"KD": {"name": "token_kd"}},
    "writing": {"rows": 0},
    "training": {"epochs": 1, "batch_size": 4},
}


def save(network, folder):
    network.model.save_pretrained(folder)
    network.tokenizer.save_pretrained(folder)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    save(tiny_language(layers=2), folder / "teacher")
    other = tiny_language_tokenizer([*WORDS[:-1], "elsewhere"])
    save(tiny_language(layers=1, tokenizer=other), folder / "stranger")
    endless = tiny_language_tokenizer(end=None)
    save(tiny_language(layers=1, tokenizer=endless), folder / "endless")
    save(tiny(), folder / "classifier")
    encoder = tiny()
    BertForMaskedLM(BertConfig(**encoder.model.config.to_dict())).save_pretrained(folder / "encoder")
    encoder.tokenizer.save_pretrained(folder / "encoder")
    return folder


@pytest.fixture
def place(tmp_path, models, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for model in models.iterdir():
        (tmp_path / model.name).symlink_to(model)
    words = WORDS[5:13]
    write([{"prompt": f"{a} {b}", "completion": f"{b} {a}"} for a in words for b in words[:3]])
    return tmp_path


def write(rows, name="rows.jsonl"):
    with open(name, "w", encoding="utf-8") as file:
        file.writelines((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)


def said(capsys, *settings, command=("distill", "recipe.yaml", "--out", "run")):
    """The one line that the command leaves with."""
    write([json.dumps(RECIPE)], "recipe.yaml")  # JSON is YAML
    with pytest.raises(SystemExit) as left:
        main([*command, *(part for setting in settings for part in ("--set", setting))])
    out, error = capsys.readouterr()
    lines = [line for line in error.splitlines() if line.startswith("error")]
    assert left.value.code == 2, error
    assert len(lines) == 1, error
    assert "Traceback" not in error
    assert out == ""
    return lines[0]


def test_the_recipe_works(place, capsys):
    write([json.dumps(RECIPE)], "recipe.yaml")
    with pytest.raises(SystemExit) as left:
        main(["distill", "recipe.yaml", "--out", "run"])
    assert not left.value.code, capsys.readouterr().err
    assert (place / "run" / "record.json").is_file()


CASES = {
    "different tokenizers": (["student.model=stranger"], "elsewhere"),
    "a tokenizer without an end token": (["teacher.model=endless"], "has no end token"),
    "an encoder given as a causal model": (["teacher.model=encoder"], "encoder"),
    "a classifier given as a causal model": (["teacher.model=classifier"], "classifier"),
    "a method for classifiers": (
        ["methods.KD.name=mixkd"],
        "methods.KD is mixkd, which is for classifiers and scorers",
    ),
    "more layers than there are": (["student.layers=5"], "layers must be between 1 and 2"),
    "a key that does not exist": (["texts.sorce=x"], "Did you mean 'source'?"),
    "a template with an unknown column": (
        ["texts.template='{promt}'"],
        "no column is called 'promt'. Did you mean 'prompt'?",
    ),
    "a layout that does not exist": (["texts.layout=prose"], "no choice for texts.layout is called 'prose'"),
    "a completion that is no column": (
        ["texts.completion=complet"],
        "no column of rows.jsonl is called 'complet'. Did you mean 'completion'?",
    ),
    "a file that is not there": (["texts.source=nowhere.jsonl"], "nowhere.jsonl"),
}


@pytest.mark.parametrize(("settings", "message"), CASES.values(), ids=CASES.keys())
def test_one_line_says_what_is_wrong(place, capsys, settings, message):
    assert message in said(capsys, *settings)
    assert not (place / "run").exists()


@pytest.mark.parametrize("setting", ["rows=-1", "max_new=0", "begin=0"])
def test_what_students_write_is_settled_before_the_training(place, capsys, setting):
    assert setting.partition("=")[0] in said(capsys, f"writing.{setting}")
    assert not (place / "run").exists()


def test_a_setting_of_generate_leaves_nothing_behind(place, capsys):
    command = ("generate", "teacher", "rows.jsonl", "--out", "out.jsonl", "--max-new", "0")
    assert "max_new must be >= 1, got 0" in said(capsys, command=command)
    assert not [*place.glob("out.jsonl*")]


@pytest.mark.parametrize(
    ("command", "settings", "setting"),
    [
        (("generate", "teacher", "odd.jsonl", "--out", "out.jsonl"), (), "set --template to a template like '{column}'"),
        (("distill", "recipe.yaml", "--out", "run"), ["writing.prompts=odd.jsonl", "writing.rows=1"],
         "set texts.template to a template like '{column}'"),
    ],
)  # fmt: skip
def test_a_wording_that_is_missing_is_called_what_it_is_called_there(
    place, capsys, command, settings, setting
):
    write([{"words": "good film"}], "odd.jsonl")
    assert setting in said(capsys, *settings, command=command)
    assert not [*place.glob("out.jsonl*")]
    assert not (place / "run").exists()


def test_a_template_for_chats_is_refused_by_the_name_it_was_given(place, capsys):
    write([{"messages": [{"role": "user", "content": "good"}]}], "chats.jsonl")
    command = ("generate", "teacher", "chats.jsonl", "--out", "out.jsonl", "--template", "{messages}")
    assert "Leave --template out." in said(capsys, command=command)


def test_a_bare_model_is_told_which_texts_are_missing(place, capsys):
    line = said(capsys, command=("evaluate", "teacher"))
    assert "Add --set texts.source=" in line
    assert "encoder" not in line


ROWS = {
    "broken JSON": (['{"prompt": "a", "completion": "b"}', '{"prompt"'], "line 2: not JSON"),
    "an unknown role": (
        [{"messages": [{"role": "user", "content": "a"}, {"role": "robot", "content": "b"}]}],
        "robot",
    ),
    "a chat without a template": (
        [{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}] * 9,
        "chat template",
    ),
    "no answer anywhere": ([{"prompt": "a", "completion": " "}] * 4, "is empty in all 4 rows"),
    "all prompts longer than the limit": (
        [{"prompt": " ".join([WORDS[5 + i]] * 30), "completion": "a"} for i in range(9)],
        "whose prompt alone has 24 tokens or more",
    ),
    "a picture in a chat": (
        [{"messages": [{"role": "user", "content": [{"type": "image", "image": "a"}]}]}],
        "rows.jsonl, line 1, message 1: the content is 'image' where text is needed",
    ),
    "columns of no layout": ([{"left": "a", "right": "b"}], "do not match"),
    "no rows": ([], "rows.jsonl"),
}


@pytest.mark.parametrize(("rows", "message"), ROWS.values(), ids=ROWS.keys())
def test_rows_that_cannot_be_used_are_named(place, capsys, rows, message):
    write(rows)
    assert message in said(capsys)
    assert not (place / "run").exists()


def test_a_micro_batch_with_one_scored_token_stops_the_run_and_says_so(place, capsys):
    write([{"text": word} for word in WORDS[5:17]])
    line = said(
        capsys, "methods.KD={name: atkd, scope: micro_batch}", "training.batch_size=1", "texts.max_length=3"
    )
    assert "micro-batch has 1 scored token, and atkd sorts tokens into easy and hard ones" in line
    assert not (place / "run" / "record.json").exists()


def test_a_causal_model_is_no_classifier(place, capsys):
    write(
        [
            {
                "task": "own",
                "data": {"source": "rows.jsonl", "text": ["prompt"], "label": "completion"},
                "teacher": {"model": "teacher"},
            }
        ],
        "other.yaml",
    )
    line = said(capsys, command=("distill", "other.yaml", "--out", "run"))
    assert "teacher" in line
    assert "text" in line


def test_special_tokens_are_those_of_the_tiny_tokenizer():
    assert tiny_language_tokenizer().convert_tokens_to_ids(SPECIAL) == list(range(len(SPECIAL)))
