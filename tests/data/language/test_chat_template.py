"""Chats: what is refused, and where the answer begins."""

import json

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from lmdistill.core.errors import DataError
from lmdistill.data.language.chat_messages import last_user_message, parse_messages
from lmdistill.data.language.chat_template import render_chat

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
