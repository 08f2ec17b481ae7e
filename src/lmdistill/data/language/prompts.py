"""Prompts: rows of a file, as token ids that a language model completes."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.data.files import plain_text
from lmdistill.data.files.formats import open_rows, suffix_of
from lmdistill.data.files.table import Row, Rows
from lmdistill.data.language.chat_messages import Chat, chat_columns, read_chat
from lmdistill.data.language.chat_template import render_chat_prompt, require_template
from lmdistill.data.language.infer_format import first_values
from lmdistill.data.language.instruction_format import (
    INPUTS,
    PROMPTS,
    TEXTS,
    has_turns,
    instruction_template,
    prompt_text,
)
from lmdistill.data.language.prompt_template import parse_template
from lmdistill.data.language.special_tokens import bos_ids, with_begin


def open_prompts(path: Path) -> Rows:
    """The rows of a JSON, CSV, TSV or Parquet file, or the texts of a text file."""
    if suffix_of(path) in plain_text.SUFFIXES:
        return plain_text.text_file_rows(path)
    return open_rows(path, same_keys=False)


def prompt_ids(
    rows: Rows,
    tokenizer: PreTrainedTokenizerBase,
    *,
    template: str | None = None,
    setting: str = "--template",
) -> Iterator[tuple[Row, list[int]]]:
    """Yield each row with the token ids of its prompt.

    Args:
        rows: Chats in a column of `CHATS` or in a prompt that is a list of messages; instructions in
            `instruction` (formatted by `ALPACA` with their input, system message and history); or one of the
            columns `PROMPTS` or `TEXTS`, used unchanged. Answers are not needed.
        tokenizer: Tokenizer of the model.
        template: Template of the prompt with {column} fields; None chooses one by the columns.
        setting: Name of the option or recipe key of the template, for error messages.

    Raises:
        DataError: None of these columns exists, or a prompt is empty or not text.
        ConfigError: There is a template, and the rows are chats.
    """
    columns, chats = rows.fieldnames, prompt_chat_columns(rows)
    if chats and template is None:
        require_template(tokenizer)
        for row in rows.read():
            location = rows.location(row.number)
            chat = chat_prompt(row, chats, location)
            text = render_chat_prompt(chat.messages, tokenizer, location, tools=chat.tools)
            yield row, list(tokenizer(text, add_special_tokens=False)["input_ids"])
        return
    if chats:
        raise ConfigError(
            f"{rows.name} contains chats, which the chat template of the model formats. Leave {setting} out."
        )
    pieces = parse_template(template or _template(rows.name, columns, setting), (*columns, INPUTS[0]))
    turns = template is None and "instruction" in columns and has_turns(columns)
    begin = bos_ids(tokenizer)
    for row in rows.read():
        location = rows.location(row.number)
        text = prompt_text(pieces, row, location, turns=turns)
        if not text.strip():
            raise DataError(f"{location}: the prompt is empty. Fill it in, or remove the row.")
        yield row, with_begin(tokenizer(text, add_special_tokens=False)["input_ids"], begin)


def prompt_chat_columns(rows: Rows) -> tuple[str, ...]:
    """The column of chats, or of a prompt that is a list of messages; none if the rows are no chats."""
    prompt = tuple(name for name in PROMPTS if name in rows.fieldnames)[:1]
    return chat_columns(rows.fieldnames, prompt, first_values(rows))


def chat_prompt(row: Row, columns: Sequence[str], location: str) -> Chat:
    """A chat without its answer, if the last message is one of the assistant.

    Args:
        row: A row with messages.
        columns: The columns with the messages.
        location: Location of the row, for error messages.

    Raises:
        DataError: The messages cannot be used, or there is none before the answer.
    """
    chat = read_chat(row, columns, location, answered=False)
    messages = chat.messages[:-1] if chat.messages[-1]["role"] == "assistant" else chat.messages
    if not messages:
        raise DataError(
            f"{location}: there is no message before the answer. Add a question, or remove the row."
        )
    return replace(chat, messages=messages)


def _template(name: str, columns: Sequence[str], setting: str) -> str:
    """The default template for these columns."""
    if "instruction" in columns:
        return instruction_template(columns)
    column = next((column for column in (*PROMPTS, *TEXTS) if column in columns), None)
    if column is None:
        raise DataError(
            f"{name}: it is not clear which column holds the prompts; the columns are: {', '.join(columns)}. "
            f"Rename it to 'prompt', or set {setting} to a template like '{{column}}'."
        )
    return f"{{{column}}}"
