"""A file of prompts in, the same rows with a model's completions out."""

import json
import logging
from itertools import islice
from pathlib import Path

from lmdistill.core.errors import DataError
from lmdistill.data.prompts import open_prompts, prompt_ids
from lmdistill.engine.device import make_accelerator
from lmdistill.engine.progress import bar
from lmdistill.engine.training import Training
from lmdistill.models.causal_load import load_causal
from lmdistill.models.generate import complete
from lmdistill.report.history import read_lines

log = logging.getLogger("lmdistill")

CHUNK = 64
"""Completions between two writes: what a kill can cost."""


def generate(
    target: str | Path,
    source: Path,
    out: Path,
    *,
    max_new: int = 256,
    temperature: float = 0.0,
    template: str | None = None,
    seed: int = 0,
) -> int:
    """Write the rows of `source` to `out`, in their order, each with the model's completion.

    An interrupted call goes on from the last 64 completions, which lie in `out` with `.part` behind its name.

    Args:
        target: A run of a language model, a model folder, a hub id.
        source: JSON lines, JSON list, CSV, TSV, Parquet, or plain text with a prompt a line.
        out: JSON lines: the row's own fields, and `completion`.
        max_new: Longest completion in tokens, >= 1.
        temperature: >= 0; 0 always takes the most likely token.
        template: Wording of the prompt with {column} fields.
        seed: Of what is sampled.

    Returns:
        How many rows there are.

    Raises:
        DataError: For a file, a column or a row that cannot be used, with its place.
        ModelError: If the model cannot be loaded.
    """
    if out.exists():
        raise DataError(f"{out} exists. Choose another --out, or remove it.")
    network = load_causal(model_in(target))
    rows = open_prompts(source)
    total = sum(1 for _ in prompt_ids(rows, network.tokenizer, template=template))  # refuses before the work
    network.to(make_accelerator(Training()).device)
    part = out.with_name(f"{out.name}.part")
    done = len(read_lines(part)) if part.exists() else 0
    stream = islice(prompt_ids(rows, network.tokenizer, template=template), done, None)
    out.parent.mkdir(parents=True, exist_ok=True)
    with bar("generate", total) as advance, part.open("a", encoding="utf-8") as file:
        advance(done)
        while chunk := list(islice(stream, CHUNK)):
            prompts = [ids for _, ids in chunk]
            new = complete(
                network, prompts, max_new=max_new, temperature=temperature, seed=seed + done, batch_size=16
            )
            for (row, _), tokens in zip(chunk, new, strict=True):
                text = network.tokenizer.decode(tokens, skip_special_tokens=True)
                values = dict(row.values or row.fields)
                file.write(json.dumps({**values, "completion": text}, ensure_ascii=False) + "\n")
            file.flush()
            done += len(chunk)
            advance(done)
    part.rename(out)
    return total


def model_in(target: str | Path) -> str | Path:
    """The student of a run, or the model itself."""
    student = Path(target) / "student"
    return student if student.is_dir() else target
