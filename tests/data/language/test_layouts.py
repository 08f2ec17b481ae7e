"""Known layouts are read whole, what is not read is said, and nothing but text becomes text."""

import json
from pathlib import Path

import pytest
from datasets import Dataset

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.data.language.chat_messages import Chat
from lmdistill.data.language.contamination import questions_in_file
from lmdistill.data.language.conversations import load_conversations
from lmdistill.data.language.prompts import open_prompts, prompt_chat_columns

pytestmark = pytest.mark.usefixtures("cache")

TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
CALLS = [{"type": "function", "function": {"name": "weather", "arguments": {"town": "A"}}}]
ASKED, SAID = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}


def written(folder: Path, *rows: dict, name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def loaded(folder: Path, row: dict, **settings):
    """The first row as an example, and the notes; a second row is there to be held out."""
    found = load_conversations(written(folder, row, row), dev=1, **settings)
    return found.train[0], " | ".join(found.notes)


def chat_of(example) -> Chat:
    return Chat.from_json(example["messages"])


def test_the_passage_that_an_instruction_is_about_is_in_its_prompt(tmp_path):
    row = {"instruction": "Who?", "context": "A fox ran.", "response": "A fox.", "category": "qa"}
    example, notes = loaded(tmp_path, row)
    assert example["prompt"] == "Human:\nWho? A fox ran.\n\nAssistant:\n"
    assert "columns that are not used: category" in notes
    assert "context" not in notes.partition("not used")[2]


def test_system_and_history_come_before_an_instruction(tmp_path):
    row = {
        "system": "Be kind.",
        "history": [["Hello", "Hi!"]],
        "instruction": "Go.",
        "input": "",
        "output": "x",
    }
    example, notes = loaded(tmp_path, row)
    assert example["prompt"] == (
        "Be kind.\n\nHuman:\nHello \n\nAssistant:\nHi!\n\nHuman:\nGo. \n\nAssistant:\n"
    )
    assert "after system and history" in notes
    assert "not used" not in notes
    assert loaded(tmp_path, row | {"system": None, "history": []})[0]["prompt"].startswith("Human:\nGo.")
    assert "columns that are not used: system, history" in loaded(tmp_path, row, template="{instruction}")[1]


@pytest.mark.parametrize("history", ["Hello", [["Hello"]], [["Hello", None]], [1], {"a": "b"}])
def test_a_history_that_is_none_is_refused_with_its_place(tmp_path, history):
    row = {"history": history, "instruction": "Go.", "output": "x"}
    with pytest.raises(DataError, match="line 1: 'history' must be a list of pairs"):
        loaded(tmp_path, row)


def test_a_chat_keeps_its_tools_and_a_call_needs_no_content(tmp_path):
    called = {"role": "assistant", "content": None, "tool_calls": CALLS}
    row = {"messages": [ASKED, called, {"role": "tool", "content": "20"}, SAID], "tools": TOOLS}
    example, notes = loaded(tmp_path, row)
    assert chat_of(example) == Chat(messages=row["messages"], tools=TOOLS)
    assert "not used" not in notes
    assert chat_of(loaded(tmp_path, row | {"tools": json.dumps(TOOLS)})[0]).tools == TOOLS
    last = loaded(tmp_path, {"messages": [ASKED, {"role": "assistant", "tool_calls": CALLS}]})[0]
    assert json.loads(last["completion"]) == CALLS
    for tools in ("[", [1], {"a": 1}, "x"):
        with pytest.raises(DataError, match="line 1: 'tools'"):
            loaded(tmp_path, row | {"tools": tools})


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_prompt_and_a_completion_of_messages_are_a_chat(tmp_path, kind):
    row = {"prompt": [ASKED], "completion": [SAID]}
    path = written(tmp_path, row, row)
    if kind == "parquet":
        path = tmp_path / "rows.parquet"
        Dataset.from_list([row, row]).to_parquet(path)
    found = load_conversations(path, dev=1)
    assert found.layout == "messages"
    assert chat_of(found.train[0]).messages == [ASKED, SAID]
    assert (found.train[0]["question"], found.train[0]["completion"]) == ("q", "a")


@pytest.mark.parametrize("names", [("human", "gpt"), ("user", "assistant"), ("human", "chatgpt")])
def test_who_speaks_may_be_said_as_sharegpt_says_it(tmp_path, names):
    talk = [{"from": names[0], "value": "q"}, {"from": names[1], "value": "a"}]
    for column in ("conversations", "conversation", "messages"):
        example, _ = loaded(tmp_path, {column: talk, "system": "Be kind."})
        assert chat_of(example).messages == [{"role": "system", "content": "Be kind."}, ASKED, SAID]
    with pytest.raises(DataError, match="message 1: the role 'narrator' is unknown"):
        loaded(tmp_path, {"conversations": [{"from": "narrator", "value": "x"}, *talk]})


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "q", "chosen": "a", "rejected": "b"},
        {"prompt": [ASKED], "chosen": [SAID], "rejected": [SAID]},
        {"chosen": [ASKED, SAID], "rejected": [ASKED, SAID]},
    ],
)
def test_of_a_pair_of_answers_the_chosen_one_is_learned_and_that_is_said(tmp_path, row):
    example, notes = loaded(tmp_path, row)
    assert (example["question"], example["completion"]) == ("q", "a")
    assert "not used: rejected; of each pair of answers the chosen one is learned" in notes


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (["a"], "a list"),
        ({"text": "a"}, "an object with the keys text"),
        (5, "the number 5"),
        (True, "the value true"),
    ],
)
@pytest.mark.parametrize(
    ("row", "column"),
    [
        ({"prompt": "q", "completion": "a"}, "completion"),
        ({"prompt": "q", "completion": "a"}, "prompt"),
        ({"instruction": "q", "input": "i", "output": "a"}, "input"),
        ({"text": "a"}, "text"),
        ({"messages": [ASKED, SAID], "system": "s"}, "system"),
    ],
)
def test_what_is_no_text_never_becomes_text_by_itself(tmp_path, row, column, value, said):
    path = written(tmp_path, row, row, row | {column: value})
    with pytest.raises(DataError, match=f"line 3: '{column}' holds {said} where text is needed"):
        load_conversations(path, dev=1)


@pytest.mark.parametrize(
    "row",
    [
        {"text": "a\ud83d"},
        {"messages": [ASKED, {**SAID, "content": "\ud83d"}]},
        {"prompt": "\ud83d", "answer": "a"},
    ],
)
def test_half_a_character_is_refused_with_its_place(tmp_path, row):
    with pytest.raises(DataError, match=r"line 1.*(half of a character|\\ud83d)"):
        load_conversations(written(tmp_path, row, row), dev=1)


def test_a_file_without_rows_is_refused(tmp_path):
    path = tmp_path / "rows.parquet"
    Dataset.from_dict({"prompt": ["a"], "completion": ["b"]}).select([]).to_parquet(path)
    with pytest.raises(DataError, match="no rows"):
        load_conversations(path)


def test_many_unused_columns_are_named_briefly(tmp_path):
    row = {"prompt": "q", "completion": "a", **{f"c{n}": 1 for n in range(12)}}
    assert "columns that are not used: c0, c1, c2, c3, c4, c5, c6, c7 and 4 more" in loaded(tmp_path, row)[1]


def test_evaluation_files_and_prompts_are_read_in_the_same_layouts(tmp_path):
    for row in (
        {"messages": [ASKED, SAID]},
        {"conversations": [{"from": "human", "value": "Q!"}, {"from": "gpt", "value": "a"}]},
        {"prompt": [ASKED]},
    ):
        path = written(tmp_path, row)
        assert questions_in_file(path) == {"q"}
        assert prompt_chat_columns(open_prompts(path)) == (next(iter(row)),)
    assert prompt_chat_columns(open_prompts(written(tmp_path, {"prompt": "q"}))) == ()


def test_a_chat_template_is_for_chats_and_a_template_of_fields_for_other_rows(tmp_path):
    jinja = "{% for m in messages %}{{ m.content }}{% endfor %}"
    assert loaded(tmp_path, {"messages": [ASKED, SAID]}, template=jinja)[0]["completion"] == "a"
    with pytest.raises(ConfigError, match="takes no chat template"):
        loaded(tmp_path, {"prompt": "q", "completion": "a"}, template=jinja)
    with pytest.raises(ConfigError, match="takes no template of the prompt"):
        loaded(tmp_path, {"messages": [ASKED, SAID]}, layout="messages", template="{messages}")
