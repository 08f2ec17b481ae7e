"""What students are asked to write for the report, and what others wrote there."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmdistill.core.errors import DataError
from lmdistill.data.language.collator import prompt_length
from lmdistill.data.language.instruction_format import COMPLETIONS, PROMPTS, TEXTS
from lmdistill.data.language.prompts import open_prompts, prompt_ids
from lmdistill.recipes.language_model import Texts, Writing
from lmdistill.runs.language.dataset import EncodedTexts

log = logging.getLogger("lmdistill")


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A prompt and a reference."""

    ids: tuple[int, ...]
    """Tokens of the prompt."""

    reference: str
    """What somebody else wrote after it; "" where nobody did."""


@dataclass(frozen=True, kw_only=True)
class GenerationPrompts:
    """What a student writes at the end of a run, and from where it writes in training."""

    prompts: tuple[Prompt, ...] = ()
    """What it goes on from at the end."""

    max_new: int
    """Longest completion at the end in tokens, >= 1."""

    begin: int
    """Tokens of a passage without a prompt that it is given, >= 1."""


def generation_prompts(writing: Writing, *prompts: Prompt) -> GenerationPrompts:
    """The settings of a recipe with these prompts."""
    return GenerationPrompts(prompts=prompts, max_new=writing.max_new, begin=writing.begin)


def recipe_prompts(
    writing: Writing, texts: Texts, encoded: EncodedTexts, tokenizer: Any
) -> tuple[Prompt, ...]:
    """The prompts of a file, or the beginnings of dev passages, `writing.rows` of them at most.

    Raises:
        DataError: The file cannot be used, or all of its prompts are too long; those that are longer than the
            passages are left out, counted and said.
    """
    if writing.prompts is not None:
        return prompts_in_file(Path(writing.prompts), texts, tokenizer, most=writing.rows)
    rows = encoded.dev.rows.select(range(min(writing.rows, len(encoded.dev.rows))))
    prompts = []
    for start, ids in zip(rows["start"], rows["input_ids"], strict=True):
        place = prompt_length(start, len(ids), writing.begin)
        reference = tokenizer.decode(ids[place:], skip_special_tokens=True)
        prompts.append(Prompt(ids=tuple(ids[:place]), reference=reference))
    return tuple(prompts)


def prompts_in_file(
    path: Path, texts: Texts, tokenizer: Any, *, most: int | None = None
) -> tuple[Prompt, ...]:
    """The first prompts of a file that are short enough, with the column that answers them.

    Args:
        path: Rows with prompts.
        texts: How prompts are worded, how long a passage is, and which column answers.
        tokenizer: Of the writer.
        most: How many; all unless given.

    Raises:
        DataError: The file cannot be used, or all of its prompts are too long.
    """
    rows = open_prompts(path)
    answers = (*({texts.completion} - {None, *TEXTS}), *COMPLETIONS)
    column = next((name for name in answers if name in rows.fieldnames), "")
    prompts: list[Prompt] = []
    long = 0
    template = _template(texts, rows.fieldnames)
    for row, ids in prompt_ids(rows, tokenizer, template=template, setting="texts.template"):
        if len(prompts) == most:
            break
        if len(ids) >= texts.max_length:
            long += 1
        else:
            prompts.append(Prompt(ids=tuple(ids), reference=row.fields.get(column, "")))
    if long:
        log.info("%s: %d prompts of %d tokens or more are left out", path, long, texts.max_length)
    if not prompts and most != 0:
        raise DataError(
            f"{path} holds no prompt of less than {texts.max_length} tokens. Raise texts.max_length, or name "
            "another file."
        )
    return tuple(prompts)


def _template(texts: Texts, columns: Sequence[str]) -> str | None:
    """The wording of prompts that is that of the texts; None where the columns say it."""
    if "messages" in columns:
        return None
    plain = next((f"{{{name}}}" for name in PROMPTS if name in columns), None)
    return texts.template or (plain if texts.layout == "prompt" else None)
