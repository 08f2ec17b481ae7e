"""Prompts: rows of a file that a model shall answer, as token ids."""

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
    """The rows of a JSON, CSV, TSV or Parquet file; of a text file, a prompt a line."""
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
    """Each row with the token ids that a model goes on from.

    Args:
        rows: With chats in `messages`, or an `instruction` (worded by `ALPACA` with its `input`), or one of
            the columns `PROMPTS` or `TEXTS`, taken as it is. Answers need not be there and are not read.
        tokenizer: Of the model.
        template: Wording of the prompt with {column} fields instead.
        setting: Where the user says the template, for messages.

    Raises:
        DataError: None of these columns is there, or a row is empty.
        ConfigError: A template for chats.
    """
    columns = rows.fieldnames
    if "messages" in columns and template is None:
        require_template(tokenizer)
        for row in rows.read():
            place = rows.location(row.number)
            text = render_chat_prompt(chat_prompt_messages(row, place), tokenizer, place)
            yield row, list(tokenizer(text, add_special_tokens=False)["input_ids"])
        return
    if "messages" in columns:
        raise ConfigError(
            f"{rows.name} holds chats, which the model's own template words. Leave {setting} out."
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


def chat_prompt_messages(row: Row, place: str) -> list[Message]:
    """The messages of a chat up to where the assistant answers; a last answer that is there is left out.

    Args:
        row: With a column `messages`.
        place: Where it stands, for messages.

    Raises:
        DataError: They cannot be used, or nothing is asked.
    """
    messages = parse_messages((row.values or row.fields).get("messages"), place, answered=False)
    asked = messages[:-1] if messages[-1]["role"] == "assistant" else messages
    if not asked:
        raise DataError(f"{place}: nothing is asked. Add a question, or remove the row.")
    return asked


def _template(name: str, columns: Sequence[str], setting: str) -> str:
    """The wording that fits the columns."""
    if "instruction" in columns:
        return ALPACA
    found = next((column for column in (*PROMPTS, *TEXTS) if column in columns), None)
    if found is None:
        raise DataError(
            f"{name}: it is not clear which column holds the prompts; the columns are: {', '.join(columns)}. "
            f"Call it prompt, or set {setting} to one like '{{column}}'."
        )
    return f"{{{found}}}"
