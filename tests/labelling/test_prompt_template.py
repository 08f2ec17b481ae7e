import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.errors import ConfigError, DataError, UnknownNameError
from lmdistill.labelling.label_words import label_words
from lmdistill.labelling.prompt_template import prompt_template, read_prompt

WORDS = label_words(["pos", "neg"], {"neg": "bad"})


@given(st.text(), st.text())
def test_braces_and_everything_else_in_texts_stay_as_they_are(first, second):
    single = prompt_template(None, ["review"], WORDS).fill([first])
    assert f"Text: {first}\nLabel:" in single
    pair = prompt_template("{a}|{b}|{{x}}", ["a", "b"], WORDS).fill([first, second])
    assert pair == f"{first}|{second}|{{x}}"


def test_labels_are_the_words_that_the_teacher_writes():
    assert "pos, bad?" in prompt_template(None, ["t"], WORDS).fill(["x"])


def test_a_single_text_goes_by_two_names():
    for template in ("{text}", "{review}", "{review}{text}"):
        assert "x" in prompt_template(template, ["review"], WORDS).fill(["x"])


def test_columns_with_odd_names_have_a_default_prompt():
    assert "a{b: x\n" in prompt_template(None, ["a{b", "c.d"], WORDS).fill(["x", "y"])


@pytest.mark.parametrize(
    ("template", "columns", "error", "match"),
    [
        ("{labels}", ["t"], ConfigError, r"^--prompt has no field \{t\}.* Write \{text\} where"),
        ("{a}", ["a", "b"], ConfigError, r"^--prompt has no field \{b\}.* Write \{a\} and \{b\} where"),
        ("{txet}", ["t"], UnknownNameError, r"no column is called 'txet'. Did you mean 'text'"),
        ("{text", ["t"], ConfigError, r"cannot be read"),
        ("{text!r}", ["t"], ConfigError, r"has a format for 'text'"),
    ],
)
def test_a_prompt_without_the_texts_is_refused(template, columns, error, match):
    with pytest.raises(error, match=match):
        prompt_template(template, columns, WORDS, place="--prompt")


def test_a_prompt_file_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "latin").write_bytes(b"caf\xe9 {text}")
    for name, match in (("none", "cannot be read"), ("empty", "is empty"), ("latin", "is not UTF-8")):
        with pytest.raises(DataError, match=match):
            read_prompt(tmp_path / name)
    assert read_prompt(None) is None
