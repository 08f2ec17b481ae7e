"""A file of prompts in, the same rows with a model's completions out."""

import logging
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from lmdistill.core.errors import DataError
from lmdistill.core.fingerprint import file_fingerprint, fingerprint
from lmdistill.data.files.table import Row, Rows
from lmdistill.data.language.instruction_format import PROMPTS, TEXTS
from lmdistill.data.language.prompts import chat_prompt_messages, open_prompts, prompt_ids
from lmdistill.data.language.tokenization import bos_ids
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.progress_bar import bar
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

    An interrupted call goes on from what it wrote, in a file beside `out` whose name ends in `.part` and is
    made of everything that counts, so that calls with other settings do not go on from each other.

    Args:
        target: A run of a language model, a model folder, a hub id.
        source: JSON lines, JSON list, CSV, TSV, Parquet, or plain text with a prompt a line.
        out: JSON lines: the row's own fields, `completion`, and `ended`, whether the model wrote an end. A
            chat gets the completion as its last message too, and a text becomes a `prompt`, so that the file
            can be learned from.
        max_new: Longest completion in tokens, >= 1.
        temperature: >= 0; 0 always takes the most likely token.
        template: Wording of the prompt with {column} fields.
        seed: Of what is sampled.

    Returns:
        How many rows there are.

    Raises:
        DataError: For a file, a column or a row that cannot be used, with its place; before any work.
        ConfigError: For a setting that is out of its range.
        ModelError: If the model cannot be loaded.
    """
    if out.exists():
        raise DataError(f"{out} exists. Choose another --out, or remove it.")
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
    with bar("generate", total) as advance, part.open("a", encoding="utf-8") as file:
        advance(done)
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
            advance(done)
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
    """What a network writes after each prompt.

    Args:
        network: A language model, on its device.
        prompts: Texts as they are; the tokenizer's begin token is put before them.
        max_new: Longest completion in tokens, >= 1.
        temperature: >= 0; 0 always takes the most likely token.
        top_p: In (0, 1]; sample only from the most likely tokens that together have this probability.
        seed: Of what is sampled.

    Returns:
        The completions alone, without special tokens, in the order of the prompts.

    Raises:
        ConfigError: A setting is out of its range.
        DataError: A prompt is empty, or fills all positions of the model.
    """
    tokenizer = network.tokenizer
    begin = bos_ids(tokenizer)
    ids = [[*begin, *tokenizer(text, add_special_tokens=False)["input_ids"]] for text in prompts]
    new = generate_completions(network, ids, max_new=max_new, temperature=temperature, top_p=top_p, seed=seed)
    return [tokenizer.decode(tokens, skip_special_tokens=True) for tokens in new]


def model_in(target: str | Path) -> str | Path:
    """The student of a run, or the model itself."""
    student = Path(target) / "student"
    return student if student.is_dir() else target


def _counted(rows: Rows, network: LanguageNetwork, template: str | None) -> int:
    """How many prompts there are; each of them must leave the model room to write."""
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
    """A row with what the model wrote, in the columns by which it can be learned from."""
    text = network.tokenizer.decode(tokens, skip_special_tokens=True)
    found = dict(row.values or row.fields)
    if "messages" in found:
        found["messages"] = [*chat_prompt_messages(row, ""), {"role": "assistant", "content": text}]
    elif not worded and not {"instruction", *PROMPTS} & found.keys():
        found["prompt"] = found.pop(next(name for name in TEXTS if name in found))
    return {**found, "completion": text, "ended": bool(set(tokens[-1:]) & set(end_token_ids(network)))}
