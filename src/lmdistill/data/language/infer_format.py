"""Inference of the layout of text data from the names of its columns and its first row."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from lmdistill.core.errors import ConfigError, DataError, UnknownNameError
from lmdistill.data.files.table import Rows
from lmdistill.data.language.chat_messages import SYSTEM, TOOLS, chat_columns
from lmdistill.data.language.instruction_format import (
    COMPLETIONS,
    ENDED,
    HISTORY,
    INPUTS,
    PROMPTS,
    TEXTS,
    ExampleFormat,
    Layout,
    has_turns,
    instruction_template,
)
from lmdistill.data.language.prompt_template import is_chat_template, parse_template

SHOWN = 8
"""Largest number of unused columns that a note names."""


def first_values(rows: Rows) -> Mapping[str, Any]:
    """The first row of a table by column; empty for a table without rows."""
    row = next(iter(rows.read()), None)
    return {} if row is None else row.fields if row.values is None else row.values


def infer_format(
    rows: Rows, *, layout: str | None = None, template: str | None = None, completion: str | None = None
) -> tuple[ExampleFormat, tuple[str, ...]]:
    """Choose how the rows of a table are converted; what is not given is inferred from columns and first row.

    The layout is inferred in this order: a column of `CHATS`, or a prompt and a completion that are lists of
    messages, mean chats; a completion (one of `COMPLETIONS`) and `instruction` mean instructions, formatted
    by `ALPACA` after their `system` and `history`; a completion and one of `PROMPTS` mean prompts, used
    unchanged; one of `TEXTS` means plain texts.

    Args:
        rows: The table.
        layout: A `Layout`; None infers it.
        template: Template of the prompt with {column} fields, or for chats a chat template; None uses that of
            the layout.
        completion: Column of the text that the loss covers; None uses the first of `COMPLETIONS` that exists,
            for plain texts the first of `TEXTS`.

    Returns:
        The format, and notes on what was inferred and on columns that are not used.

    Raises:
        DataError: The columns do not match any layout, or not the given one.
        ConfigError: The template does not fit the layout.
        UnknownNameError: The layout or the column does not exist.
    """
    columns = rows.fieldnames
    if layout is not None and layout not in get_args(Layout):
        raise UnknownNameError("layout", layout, get_args(Layout))
    if completion is not None and completion not in columns:
        raise UnknownNameError(f"column of {rows.name}", completion, columns)
    answer = completion or _first(columns, COMPLETIONS)
    parts = tuple(name for name in (_first(columns, PROMPTS), answer) if name)
    chat = chat_columns(columns, parts, first_values(rows))
    chosen = layout or _layout(columns, answer, template, chat)
    _require_template_fits(rows, chosen, template)
    if chosen == "text" and completion is not None:
        form: ExampleFormat | None = ExampleFormat(layout="text", completion=completion, question=completion)
    else:
        form = _format_of(chosen, columns, answer, template, chat) if chosen else None
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
    return form, _notes(form, columns, is_inferred=layout is None or completion is None)


def _require_template_fits(rows: Rows, chosen: str | None, template: str | None) -> None:
    """Check that chats have a chat template, plain texts none, and other rows one of the prompt."""
    if template is None or chosen is None:
        return
    if is_chat_template(template) != (chosen == "messages"):
        kind = "chat template" if is_chat_template(template) else "template of the prompt"
        raise ConfigError(
            f"{rows.name}: the layout is {chosen} (columns: {', '.join(rows.fieldnames)}), which takes no "
            f"{kind}. Leave texts.template out, or set texts.layout and texts.completion."
        )
    if chosen == "text":
        raise ConfigError(
            f"{rows.name}: the layout is text (columns: {', '.join(rows.fieldnames)}), which takes no "
            "template of the prompt. Leave texts.template out, or set texts.layout and texts.completion."
        )


def _first(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The first of `names` that is a column."""
    return next((name for name in names if name in columns), None)


def _layout(
    columns: Sequence[str], answer: str | None, template: str | None, chat: Sequence[str]
) -> Layout | None:
    """The layout that the columns match, or None."""
    if chat and (template is None or is_chat_template(template)):
        return "messages"
    if answer is not None and "instruction" in columns:
        return "instruction"
    if answer is not None and (template is not None or _first(columns, PROMPTS)):
        return "prompt"
    return "text" if _first(columns, TEXTS) else None


def _format_of(
    layout: str, columns: Sequence[str], answer: str | None, template: str | None, chat: tuple[str, ...]
) -> ExampleFormat | None:
    """The format for a layout, or None if the columns do not match it."""
    if layout == "messages":
        return (
            ExampleFormat(layout="messages", completion=chat[-1], question=chat[0], chat=chat)
            if chat
            else None
        )
    if layout == "text":
        column = _first(columns, TEXTS)
        return None if column is None else ExampleFormat(layout="text", completion=column, question=column)
    if answer is None:
        return None
    if layout == "instruction":
        if "instruction" not in columns:
            return None
        return ExampleFormat(
            layout="instruction",
            pieces=parse_template(template or instruction_template(columns), (*columns, INPUTS[0])),
            completion=answer,
            question="instruction",
            optional=INPUTS,
            turns=template is None and has_turns(columns),
        )
    prompt = _first(columns, PROMPTS)
    if template is None and prompt is None:
        return None
    pieces = parse_template(template or f"{{{prompt}}}", columns)
    template_column = next((name for _, name in pieces if name), None)
    question = _first(columns, ("instruction", *PROMPTS)) or template_column or answer
    return ExampleFormat(layout="prompt", pieces=pieces, completion=answer, question=question)


def _notes(form: ExampleFormat, columns: Sequence[str], *, is_inferred: bool) -> tuple[str, ...]:
    """Notes that describe a format, and name the columns that it does not use."""
    origin = " (inferred)" if is_inferred else ""
    template = "".join(text + (f"{{{name}}}" if name else "") for text, name in form.pieces)
    before = " and ".join(name for name in (SYSTEM, HISTORY) if name in columns)
    turns = f" after {before}" if form.turns else ""
    if form.layout == "messages":
        named = " and ".join(map(repr, form.chat))
        what = f"chats from {named}; the loss covers the last answer, the rest is its prompt"
    elif form.layout == "text":
        what = f"texts from {form.completion!r}; the loss covers the whole text"
    else:
        what = f"prompt {template!r}{turns}, completion from {form.completion!r}"
    used = {form.completion, *(name for _, name in form.pieces), *form.chat}
    used |= {ENDED} if form.ended else set()
    used |= {SYSTEM, TOOLS} if form.layout == "messages" else {SYSTEM, HISTORY} if form.turns else set()
    return (f"{what}{origin}", *_unused_note([name for name in columns if name not in used], form))


def _unused_note(unused: Sequence[str], form: ExampleFormat) -> tuple[str, ...]:
    """A note on columns that are not used; none if all are."""
    if not unused:
        return ()
    more = f" and {len(unused) - SHOWN} more" if len(unused) > SHOWN else ""
    pair = "; of each pair of answers the chosen one is learned" if "rejected" in unused else ""
    pair = pair if form.completion == "chosen" else ""
    return (f"columns that are not used: {', '.join(unused[:SHOWN])}{more}{pair}",)
