"""Chats: what is refused, and where the answer begins."""

import json

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.data.language.chat_messages import last_user_message, parse_messages
from lmdistill.data.language.chat_template import render_chat, use_template, without_end
from lmdistill.data.language.prompt_template import read_template

USER, ANSWER = {"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello you"}
TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}<end>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def _tokenizer(template: str | None = TEMPLATE) -> PreTrainedTokenizerFast:
    inner = Tokenizer(models.WordLevel({"<unk>": 0, "<end>": 1, "hi": 2}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    made = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<end>", unk_token="<unk>")
    made.chat_template = template
    return made


def test_messages_end_with_the_last_answer_whether_list_or_json():
    chat = [USER, ANSWER, USER, {**ANSWER, "tool_calls": None}, USER]
    assert parse_messages(chat, "a") == parse_messages(json.dumps(chat), "a") == [USER, ANSWER, USER, ANSWER]
    assert parse_messages(chat, "a", answered=False)[-1] == USER
    assert parse_messages([USER], "a", answered=False) == [USER]


def test_a_list_of_texts_is_read_as_the_texts_joined():
    parts = [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo you", "image_url": None}]
    chat = [{**USER, "content": [{"type": "text", "text": "hi"}]}, {**ANSWER, "content": parts}]
    assert parse_messages(chat, "a") == parse_messages(json.dumps(chat), "a") == [USER, ANSWER]
    assert chat[1]["content"] == parts


def test_the_question_is_what_the_user_asked_last():
    assert last_user_message([USER, ANSWER, {**USER, "content": "why"}, ANSWER]) == "why"
    assert last_user_message([ANSWER]) == ""


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([{"role": "bot", "content": "a"}], r"message 1: the role 'bot' is unknown; known: .*assistant"),
        ([USER], "no message has the role 'assistant' .roles: user"),
        ([ANSWER], "there is no message before the answer"),
        ([], "must be a list"),
        ("[", "is not JSON"),
        ({"role": "user"}, "must be a list"),
        (["hi"], "message 1: a message needs a role and a content"),
        ([USER, {"role": "assistant"}], "message 2: a message needs a role and a content"),
        ([USER, {"role": "assistant", "content": None}], "message 2: the content is NoneType"),
        ([USER, {"role": "assistant", "content": []}], "message 2: the content is list where text"),
        ([{**USER, "content": {"type": "text", "text": "a"}}], "message 1: the content is dict where text"),
        ([{**USER, "content": [{"type": "text"}]}], "message 1: the content is dict where text"),
        ([{**USER, "content": ["a"]}], "message 1: the content is str where text"),
        (
            [{**USER, "content": [{"type": "audio", "text": "a"}]}],
            "message 1: the content is 'audio' where text",
        ),
        (
            [{**USER, "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": "b"}]}],
            "message 1: the content is 'image_url' where text is needed",
        ),
    ],
)
def test_what_is_no_chat_is_refused_with_its_place(value, said):
    with pytest.raises(DataError, match=f"file, line 3.*{said}"):
        parse_messages(value, "file, line 3")


def test_prompt_and_completion_are_what_the_template_writes_without_its_end():
    prompt, completion = render_chat([USER, ANSWER, USER, ANSWER], _tokenizer())
    assert prompt == "<user>hi<end>\n<assistant>hello you<end>\n<user>hi<end>\n<assistant>"
    assert completion == "hello you"
    whole = _tokenizer().apply_chat_template([USER, ANSWER, USER, ANSWER], tokenize=False)
    assert prompt + completion + "<end>\n" == whole


def test_a_template_that_writes_no_end_keeps_its_completion():
    template = TEMPLATE.replace("<end>", "")
    assert render_chat([USER, ANSWER], _tokenizer(template)) == ("<user>hi\n<assistant>", "hello you\n")


def test_templates_that_are_missing_or_refuse_or_differ_are_named():
    with pytest.raises(DataError, match="no chat template"):
        render_chat([USER, ANSWER], _tokenizer(None))
    with pytest.raises(DataError, match=r"rejects the messages .*must alternate"):
        render_chat([USER, ANSWER], _tokenizer("{{ raise_exception('roles must alternate') }}"))
    odd = TEMPLATE.replace("<assistant>{% endif", "<think>{% endif")
    with pytest.raises(DataError, match="not clear where the answer begins"):
        render_chat([USER, ANSWER], _tokenizer(odd))


@pytest.mark.parametrize(
    "template",
    [
        TEMPLATE.replace("{{ m.content }}", "{% set content = '' %}{{ content }}"),
        TEMPLATE.replace("{% for m", "{% set ns = namespace(content='x') %}{% for m").replace(
            "m.content", "ns.content"
        ),
        "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}",
    ],
)
def test_a_template_that_loses_the_answer_is_refused_with_its_row(template):
    with pytest.raises(DataError, match=r"row 7: the chat template loses the answer.*Set texts\.template"):
        render_chat([USER, ANSWER], _tokenizer(template), location="row 7")


@pytest.mark.parametrize(
    "answer", ["hello you", " hello\n you ", "<think>\nwell\n</think>\n\nhello", '"yes" <b>', "!?", "42"]
)
@pytest.mark.parametrize("change", ["", "|trim", "|tojson", "|upper|lower", ".split('</think>')[-1]"])
def test_a_template_may_trim_and_escape_an_answer_or_leave_out_thoughts(answer, change):
    template = TEMPLATE.replace("m.content", f"m.content{change}")
    render_chat([USER, {**ANSWER, "content": answer.lower()}], _tokenizer(template))


def test_a_template_sees_tools_and_a_call_without_content_is_an_answer():
    tools = [{"type": "function", "function": {"name": "weather"}}]
    calls = {"role": "assistant", "content": None, "tool_calls": tools}
    template = "{% if tools %}[{{ tools[0].function.name }}]{% endif %}" + TEMPLATE.replace(
        "{{ m.content }}", "{{ m.tool_calls[0].function.name if m.tool_calls else m.content }}"
    )
    prompt, completion = render_chat([USER, calls], _tokenizer(template), tools=tools)
    assert (prompt, completion) == ("[weather]<user>hi<end>\n<assistant>", "weather")
    assert not render_chat([USER, calls], _tokenizer(template))[0].startswith("[")
    with pytest.raises(DataError, match="loses the answer"):
        render_chat([USER, calls], _tokenizer(template.replace("m.tool_calls[0].function.name", "''")))


def test_a_template_of_ones_own_replaces_that_of_the_tokenizer(tmp_path):
    (tmp_path / "chat.jinja").write_text(TEMPLATE)
    for given in (TEMPLATE, str(tmp_path / "chat.jinja")):
        tokenizer = _tokenizer(None)
        use_template(tokenizer, read_template(given))
        assert render_chat([USER, ANSWER], tokenizer)[1] == "hello you"
    tokenizer = _tokenizer()
    for given in (None, "{prompt}"):
        use_template(tokenizer, given)
        assert tokenizer.chat_template == TEMPLATE
    with pytest.raises(ConfigError, match=r"none\.jinja, which cannot be read.*Name a file"):
        read_template("none.jinja")


def test_an_end_token_that_is_written_out_is_taken_away_once():
    for text, kept in (
        ("a<end>", "a"),
        ("a <end>\n", "a "),
        ("a<end><end>", "a<end>"),
        ("<end>a", "<end>a"),
        ("", ""),
    ):
        assert without_end(text, _tokenizer()) == kept
