"""What the texts of a recipe say of rows: columns, ends, and which rows are kept apart."""

import json
import logging
from pathlib import Path

import datasets
import pytest

from lmdistill.commands.generate import generate
from lmdistill.core.errors import ConfigError, DataError, UnknownNameError
from lmdistill.data.language.instruction_format import ALPACA
from lmdistill.export.hugging_face import save
from lmdistill.recipes.files import recipe_of, recipe_text
from lmdistill.recipes.language_model import Texts
from lmdistill.recipes.parsing import parse
from lmdistill.runs.language.data import load_dev, load_texts
from lmdistill.runs.language.dataset import encode_texts
from lmdistill.runs.language.generation_prompts import prompts_in_file
from tests.tiny import WORDS
from tests.tiny_causal import END, tiny_language, tiny_language_tokenizer

PAIRS = [{"prompt": word, "completion": f"{word} film"} for word in WORDS[5:17]]


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return tmp_path


def lines(name, rows):
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return name


def said(found, part):
    return [note for note in found.notes if part in note]


@pytest.mark.parametrize("kind", ["prompts", "chats"])
def test_what_generate_cut_is_learned_without_an_end_token(kind):
    network = tiny_language()
    network.tokenizer.chat_template = "{% for m in messages %}{{ m.content }} {% endfor %}"
    save(network, Path("model"))
    rows = (
        PAIRS
        if kind == "prompts"
        else [{"messages": [{"role": "user", "content": r["prompt"]}]} for r in PAIRS]
    )
    generate("model", Path(lines("asked.jsonl", rows)), Path("done.jsonl"), max_new=12, temperature=1.0)
    written = [json.loads(line) for line in Path("done.jsonl").read_text().splitlines()]
    ended = {number: row["ended"] for number, row in enumerate(written)}
    assert len({*ended.values()}) == 2, "both kinds are needed here"
    texts = Texts(source="done.jsonl", dev_rows=3, max_length=40)
    found = load_texts(texts)
    pages = encode_texts(found, network.tokenizer, texts)
    for part in (pages.train, pages.dev):
        for row in part.rows:
            assert (row["input_ids"][-1] == END) == ended[row["index"]]
    count = len(ended) - sum(ended.values())
    assert said(found, f"{count} of {len(ended)} completions were cut ('ended' is false): no end token")


def test_a_column_that_tells_of_another_completion_takes_no_end_away():
    rows = [{**row, "output": "plot", "ended": False} for row in PAIRS]
    texts = Texts(source=lines("rows.jsonl", rows), dev_rows=3, completion="output", max_length=24)
    found = load_texts(texts)
    assert "unended" not in found.train.column_names
    passages = encode_texts(found, tiny_language_tokenizer(), texts).train.rows
    assert {row["input_ids"][-1] for row in passages} == {END}
    plain = [{"text": row["completion"], "ended": False} for row in PAIRS]
    assert (
        "unended" not in load_texts(Texts(source=lines("texts.jsonl", plain), dev_rows=3)).train.column_names
    )


def test_rows_that_do_not_say_how_they_end_are_the_same_as_ever():
    first = load_texts(Texts(source=lines("a.jsonl", PAIRS), dev_rows=3))
    whole = load_texts(Texts(source=lines("b.jsonl", [{**row, "ended": True} for row in PAIRS]), dev_rows=3))
    assert not any("no end token" in note for note in whole.notes)
    assert "unended" not in first.train.column_names
    assert whole.train["unended"][:] == [False] * 9


def test_layout_and_completion_can_be_named():
    rows = [
        {"instruction": f"{a} {a}", "prompt": a, "output": "bad", "verse": f"good {a}"} for a in WORDS[5:12]
    ]
    source = lines("rows.jsonl", rows)
    found = {
        (layout, completion): load_texts(
            Texts(source=source, dev_rows=2, layout=layout, completion=completion)
        ).train[0]
        for layout in (None, "prompt", "text")
        for completion in (None, "verse")
        if (layout, completion) != ("text", None)
    }
    first = rows[found[None, None]["index"]]
    assert found[None, None]["prompt"] == ALPACA.format(**first, input="")
    assert {key: row["completion"].split()[0] for key, row in found.items()} == {
        (None, None): "bad", (None, "verse"): "good", ("prompt", None): "bad", ("prompt", "verse"): "good",
        ("text", "verse"): "good",
    }  # fmt: skip
    assert found["prompt", None]["prompt"] == found["prompt", "verse"]["prompt"] == first["prompt"]
    assert found["text", "verse"]["prompt"] == ""


def test_settings_that_do_not_exist_are_refused_by_name():
    source = lines("rows.jsonl", PAIRS)
    with pytest.raises(UnknownNameError, match=r"no column of rows\.jsonl is called 'completions'"):
        load_texts(Texts(source=source, completion="completions"))
    with pytest.raises(
        UnknownNameError, match=r"no choice for texts\.layout is called 'prose'.*prompt, text"
    ):
        parse(Texts, {"source": source, "layout": "prose"}, "texts")


def test_prompts_of_a_file_are_worded_and_answered_as_the_texts_are():
    row = {"instruction": "good film", "prompt": "bad", "completion": "dull", "verse": "plot"}
    path, tokenizer = Path(lines("asked.jsonl", [row])), tiny_language_tokenizer()
    (one,) = prompts_in_file(path, Texts(layout="prompt", completion="verse"), tokenizer)
    assert (tokenizer.decode(one.ids), one.reference) == ("bad", "plot")
    (one,) = prompts_in_file(path, Texts(), tokenizer)
    assert "good film" in tokenizer.decode(one.ids)
    assert one.reference == "dull"
    (one,) = prompts_in_file(Path(lines("b.jsonl", [{"text": "bad"}])), Texts(completion="text"), tokenizer)
    assert one.reference == ""


@pytest.mark.parametrize(
    ("rows", "settings", "error", "message"),
    [
        ([{**row, "completion": ""} for row in PAIRS], {}, DataError, "set texts.completion to another column"),
        ([{"left": "a", "right": "b"}], {}, DataError, "Set texts.template and texts.completion"),
        ([{"text": "a"}] * 3, {"template": "{text}"}, ConfigError, "Leave texts.template out, or set texts.layout"),
        (PAIRS, {"separator": "%"}, ConfigError, "texts.separator applies only to text files"),
        (PAIRS, {"dev_rows": 12}, DataError, "Lower texts.dev_rows, or set texts.dev"),
    ],
)  # fmt: skip
def test_messages_name_settings_that_exist(rows, settings, error, message):
    with pytest.raises(error, match=message):
        load_texts(Texts(source=lines("rows.jsonl", rows), **settings))
    assert hasattr(Texts(), message.split("texts.")[1].split()[0].rstrip(","))


def test_messages_of_text_files_and_of_lengths_name_settings_too():
    Path("rows.txt").write_text("one\ntwo\n")
    with pytest.raises(DataError, match=r"no text in it ends with '%'\. Set texts\.separator to the string"):
        load_texts(Texts(source="rows.txt", separator="%"))
    with pytest.raises(ConfigError, match=r"texts\.separator is empty"):
        load_texts(Texts(source="rows.txt", separator=""))
    texts = Texts(source=lines("long.jsonl", [{**row, "prompt": "bad " * 9} for row in PAIRS]), max_length=4)
    with pytest.raises(DataError, match=r"Raise texts\.max_length"):
        encode_texts(
            load_texts(texts := Texts(**{**vars(texts), "dev_rows": 2})), tiny_language_tokenizer(), texts
        )
    with pytest.raises(DataError, match=r"Without network, set texts\.source to a folder"):
        load_texts(Texts(source="nobody/nothing"))


def test_training_rows_whose_question_stands_in_the_dev_file_are_dropped_and_counted(caplog):
    dev = lines("dev.jsonl", [{"prompt": f" {WORDS[n].upper()}!", "completion": "x"} for n in (5, 6, 7)])
    texts = Texts(source=lines("train.jsonl", PAIRS), dev=dev, dev_rows=2)
    with caplog.at_level(logging.INFO, "lmdistill"):
        found = load_texts(texts)
    assert found.train["prompt"][:] == WORDS[8:17]
    assert said(found, "3 of the 3 different questions of dev.jsonl occur in the training rows")
    assert said(found, "dropped 3 of 12 training rows with these questions")
    assert found.dev.num_rows == 2
    for part in ("dropped 3 of 12", "the first 2 of 3 dev rows (texts.dev_rows)"):
        assert said(found, part)
        assert part in caplog.text


def test_only_who_trains_minds_that_all_rows_stand_in_the_dev_file():
    texts = Texts(source=lines("train.jsonl", PAIRS), dev="train.jsonl", rows=3)
    with pytest.raises(DataError, match=r"all 12 training rows also occur in train\.jsonl"):
        load_texts(texts)
    assert load_dev(texts).dev.num_rows == 12


@pytest.mark.parametrize("dev", ["held out", "folder", "file"])
def test_plain_texts_that_are_also_dev_rows_are_not_learned(dev):
    words = [*WORDS[5:15], *WORDS[5:15], "?!"]
    folder = Path("rows")
    folder.mkdir()
    (folder / "train.txt").write_text("\n".join(words))
    (folder / "dev.txt").write_text(f"{WORDS[5]}\n{WORDS[6]}\n?!\nnobody")
    texts = {
        "held out": Texts(source="rows/train.txt", dev_rows=4),
        "folder": Texts(source="rows"),
        "file": Texts(source="rows/train.txt", dev="rows/dev.txt"),
    }[dev]
    found = load_texts(texts)
    assert not {*found.train["completion"]} & {*found.dev["completion"]}
    assert found.train.num_rows > 5
    assert said(found, "that also occur in the dev rows")


def test_prompts_may_share_their_answers_with_dev_rows():
    rows = [{**row, "completion": "same"} for row in PAIRS]
    assert load_texts(Texts(source=lines("rows.jsonl", rows), dev_rows=3)).train.num_rows == 9


def test_a_separator_is_for_the_text_files_among_source_and_dev():
    Path("rows.txt").write_text("one%two%three%")
    dev = lines("dev.jsonl", [{"text": "four"}])
    found = load_texts(Texts(source="rows.txt", dev=dev, separator="%"))
    assert found.train["completion"][:] == ["one", "two", "three"]
    assert found.dev["completion"][:] == ["four"]


CHAT_TEMPLATE = "{% for m in messages %}{{ m.role }} {{ m.content }} {% endfor %}"


@pytest.mark.parametrize(("share", "held"), [(0.25, 3), (0.01, 1), (0.5, 6), (4, 4), (4.0, 4)])
def test_dev_rows_may_be_a_share_of_the_training_rows(share, held):
    source = lines("rows.jsonl", PAIRS)
    for texts in (
        Texts(source=source, dev_rows=share),
        recipe_of({"texts": {"source": source, "dev_rows": share}}).texts,
    ):
        assert load_texts(texts).dev.num_rows == held
        assert load_texts(texts).train.num_rows == 12 - held


def test_a_share_leaves_dev_rows_of_a_file_as_they_are():
    source, dev = lines("train.jsonl", PAIRS[:6]), lines("dev.jsonl", PAIRS[6:])
    assert load_texts(Texts(source=source, dev=dev, dev_rows=0.5)).dev.num_rows == 6


@pytest.mark.parametrize("rows", [0, -1, 0.0, 1.5, -0.5, float("nan"), float("inf")])
def test_dev_rows_out_of_range_are_refused(rows):
    with pytest.raises(ConfigError, match=r"dev_rows must be >= 1, or a share in \(0, 1\), got"):
        Texts(dev_rows=rows)


def test_a_recipe_holds_the_text_of_its_chat_template_and_tokenizers_get_it():
    Path("chat.jinja").write_text(CHAT_TEMPLATE)
    for given in ("chat.jinja", CHAT_TEMPLATE):
        recipe = recipe_of({"texts": {"source": "x", "template": given}})
        assert recipe.texts.template == CHAT_TEMPLATE
        assert CHAT_TEMPLATE in recipe_text(recipe)
    rows = [{"messages": [{"role": "user", "content": "bad"}, {"role": "assistant", "content": "good"}]}] * 4
    texts = Texts(source=lines("rows.jsonl", rows), template="chat.jinja", dev_rows=1, max_length=16)
    tokenizer = tiny_language_tokenizer()
    found = load_texts(texts)
    encoded = encode_texts(found, tokenizer, texts)
    assert tokenizer.chat_template == CHAT_TEMPLATE
    assert tokenizer.decode(encoded.train.rows[0]["input_ids"]).split()[-2:] == ["good", "</s>"]
    with pytest.raises(ConfigError, match=r"texts.*none\.jinja"):
        recipe_of({"texts": {"template": "none.jinja"}})
