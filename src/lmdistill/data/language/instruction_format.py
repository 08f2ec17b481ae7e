"""Instructions: which columns of a table make a prompt and its completion, and how the prompt is worded."""

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

ALPACA = "Human:\n{instruction} {input}\n\nAssistant:\n"
"""The template for instructions of ATKD's released script."""

FORMAT = 1  # count up when examples are made differently, so that no old cache is read

COMPLETIONS = ("completion", "response", "output", "answer")
PROMPTS = ("prompt", "question")
TEXTS = ("text", "story", "sentence", "content", "document")
ENDED = "ended"
"""Column that tells of `completion`, or of a last answer, whether its writer came to an end."""


@dataclass(frozen=True, kw_only=True)
class ExampleFormat:
    """How a row becomes an example."""

    layout: Layout
    """Chat messages; instruction, input and output; prompt and completion; or text alone."""

    pieces: tuple[tuple[str, str], ...] = ()
    """The prompt's template: texts, each followed by the column that comes next ("" for none)."""

    completion: str
    """Column of what is learned; for chats the messages."""

    question: str
    """Column by which a row is found in an evaluation file."""

    optional: tuple[str, ...] = ()
    """Columns that a row may lack; they are read as empty."""

    ended: bool = False
    """Whether the column `ENDED` tells which completions were cut before their end."""

    @property
    def key(self) -> str:
        """Fingerprint of everything that changes the examples."""
        more = [ENDED] if self.ended else []
        return fingerprint(
            FORMAT, self.layout, self.pieces, self.completion, self.question, list(self.optional), *more
        )

    def example(self, row: Row, place: str) -> dict[str, Any]:
        """Prompt, completion, question and messages (JSON; "" outside chats) of one row.

        With `ended` also `unended`: whether `ENDED` is false.

        Raises:
            DataError: A column is missing, or a chat cannot be used.
        """
        needed = {self.completion, self.question, *(name for _, name in self.pieces if name)}
        missing = sorted(needed - row.fields.keys() - set(self.optional))
        if missing:
            have = ", ".join(row.fields) or "none"
            raise DataError(f"{place}: the row has no {missing[0]!r}; it has: {have}. Mend or remove it.")
        cut = {"unended": row.fields.get(ENDED, "").lower() == "false"} if self.ended else {}
        if self.layout == "messages":
            value = (row.values or row.fields)[self.completion]
            messages = parse_messages(value, place)
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
    """A template cut into texts and the columns that follow them.

    Args:
        template: Text with {column} fields; {{ and }} are braces.
        columns: Those of the table.

    Raises:
        UnknownNameError: A field that is no column.
        ConfigError: A brace without its partner, or a field with a format.

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
    for _, name, form, conversion in parts:
        if name is not None and name not in columns:
            raise UnknownNameError("column", name, columns)
        if form or conversion:
            raise ConfigError(
                f"the template {template!r} gives {name!r} a format; write {{{name}}} and nothing else."
            )
    return tuple((text, name or "") for text, name, _, _ in parts)


def fill_template(pieces: Sequence[tuple[str, str]], fields: Mapping[str, str]) -> str:
    """The prompt of one row; a column that it lacks is read as empty."""
    return "".join(text + (fields.get(name, "") if name else "") for text, name in pieces)


def infer_format(
    rows: Rows, *, layout: str | None = None, template: str | None = None, completion: str | None = None
) -> tuple[ExampleFormat, tuple[str, ...]]:
    """How to read a table, inferred from its columns where the user does not say.

    A column `messages` makes chats; a completion (one of `COMPLETIONS`) beside `instruction` makes
    instructions, worded by `ALPACA`; a completion beside one of `PROMPTS` makes prompts, taken as they are;
    else one of `TEXTS` makes texts.

    Args:
        rows: The table.
        layout: A `Layout`; None infers it.
        template: Of the prompt, with {column} fields; None takes the layout's own.
        completion: Column of what is learned; None takes the first of `COMPLETIONS` that is there, or of
            `TEXTS` for texts.

    Returns:
        The form, and notes on what was inferred.

    Raises:
        DataError: The columns make none of the layouts, or not the one that was named.
        ConfigError: A template for chats or texts.
        UnknownNameError: No such layout or column.
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
            f"{rows.name}: a template words the prompt of a row, and its rows are {chosen} (columns: "
            f"{', '.join(columns)}). Leave texts.template out, or set "
            "texts.layout and texts.completion."
        )
    if chosen == "text" and completion is not None:
        form: ExampleFormat | None = ExampleFormat(layout="text", completion=completion, question=completion)
    else:
        form = _form(chosen, columns, answer, template) if chosen else None
    if form is None:
        wanted = (
            f"the layout {layout!r}" if layout else "messages, instruction and output, prompt and completion"
        )
        raise DataError(
            f"{rows.name}: the columns ({', '.join(columns)}) do not make {wanted}"
            f"{'' if layout else ', or text'}. Set texts.template and texts.completion, or rename columns."
        )
    own = form.layout == "messages" or form.completion == COMPLETIONS[0]
    form = replace(form, ended=own and ENDED in columns)
    return form, _notes(form, said=layout is not None and completion is not None)


def _first(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The first of `names` that is a column."""
    return next((name for name in names if name in columns), None)


def _layout(columns: Sequence[str], answer: str | None, template: str | None) -> Layout | None:
    """What the columns look like."""
    if "messages" in columns and template is None:
        return "messages"
    if answer is not None and "instruction" in columns:
        return "instruction"
    if answer is not None and (template is not None or _first(columns, PROMPTS)):
        return "prompt"
    return "text" if _first(columns, TEXTS) else None


def _form(
    layout: str, columns: Sequence[str], answer: str | None, template: str | None
) -> ExampleFormat | None:
    """The form of a layout, or None where the columns do not make it."""
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
    named = next((name for _, name in pieces if name), None)
    question = _first(columns, ("instruction", *PROMPTS)) or named or answer
    return ExampleFormat(layout="prompt", pieces=pieces, completion=answer, question=question)


def _notes(form: ExampleFormat, *, said: bool) -> tuple[str, ...]:
    """What to say of a form."""
    aloud = "" if said else " (inferred)"
    if form.layout == "messages":
        return (f"chats from 'messages'; the last answer is learned, all before it is its prompt{aloud}",)
    if form.layout == "text":
        return (f"texts from {form.completion!r}; all of a text is learned{aloud}",)
    template = "".join(text + (f"{{{name}}}" if name else "") for text, name in form.pieces)
    return (f"prompt {template!r}, completion from {form.completion!r}{aloud}",)
