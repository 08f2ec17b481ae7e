"""Layouts and templates."""

import pytest

from lmdistill.core.errors import ConfigError, DataError, UnknownNameError
from lmdistill.data.files.table import Row, Rows
from lmdistill.data.language.infer_format import infer_format
from lmdistill.data.language.instruction_format import ALPACA
from lmdistill.data.language.prompt_template import fill_template, parse_template


def _rows(*columns: str) -> Rows:
    return Rows(name="file", fieldnames=columns, key="k", read=lambda: iter(()))


def _example(columns, fields, **options):
    return infer_format(_rows(*columns), **options)[0].example(Row(1, fields), "file, line 1")


@pytest.mark.parametrize(
    ("columns", "layout", "completion", "question"),
    [
        (("prompt", "completion"), "prompt", "completion", "prompt"),
        (("id", "prompt", "response"), "prompt", "response", "prompt"),
        (("question", "answer"), "prompt", "answer", "question"),
        (("instruction", "input", "output"), "instruction", "output", "instruction"),
        (("instruction", "response"), "instruction", "response", "instruction"),
        (("instruction", "prompt", "output"), "instruction", "output", "instruction"),
        (("messages", "prompt", "completion"), "messages", "messages", "messages"),
        (("text",), "text", "text", "text"),
        (("title", "story"), "text", "story", "story"),
    ],
)
def test_layouts_are_told_by_their_columns(columns, layout, completion, question):
    form, notes = infer_format(_rows(*columns))
    assert (form.layout, form.completion, form.question) == (layout, completion, question)
    assert "(inferred)" in notes[0]


def test_the_default_wording_of_instructions_is_that_of_the_released_script():
    fields = {"instruction": "Add.", "input": "1 {x}", "output": "2"}
    example = _example(tuple(fields), fields)
    assert example["prompt"] == ALPACA.format(**fields) == "Human:\nAdd. 1 {x}\n\nAssistant:\n"
    assert (example["completion"], example["question"], example["messages"]) == ("2", "Add.", "")
    without = _example(("instruction", "output"), {"instruction": "Add.", "output": "2"})
    assert without["prompt"] == "Human:\nAdd. \n\nAssistant:\n"


def test_a_template_words_the_prompt_from_any_columns():
    example = _example(
        ("topic", "verse"),
        {"topic": "sea", "verse": "blue"},
        template="On {topic} ({{}}): ",
        completion="verse",
    )
    assert (example["prompt"], example["completion"], example["question"]) == ("On sea ({}): ", "blue", "sea")


def test_text_can_be_in_any_column_that_is_named():
    assert _example(("a", "b"), {"a": "x", "b": "y"}, layout="text", completion="b")["completion"] == "y"


def test_filling_is_formatting():
    fields = {"a": "x{b}", "b": "y"}
    for template in ("{a}-{b}", "{{{a}}}", "none", "{b}{b} "):
        assert fill_template(parse_template(template, ["a", "b"]), fields) == template.format(**fields)


def test_templates_that_cannot_be_filled_are_refused():
    with pytest.raises(UnknownNameError, match=r"'inst'.*Did you mean 'instr'"):
        parse_template("{inst}", ["instr", "output"])
    with pytest.raises(UnknownNameError, match=r"'a\.b'"):
        parse_template("{a.b}", ["a"])
    for template in ("{a", "a}", "{a!r}", "{a:>3}"):
        with pytest.raises(ConfigError, match="template"):
            parse_template(template, ["a"])


@pytest.mark.parametrize(
    ("columns", "options", "error", "said"),
    [
        (("a", "b"), {}, DataError, r"the columns \(a, b\) do not match messages"),
        (("prompt", "a"), {}, DataError, "do not match"),
        (("text",), {"layout": "messages"}, DataError, "do not match the layout 'messages'"),
        (("text",), {"layout": "instruction"}, DataError, "do not match the layout 'instruction'"),
        (("text",), {"layout": "prose"}, UnknownNameError, "layout is called 'prose'"),
        (("text", "prompt"), {"completion": "txt"}, UnknownNameError, "Did you mean 'text'"),
        (("text",), {"template": "{text}"}, ConfigError, "which takes no template of the prompt"),
        (
            ("messages",),
            {"layout": "messages", "template": "x"},
            ConfigError,
            "which takes no template of the prompt",
        ),
    ],
)
def test_what_fits_no_layout_is_refused(columns, options, error, said):
    with pytest.raises(error, match=said):
        infer_format(_rows(*columns), **options)


def test_a_row_without_a_column_is_refused_with_its_place():
    with pytest.raises(DataError, match="file, line 1: the row has no 'completion'; it has: prompt"):
        _example(("prompt", "completion"), {"prompt": "a"})
