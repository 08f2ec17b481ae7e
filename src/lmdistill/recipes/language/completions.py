"""The teacher's own completions of the training prompts, written once and kept."""

from pathlib import Path

from lmdistill.core.fingerprint import fingerprint
from lmdistill.core.language import completions_of
from lmdistill.core.lock import alone
from lmdistill.core.types import Method
from lmdistill.data.conversations import Conversations
from lmdistill.data.language_batches import beginning
from lmdistill.engine.device import make_accelerator
from lmdistill.engine.processes import main_first
from lmdistill.engine.progress import bar
from lmdistill.models import describe
from lmdistill.models.causal import LanguageNetwork
from lmdistill.models.generate import complete, ends_of
from lmdistill.recipes.folder import lock_of
from lmdistill.recipes.language.networks import Bench
from lmdistill.recipes.language.passages import Pages, cut_pages
from lmdistill.recipes.language.resumable import CHUNK, encoded, kept_lines


def learned_by(
    method: Method, bench: Bench, pages: Pages, teacher: LanguageNetwork | None
) -> tuple[Conversations, Pages]:
    """What `method` learns from: the texts as they are, or with the teacher's completions, kept in the cache.

    Args:
        method: Who learns.
        bench: Texts, their settings, and where completions are kept.
        pages: The texts in tokens.
        teacher: Who writes, if the method asks for it.

    Returns:
        Texts, and the same in tokens.
    """
    completions, begin = completions_of(method), bench.recipe.writing.begin
    if not completions.teacher:
        return bench.texts, pages
    assert teacher is not None  # check() has run
    asked = (bench.texts.fingerprint, bench.recipe.texts.max_length, begin, completions.max_new)
    name = fingerprint("ended", describe.fingerprint(teacher), *asked)
    path = bench.cache / f"completions-{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = teacher.to(make_accelerator(bench.recipe.training).device)
    with main_first(), alone(lock_of(path)):
        texts = by_teacher(bench.texts, pages, writer, path, max_new=completions.max_new, begin=begin)
    return texts, cut_pages(texts, teacher.tokenizer, bench.recipe.texts)


def by_teacher(
    texts: Conversations,
    pages: Pages,
    teacher: LanguageNetwork,
    path: Path,
    *,
    max_new: int,
    begin: int,
) -> Conversations:
    """The texts with the teacher's greedy completions of their training rows instead of their own.

    Args:
        texts: Training and dev rows; dev stays as it is.
        pages: The same in tokens, not packed.
        teacher: Who writes, on its device.
        path: JSON lines, one a row, kept from an earlier call with the same arguments as far as it came.
        max_new: Longest completion in tokens.
        begin: Tokens of a passage without a prompt that the teacher goes on from.

    Returns:
        Texts like these; a text without a prompt is the teacher's from where it began to write. One that was
        cut at `max_new` has no end.
    """
    rows = pages.train.rows
    done, ends = kept_lines(path, len(rows)), ends_of(teacher)
    with bar("teacher writes", len(rows)) as advance, path.open("a", encoding="utf-8") as file:
        for low in range(len(done), len(rows), CHUNK):
            part = rows[low : low + CHUNK]
            starts = [
                beginning(start, len(ids), begin)
                for start, ids in zip(part["start"], part["input_ids"], strict=True)
            ]
            prompts = [list(ids[:start]) for ids, start in zip(part["input_ids"], starts, strict=True)]
            new = complete(teacher, prompts, max_new=max_new, seed=0, batch_size=CHUNK)
            for index, start, prompt, tokens in zip(part["index"], part["start"], prompts, new, strict=True):
                text = teacher.tokenizer.decode([*prompt[start:], *tokens], skip_special_tokens=True)
                done.append({"index": index, "completion": text, "ended": bool(set(tokens[-1:]) & {*ends})})
            file.write("".join(map(encoded, done[low:])))
            file.flush()
            advance(len(done), "")
    written = {line["index"]: line["completion"] for line in done}
    unended = [line["index"] for line in done if not line["ended"]]
    count = sum(bool(text.strip()) for text in written.values())
    return texts.completed(
        written,
        f"{count} training rows have the teacher's completion",
        f"{len(unended)} of the teacher's {len(done)} completions are cut at {max_new} tokens: no end token",
        unended=unended,
    )
