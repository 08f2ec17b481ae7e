"""Prompts and label words in tokens: the frame stays, words are whole, nothing is ambiguous."""

import pytest

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.labelling.label_prompt import CONTENT_FREE, LabelPrompt
from lmdistill.labelling.label_words import label_words
from lmdistill.labelling.prompt_template import prompt_template
from tests.tiny import WORDS
from tests.tiny_causal import tiny_language_tokenizer

TEMPLATE = "the film : {text} it was"
TOKENS = tiny_language_tokenizer([*WORDS, ":", "N/A", "[MASK]", "User", "Bot", "Review", "Label"])


def made(template=TEMPLATE, *, labels=("good", "bad"), words=None, columns=("text",), **settings):
    chosen = label_words(labels, words)
    given = {"tokenizer": TOKENS, "chat": False, "max_length": 8, "longest": 20} | settings
    return LabelPrompt(template=prompt_template(template, columns, chosen), words=chosen, **given)


def said(ids):
    return TOKENS.decode(ids)


def test_a_question_is_the_filled_prompt_and_the_words_behind_it():
    question, cut = made().question(["bright plot"])
    assert said(question.prompt) == "the film : bright plot it was"
    assert [said(answer) for answer in question.answers] == ["good", "bad"]
    assert not cut
    begins = tiny_language_tokenizer()
    begins.add_bos_token = True


def test_words_are_scored_whole_even_if_they_begin_alike():
    prompt = made(words={"good": "very good", "bad": "very bad"})
    assert [said(answer) for answer in prompt.question(["plot"])[0].answers] == ["very good", "very bad"]
    prompt = made(words={"good": "good", "bad": "good film"})  # one begins the other
    assert [len(answer) for answer in prompt.question(["plot"])[0].answers] == [1, 2]


@pytest.mark.parametrize("count", [8, 9, 40])
def test_a_long_text_is_cut_at_its_end_and_the_frame_stays(count):
    text = " ".join(WORDS[number % 20] for number in range(count))
    question, cut = made().question([text])
    shown = said(question.prompt)
    assert shown == f"the film : {' '.join(text.split()[:8])} it was"
    assert cut == (count > 8)


def test_a_text_is_cut_to_what_the_model_can_read():
    prompt = made(longest=10, max_length=100)
    question, cut = prompt.question([" ".join(WORDS)])
    assert len(question.prompt) + max(map(len, question.answers)) - 1 <= 10
    assert (said(question.prompt).endswith(" it was"), cut) == (True, True)


def test_the_longer_text_of_a_pair_is_cut():
    prompt = made("{a} : {b} it was", columns=("a", "b"), max_length=6)
    question, cut = prompt.question(["good bad", "very very very very very plot"])
    assert said(question.prompt) == "good bad : very very very very it was"
    assert cut


def test_content_free_prompts_have_the_same_frame():
    assert [said(question.prompt) for question in made().content_free] == [
        " ".join(f"the film : {text} it was".split()) for text in CONTENT_FREE
    ]


def test_spaces_at_the_end_of_a_prompt_belong_to_the_word():
    assert made(TEMPLATE + " ").question(["plot"]) == made().question(["plot"])


def chat_tokenizer(template):
    tokenizer = tiny_language_tokenizer([*WORDS, "User", "Bot", ":"])
    tokenizer.chat_template = template
    return tokenizer


def test_a_chat_model_is_asked_through_its_template():
    tokenizer = chat_tokenizer(
        "User {{ messages[0]['content'] }} {% if add_generation_prompt %}Bot {% endif %}"
    )
    prompt = made(tokenizer=tokenizer, chat=True)
    assert tokenizer.decode(prompt.question(["plot"])[0].prompt) == "User the film : plot it was Bot"


def test_a_chat_template_that_refuses_is_said_in_one_line():
    tokenizer = chat_tokenizer("{{ raise_exception('no users here') }}")
    with pytest.raises(DataError, match=r"no users here.*Set teacher\.scoring\.chat_template to false"):
        made(tokenizer=tokenizer, chat=True).question(["plot"])
    made(tokenizer=tokenizer).question(["plot"])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"words": {"good": "xyz", "bad": "zyx"}}, r"'xyz' and 'zyx' are the same tokens to the model"),
        ({"words": {"good": "Bad"}}, r"the words of labels 'Bad' and 'bad' are alike"),
        ({"longest": 6}, r"the prompt has 5 tokens without a text, and the model reads at most 6\. Shorten"),
    ],
)
def test_what_cannot_be_told_apart_or_read_is_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        made(**settings).question(["plot"])
