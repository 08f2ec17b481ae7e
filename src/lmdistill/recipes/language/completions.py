"""The teacher's own completions of the training prompts, written once and kept."""

import json
import logging
from pathlib import Path

from datasets import Dataset

from lmdistill.data.conversations import Conversations
from lmdistill.engine.progress import bar
from lmdistill.models.causal import LanguageNetwork
from lmdistill.models.generate import complete
from lmdistill.recipes.language.passages import Pages
from lmdistill.report.history import read_lines

log = logging.getLogger("lmdistill")

CHUNK = 64
"""Completions between two writes: what a kill can cost."""


def teacher_rows(
    texts: Conversations,
    pages: Pages,
    teacher: LanguageNetwork,
    path: Path,
    *,
    max_new: int,
    begin: int,
) -> Dataset:
    """The training rows with the teacher's greedy completions instead of their own.

    Args:
        texts: Training rows.
        pages: The same in tokens.
        teacher: Who writes, on its device.
        path: JSON lines, one a row, kept from an earlier call as far as it came.
        max_new: Longest completion in tokens.
        begin: Tokens of a passage without a prompt that the teacher goes on from.

    Returns:
        Rows like those of `texts`; their text is the teacher's from where it began to write.
    """
    rows = pages.train.rows
    done = read_lines(path) if path.exists() else []
    with bar("teacher writes", len(rows)) as advance, path.open("a", encoding="utf-8") as file:
        for low in range(len(done), len(rows), CHUNK):
            part = rows.select(range(low, min(low + CHUNK, len(rows))))
            starts = [max(start, begin) for start in part["start"]]
            prompts = [list(ids[:start]) for ids, start in zip(part["input_ids"], starts, strict=True)]
            new = complete(teacher, prompts, max_new=max_new, seed=0, batch_size=CHUNK)
            for index, start, prompt, tokens in zip(part["index"], part["start"], prompts, new, strict=True):
                text = teacher.tokenizer.decode([*prompt[start:], *tokens], skip_special_tokens=True)
                line = {"index": index, "completion": text}
                done.append(line)
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
            file.flush()
            advance(len(done), "")
    by_index = {line["index"]: line["completion"] for line in done}
    kept = texts.train.filter(lambda row: bool(by_index.get(row["index"], "").strip()))
    log.info("%d of %d training rows have a completion of the teacher", kept.num_rows, texts.train.num_rows)
    return kept.map(lambda row: {"completion": by_index[row["index"]]})


