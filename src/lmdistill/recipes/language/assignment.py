"""What students are asked to write for the report, and what others wrote there."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmdistill.core.errors import DataError
from lmdistill.data.instructions import COMPLETIONS
from lmdistill.data.language_batches import beginning
from lmdistill.data.prompts import open_prompts, prompt_ids
from lmdistill.recipes.language.passages import Pages
from lmdistill.recipes.language.schema import Texts, Writing

log = logging.getLogger("lmdistill")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A prompt and a reference."""

    ids: tuple[int, ...]
    """Tokens of the prompt."""

    reference: str
    """What somebody else wrote after it; "" where nobody did."""


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """What a student writes at the end of a run, and from where it writes in training."""

    asked: tuple[Asked, ...] = ()
    """What it goes on from at the end."""

    max_new: int
    """Longest completion at the end in tokens, >= 1."""

    begin: int
    """Tokens of a passage without a prompt that it is given, >= 1."""


def assignment_of(writing: Writing, *asked: Asked) -> Assignment:
    """The settings of a recipe with these prompts."""
    return Assignment(asked=asked, max_new=writing.max_new, begin=writing.begin)


def asked_of(writing: Writing, texts: Texts, pages: Pages, tokenizer: Any) -> tuple[Asked, ...]:
    """The prompts of a file, or the beginnings of dev passages, `writing.rows` of them at most.

    Raises:
        DataError: The file cannot be used, or all of its prompts are too long; those that are longer than the
            passages are left out, counted and said.
    """
    if writing.prompts is not None:
        return _from_file(Path(writing.prompts), writing.rows, texts, tokenizer)
    rows = pages.dev.rows.select(range(min(writing.rows, len(pages.dev.rows))))
    found = []
    for start, ids in zip(rows["start"], rows["input_ids"], strict=True):
        place = beginning(start, len(ids), writing.begin)
        reference = tokenizer.decode(ids[place:], skip_special_tokens=True)
        found.append(Asked(ids=tuple(ids[:place]), reference=reference))
    return tuple(found)


def _from_file(path: Path, most: int, texts: Texts, tokenizer: Any) -> tuple[Asked, ...]:
    """The first prompts of a file that are short enough, with the column that answers them."""
    rows = open_prompts(path)
    column = next((name for name in COMPLETIONS if name in rows.fieldnames), "")
    template = texts.template if "messages" not in rows.fieldnames else None
    found: list[Asked] = []
    long = 0
    for row, ids in prompt_ids(rows, tokenizer, template=template):
        if len(found) >= most:
            break
        if len(ids) >= texts.max_length:
            long += 1
        else:
            found.append(Asked(ids=tuple(ids), reference=row.fields.get(column, "")))
    if long:
        log.info("%s: %d prompts of %d tokens or more are left out", path, long, texts.max_length)
    if not found and most:
        raise DataError(
            f"{path} holds no prompt of less than {texts.max_length} tokens. Raise texts.max_length, or name "
            "another file."
        )
    return tuple(found)
