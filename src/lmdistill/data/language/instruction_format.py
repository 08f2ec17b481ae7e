"""Layouts of text data: which columns form a prompt and its completion, and the template of the prompt."""

import json
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from lmdistill.core.errors import ConfigError, DataError, UnknownNameError
from lmdistill.core.fingerprint import fingerprint
from lmdistill.data.files.table import Row, Rows
from lmdistill.data.language.chat_template import last_user_message, parse_messages

Layout = Literal["messages", "instruction", "prompt", "text"]
"""Layouts: chats, instructions with input and output, prompts with completions, or plain texts."""

ALPACA = "Human:\n{instruction} {input}\n\nAssistant:\n"
"""The template for instructions in ATKD's released script."""

FORMAT = 1  # increase it when examples are formatted differently, so that older caches are not used

COMPLETIONS = ("completion", "response", "output", "answer")
"""Column names of completions, in order of preference."""

PROMPTS = ("prompt", "question")
"""Column names of prompts, in order of preference."""

TEXTS = ("text", "story", "sentence", "content", "document")
"""Column names of plain texts, in order of preference."""

ENDED = "ended"
"""Column of a generated file: false if the completion or last answer was cut before its end token."""


@dataclass(frozen=True, kw_only=True)
class ExampleFormat:
    """How a row is converted to an example."""

    layout: Layout
    """The layout of the rows."""

    pieces: tuple[tuple[str, str], ...] = ()
    """The template of the prompt: pairs of a text and the column that follows it ("" for none)."""

    completion: str
    """Column of the text that the loss covers; for chats the column of the messages."""

    question: str
    """Column that is compared with evaluation files to find contamination."""

    optional: tuple[str, ...] = ()
    """Columns that can be missing in a row; a missing one counts as empty."""

    ended: bool = False
    """Whether the column `ENDED` exists and says which completions were cut."""

    @property
    def key(self) -> str:
        """Fingerprint of all fields that change the examples."""
        more = [ENDED] if self.ended else []
        return fingerprint(
            FORMAT, self.layout, self.pieces, self.completion, self.question, list(self.optional), *more
        )

    def example(self, row: Row, location: str) -> dict[str, Any]:
        """Convert a row: its prompt, completion, question and messages (JSON; "" if the row is not a chat).

        If `ended` is set, also `unended`: whether the column `ENDED` is false.

        Args:
            row: The row.
            location: Location of the row, for error messages.

        Raises:
            DataError: A column is missing, or a chat cannot be used.
        """
        needed = {self.completion, self.question, *(name for _, name in self.pieces if name)}
        missing = sorted(needed - row.fields.keys() - set(self.optional))
        if missing:
            have = ", ".join(row.fields) or "none"
            raise DataError(
                f"{location}: the row has no {missing[0]!r}; it has: {have}. Correct or remove it."
            )
        cut = {"unended": row.fields.get(ENDED, "").lower() == "false"} if self.ended else {}
        if self.layout == "messages":
            value = (row.values or row.fields)[self.completion]
            messages = parse_messages(value, location)
            return {
                "prompt": "",
                "completion": messages[-1]["content"],
                "question": last_user_message(messages),
                "messages": json.dumps(messages, ensure_ascii=False),
                **cut,
            }
        return {
            "prompt": fill_template(self.pieces, row.fields),
            "completion": row.fields[self.completion],
            "question": row.fields[self.question],
            "messages": "",
            **cut,
        }


def parse_template(template: str, columns: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Split a template into pairs of a text and the column that follows it.

    Args:
        template: Text with {column} fields; {{ and }} are literal braces.
        columns: Column names of the table.

    Raises:
        UnknownNameError: A field is not a column.
        ConfigError: A brace is unmatched, or a field has a format.

    Examples:
        >>> parse_template("Q: {question} A:", ["question", "answer"])
        (('Q: ', 'question'), (' A:', ''))
    """
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ConfigError(
            f"the template {template!r} cannot be read ({error}). Write {{column}} for a column, "
            "and {{{{ or }}}} for a brace."
        ) from error
    for _, name, format_spec, conversion in parts:
        if name is not None and name not in columns:
            raise UnknownNameError("column", name, columns)
        if format_spec or conversion:
            raise ConfigError(
                f"the template {template!r} has a format for {name!r}. Write {{{name}}} without it."
            )
    return tuple((text, name or "") for text, name, _, _ in parts)


def fill_template(pieces: Sequence[tuple[str, str]], fields: Mapping[str, str]) -> str:
    """The prompt of one row; missing columns count as empty."""
    return "".join(text + (fields.get(name, "") if name else "") for text, name in pieces)


def infer_format(
    rows: Rows, *, layout: str | None = None, template: str | None = None, completion: str | None = None
) -> tuple[ExampleFormat, tuple[str, ...]]:
    """Choose how the rows of a table are converted; what is not given is inferred from the column names.

    The layout is inferred in this order: a column `messages` means chats; a completion (one of `COMPLETIONS`)
    and `instruction` mean instructions, formatted by `ALPACA`; a completion and one of `PROMPTS` mean
    prompts, used unchanged; one of `TEXTS` means plain texts.

    Args:
        rows: The table.
        layout: A `Layout`; None infers it.
        template: Template of the prompt with {column} fields; None uses that of the layout.
        completion: Column of the text that the loss covers; None uses the first of `COMPLETIONS` that exists,
            for plain texts the first of `TEXTS`.

    Returns:
        The format, and notes on what was inferred.

    Raises:
        DataError: The columns do not match any layout, or not the given one.
        ConfigError: There is a template, and the rows are chats or plain texts.
        UnknownNameError: The layout or the column does not exist.
    """
    columns = rows.fieldnames
    if layout is not None and layout not in get_args(Layout):
        raise UnknownNameError("layout", layout, get_args(Layout))
    if completion is not None and completion not in columns:
        raise UnknownNameError(f"column of {rows.name}", completion, columns)
    answer = completion or _first(columns, COMPLETIONS)
    chosen = layout or _layout(columns, answer, template)
    if template is not None and chosen in ("messages", "text"):
        raise ConfigError(
            f"{rows.name}: the layout is {chosen} (columns: {', '.join(columns)}), which takes no template "
            "of the prompt. Leave texts.template out, or set texts.layout and texts.completion."
        )
    if chosen == "text" and completion is not None:
        form: ExampleFormat | None = ExampleFormat(layout="text", completion=completion, question=completion)
    else:
        form = _format_of(chosen, columns, answer, template) if chosen else None
    if form is None:
        wanted = (
            f"the layout {layout!r}" if layout else "messages, instruction and output, prompt and completion"
        )
        raise DataError(
            f"{rows.name}: the columns ({', '.join(columns)}) do not match {wanted}"
            f"{'' if layout else ', or text'}. Set texts.template and texts.completion, or rename columns."
        )
    ended_applies = form.layout == "messages" or form.completion == COMPLETIONS[0]
    form = replace(form, ended=ended_applies and ENDED in columns)
    return form, _notes(form, is_inferred=layout is None or completion is None)


def _first(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The first of `names` that is a column."""
    return next((name for name in names if name in columns), None)


def _layout(columns: Sequence[str], answer: str | None, template: str | None) -> Layout | None:
    """The layout that the columns match, or None."""
    if "messages" in columns and template is None:
        return "messages"
    if answer is not None and "instruction" in columns:
        return "instruction"
    if answer is not None and (template is not None or _first(columns, PROMPTS)):
        return "prompt"
    return "text" if _first(columns, TEXTS) else None


def _format_of(
    layout: str, columns: Sequence[str], answer: str | None, template: str | None
) -> ExampleFormat | None:
    """The format for a layout, or None if the columns do not match it."""
    if layout in ("messages", "text"):
        column = _first(columns, TEXTS if layout == "text" else ("messages",))
        if column is None:
            return None
        return ExampleFormat(
            layout="text" if layout == "text" else "messages", completion=column, question=column
        )
    if answer is None:
        return None
    if layout == "instruction":
        if "instruction" not in columns:
            return None
        pieces = parse_template(template or ALPACA, (*columns, "input"))
        return ExampleFormat(
            layout="instruction",
            pieces=pieces,
            completion=answer,
            question="instruction",
            optional=("input",),
        )
    prompt = _first(columns, PROMPTS)
    if template is None and prompt is None:
        return None
    pieces = parse_template(template or f"{{{prompt}}}", columns)
    template_column = next((name for _, name in pieces if name), None)
    question = _first(columns, ("instruction", *PROMPTS)) or template_column or answer
    return ExampleFormat(layout="prompt", pieces=pieces, completion=answer, question=question)


def _notes(form: ExampleFormat, *, is_inferred: bool) -> tuple[str, ...]:
    """A note that describes a format."""
    origin = " (inferred)" if is_inferred else ""
    if form.layout == "messages":
        return (f"chats from 'messages'; the loss covers the last answer, the rest is its prompt{origin}",)
    if form.layout == "text":
        return (f"texts from {form.completion!r}; the loss covers the whole text{origin}",)
    template = "".join(text + (f"{{{name}}}" if name else "") for text, name in form.pieces)
    return (f"prompt {template!r}, completion from {form.completion!r}{origin}",)
