"""Prompts: rows of a file, as token ids that a language model completes."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.data.files import plain_text
from lmdistill.data.files.formats import open_rows, suffix_of
from lmdistill.data.files.table import Row, Rows
from lmdistill.data.language.chat_template import (
    Message,
    parse_messages,
    render_chat_prompt,
    require_template,
)
from lmdistill.data.language.instruction_format import ALPACA, PROMPTS, TEXTS, fill_template, parse_template
from lmdistill.data.language.tokenization import bos_ids


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
        rows: Chats in the column `messages`, instructions in `instruction` (formatted by `ALPACA` with their
            `input`), or one of the columns `PROMPTS` or `TEXTS`, used unchanged. Answers are not needed.
        tokenizer: Tokenizer of the model.
        template: Template of the prompt with {column} fields; None chooses one by the columns.
        setting: Name of the option or recipe key of the template, for error messages.

    Raises:
        DataError: None of these columns exists, or a prompt is empty.
        ConfigError: There is a template, and the rows are chats.
    """
    columns = rows.fieldnames
    if "messages" in columns and template is None:
        require_template(tokenizer)
        for row in rows.read():
            location = rows.location(row.number)
            text = render_chat_prompt(chat_prompt_messages(row, location), tokenizer, location)
            yield row, list(tokenizer(text, add_special_tokens=False)["input_ids"])
        return
    if "messages" in columns:
        raise ConfigError(
            f"{rows.name} contains chats, which the chat template of the model formats. Leave {setting} out."
        )
    pieces = parse_template(template or _template(rows.name, columns, setting), (*columns, "input"))
    begin = bos_ids(tokenizer)
    for row in rows.read():
        text = fill_template(pieces, row.fields)
        if not text.strip():
            raise DataError(
                f"{rows.location(row.number)}: the prompt is empty. Fill it in, or remove the row."
            )
        yield row, [*begin, *tokenizer(text, add_special_tokens=False)["input_ids"]]


def chat_prompt_messages(row: Row, location: str) -> list[Message]:
    """The messages of a chat without its answer, if the last message is one of the assistant.

    Args:
        row: A row with a column `messages`.
        location: Location of the row, for error messages.

    Raises:
        DataError: The messages cannot be used, or there is none before the answer.
    """
    messages = parse_messages((row.values or row.fields).get("messages"), location, answered=False)
    prompt = messages[:-1] if messages[-1]["role"] == "assistant" else messages
    if not prompt:
        raise DataError(
            f"{location}: there is no message before the answer. Add a question, or remove the row."
        )
    return prompt


def _template(name: str, columns: Sequence[str], setting: str) -> str:
    """The default template for these columns."""
    if "instruction" in columns:
        return ALPACA
    column = next((column for column in (*PROMPTS, *TEXTS) if column in columns), None)
    if column is None:
        raise DataError(
            f"{name}: it is not clear which column holds the prompts; the columns are: {', '.join(columns)}. "
            f"Rename it to 'prompt', or set {setting} to a template like '{{column}}'."
        )
    return f"{{{column}}}"
