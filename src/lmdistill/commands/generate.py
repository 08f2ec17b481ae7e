"""Generation: the rows of a file of prompts, each with a model's completion."""

import logging
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from lmdistill.core.errors import DataError
from lmdistill.core.file_names import require_new_name
from lmdistill.core.fingerprint import file_fingerprint, fingerprint
from lmdistill.core.progress import progress
from lmdistill.data.files.table import Row, Rows
from lmdistill.data.language.instruction_format import PROMPTS, TEXTS
from lmdistill.data.language.prompts import chat_prompt_messages, open_prompts, prompt_ids
from lmdistill.data.language.tokenization import bos_ids
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.training_settings import Training
from lmdistill.models import model_stats
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.models.generation import (
    end_token_ids,
    generate_completions,
    max_positions,
    require_generation_settings,
)
from lmdistill.models.loading.causal_lm import load_causal
from lmdistill.records.resumable_jsonl import CHUNK, encoded, kept_lines

log = logging.getLogger("lmdistill")


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

    An interrupted call continues from a file beside `out` that ends in `.part`; its name is a fingerprint of
    all settings, so that calls with other settings do not continue each other.

    Args:
        target: A run of a language model, a model folder, a hub id.
        source: JSON lines, JSON list, CSV, TSV, Parquet, or plain text with a prompt a line.
        out: JSON lines: the row's own fields, `completion`, and `ended` (the model wrote an end token).
            A chat also gets the completion as its last message, and a text becomes a `prompt`, so that the
            file can be trained on.
        max_new: Longest completion in tokens, >= 1.
        temperature: Sampling temperature, >= 0; 0 is greedy.
        template: Prompt template with {column} fields.
        seed: Seed of the sampling, >= 0.

    Returns:
        Number of rows.

    Raises:
        DataError: For a file, a column or a row that cannot be used, with its location; before generation.
        ConfigError: For a setting that is out of its range.
        ModelError: If the model cannot be loaded.
    """
    if out.exists():
        raise DataError(f"{out} exists. Choose another --out, or remove it.")
    require_new_name(out)
    require_generation_settings(max_new=max_new, temperature=temperature)
    network = load_causal(model_in(target))
    rows = open_prompts(source)
    total = _counted(rows, network, template)
    key = (model_stats.fingerprint(network), file_fingerprint(source), max_new, temperature, template, seed)
    network.to(make_accelerator(Training()).device)
    part = out.with_name(f"{out.name}.{fingerprint(*key)}.part")
    done = len(kept_lines(part, total))
    stream = islice(prompt_ids(rows, network.tokenizer, template=template), done, None)
    out.parent.mkdir(parents=True, exist_ok=True)
    with progress("generate", total) as shown, part.open("a", encoding="utf-8") as file:
        shown.resume(done)
        while chunk := list(islice(stream, CHUNK)):
            prompts = [ids for _, ids in chunk]
            new = generate_completions(
                network, prompts, max_new=max_new, temperature=temperature, seed=seed + done, batch_size=16
            )
            lines = [
                _line(row, tokens, network, worded=template is not None)
                for (row, _), tokens in zip(chunk, new, strict=True)
            ]
            file.write("".join(map(encoded, lines)))
            file.flush()
            done += len(chunk)
            shown.update(done)
    part.rename(out)
    return total


def complete_texts(
    network: LanguageNetwork,
    prompts: Sequence[str],
    *,
    max_new: int = 256,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 0,
) -> list[str]:
    """Complete each prompt with a language model.

    Args:
        network: A language model, on its device.
        prompts: Texts; the tokenizer's begin token is put before them.
        max_new: Longest completion in tokens, >= 1.
        temperature: Sampling temperature, >= 0; 0 is greedy.
        top_p: Sample from the most likely tokens that together have this probability, in (0, 1].
        seed: Seed of the sampling, >= 0.

    Returns:
        The completions alone, without special tokens, in the order of the prompts.

    Raises:
        ConfigError: If a setting is out of its range.
        DataError: If a prompt is empty, or fills all positions of the model.
    """
    tokenizer = network.tokenizer
    begin = bos_ids(tokenizer)
    ids = [[*begin, *tokenizer(text, add_special_tokens=False)["input_ids"]] for text in prompts]
    new = generate_completions(network, ids, max_new=max_new, temperature=temperature, top_p=top_p, seed=seed)
    return [tokenizer.decode(tokens, skip_special_tokens=True) for tokens in new]


def model_in(target: str | Path) -> str | Path:
    """The folder of a run's student, or the target itself."""
    student = Path(target) / "student"
    return student if student.is_dir() else target


def _counted(rows: Rows, network: LanguageNetwork, template: str | None) -> int:
    """Number of prompts; each must leave room for at least one new token."""
    limit, count = max_positions(network), 0
    for row, ids in prompt_ids(rows, network.tokenizer, template=template):
        if not 0 < len(ids) < limit:
            raise DataError(
                f"{rows.location(row.number)}: the prompt has {len(ids)} tokens, and {network.source} reads "
                f"between 1 and {limit - 1} before it writes. Change the row, or remove it."
            )
        count += 1
    return count


def _line(row: Row, tokens: list[int], network: LanguageNetwork, *, worded: bool) -> dict[str, Any]:
    """A row with its completion, in columns that training accepts."""
    text = network.tokenizer.decode(tokens, skip_special_tokens=True)
    found = dict(row.values or row.fields)
    if "messages" in found:
        found["messages"] = [*chat_prompt_messages(row, ""), {"role": "assistant", "content": text}]
    elif not worded and not {"instruction", *PROMPTS} & found.keys():
        found["prompt"] = found.pop(next(name for name in TEXTS if name in found))
    return {**found, "completion": text, "ended": bool(set(tokens[-1:]) & set(end_token_ids(network)))}
