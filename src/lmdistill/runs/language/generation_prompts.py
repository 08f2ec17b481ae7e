"""Prompts that students complete for the report, and reference completions."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmdistill.core.errors import DataError
from lmdistill.data.files.table import Row
from lmdistill.data.language.collator import prompt_length
from lmdistill.data.language.instruction_format import COMPLETIONS, PROMPTS, TEXTS
from lmdistill.data.language.prompt_template import is_chat_template
from lmdistill.data.language.prompts import open_prompts, prompt_chat_columns, prompt_ids
from lmdistill.data.language.text_cells import cell_value
from lmdistill.recipes.language_model import Texts, Writing
from lmdistill.runs.language.dataset import EncodedTexts

log = logging.getLogger("lmdistill")


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A prompt and its reference completion."""

    ids: tuple[int, ...]
    """Token ids of the prompt."""

    reference: str
    """Reference completion; "" if there is none."""


@dataclass(frozen=True, kw_only=True)
class GenerationPrompts:
    """What a student completes at the end of a run, and the prompt length of plain texts."""

    prompts: tuple[Prompt, ...] = ()
    """Prompts at the end of the run."""

    max_new: int
    """Longest completion at the end, in tokens, >= 1."""

    begin: int
    """Tokens of a passage that serve as its prompt if it has none, >= 1."""


def generation_prompts(writing: Writing, *prompts: Prompt) -> GenerationPrompts:
    """The settings of a recipe with these prompts."""
    return GenerationPrompts(prompts=prompts, max_new=writing.max_new, begin=writing.begin)


def recipe_prompts(
    writing: Writing, texts: Texts, encoded: EncodedTexts, tokenizer: Any
) -> tuple[Prompt, ...]:
    """The prompts of a file, or the beginnings of dev passages, `writing.rows` of them at most.

    Raises:
        DataError: The file cannot be used, or all of its prompts are too long. Prompts longer than passages
            are left out and counted in the log.
    """
    if writing.prompts is not None:
        return prompts_in_file(Path(writing.prompts), texts, tokenizer, most=writing.rows)
    rows = encoded.dev.rows.select(range(min(writing.rows, len(encoded.dev.rows))))
    prompts = []
    for start, ids in zip(rows["start"], rows["input_ids"], strict=True):
        length = prompt_length(start, len(ids), writing.begin)
        reference = tokenizer.decode(ids[length:], skip_special_tokens=True)
        prompts.append(Prompt(ids=tuple(ids[:length]), reference=reference))
    return tuple(prompts)


def prompts_in_file(
    path: Path, texts: Texts, tokenizer: Any, *, most: int | None = None
) -> tuple[Prompt, ...]:
    """The first prompts of a file that are short enough, with their reference completions.

    Args:
        path: Rows with prompts.
        texts: Prompt template, longest passage, and the column of reference completions.
        tokenizer: The student's tokenizer.
        most: Number of prompts, >= 0; all unless given.

    Raises:
        DataError: The file cannot be used, or all of its prompts are too long.
    """
    rows = open_prompts(path)
    answers = (*({texts.completion} - {None, *TEXTS}), *COMPLETIONS)
    column = next((name for name in answers if name in rows.fieldnames), "")
    prompts: list[Prompt] = []
    long = 0
    template = None if prompt_chat_columns(rows) else _template(texts, rows.fieldnames)
    for row, ids in prompt_ids(rows, tokenizer, template=template, setting="texts.template"):
        if len(prompts) == most:
            break
        if len(ids) >= texts.max_length:
            long += 1
        else:
            prompts.append(Prompt(ids=tuple(ids), reference=_reference(row, column)))
    if long:
        log.info("%s: %d prompts of %d tokens or more are left out", path, long, texts.max_length)
    if not prompts and most != 0:
        raise DataError(
            f"{path} holds no prompt of less than {texts.max_length} tokens. Raise texts.max_length, or name "
            "another file."
        )
    return tuple(prompts)


def _reference(row: Row, column: str) -> str:
    """The text of a cell; "" if it is missing or not text."""
    value = cell_value(row, column)
    return value if isinstance(value, str) else ""


def _template(texts: Texts, columns: Sequence[str]) -> str | None:
    """The prompt template of the texts; None if the columns decide."""
    own = None if texts.template is None or is_chat_template(texts.template) else texts.template
    plain = next((f"{{{name}}}" for name in PROMPTS if name in columns), None)
    return own or (plain if texts.layout == "prompt" else None)
