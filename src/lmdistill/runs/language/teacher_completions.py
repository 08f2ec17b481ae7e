"""The teacher's own completions of the training prompts, written once and kept."""

from pathlib import Path

from lmdistill.core.completions import completions_of
from lmdistill.core.file_lock import exclusive_file, lock_of
from lmdistill.core.fingerprint import fingerprint
from lmdistill.core.progress import progress
from lmdistill.core.protocols import Method
from lmdistill.data.language.collator import prompt_length
from lmdistill.data.language.conversations import Conversations
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.distributed import main_process_first
from lmdistill.models import model_stats
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.models.generation import end_token_ids, generate_completions
from lmdistill.records.resumable_jsonl import CHUNK, ResumableLines
from lmdistill.runs.language.dataset import EncodedTexts, encode_texts
from lmdistill.runs.language.teacher_cache import TeacherCache


def training_texts(
    method: Method, cache: TeacherCache, encoded: EncodedTexts, teacher: LanguageNetwork | None
) -> tuple[Conversations, EncodedTexts]:
    """What `method` learns from: the texts as they are, or with the teacher's completions, kept in the cache.

    Args:
        method: Who learns.
        cache: Texts, their settings, and where completions are kept.
        encoded: The texts in tokens.
        teacher: Who writes, if the method asks for it.

    Returns:
        Texts, and the same in tokens.
    """
    completions, begin = completions_of(method), cache.recipe.writing.begin
    if not completions.teacher:
        return cache.texts, encoded
    assert teacher is not None  # check() has run
    asked = (cache.texts.fingerprint, cache.recipe.texts.max_length, begin, completions.max_new)
    name = fingerprint("ended", model_stats.fingerprint(teacher), *asked)
    path = cache.folder / f"completions-{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = teacher.to(make_accelerator(cache.recipe.training).device)
    with main_process_first(), exclusive_file(lock_of(path)):
        texts = by_teacher(cache.texts, encoded, writer, path, max_new=completions.max_new, begin=begin)
    return texts, encode_texts(texts, teacher.tokenizer, cache.recipe.texts)


def by_teacher(
    texts: Conversations,
    passages: EncodedTexts,
    teacher: LanguageNetwork,
    path: Path,
    *,
    max_new: int,
    begin: int,
) -> Conversations:
    """The texts with the teacher's greedy completions of their training rows instead of their own.

    Args:
        texts: Training and dev rows; dev stays as it is.
        passages: The same in tokens, not packed.
        teacher: Who writes, on its device.
        path: JSON lines, one a row, kept from an earlier call with the same arguments as far as it came; one
            that has changed since is written again.
        max_new: Longest completion in tokens.
        begin: Tokens of a passage without a prompt that the teacher goes on from.

    Returns:
        Texts like these; a text without a prompt is the teacher's from where it began to write. One that was
        cut at `max_new` has no end.
    """
    rows = passages.train.rows
    ends = end_token_ids(teacher)
    with progress("teacher writes", len(rows)) as shown, ResumableLines(path, len(rows)) as file:
        done = file.rows
        shown.resume(len(done))
        for low in range(len(done), len(rows), CHUNK):
            part = rows[low : low + CHUNK]
            starts = [
                prompt_length(start, len(ids), begin)
                for start, ids in zip(part["start"], part["input_ids"], strict=True)
            ]
            prompts = [list(ids[:start]) for ids, start in zip(part["input_ids"], starts, strict=True)]
            new = generate_completions(teacher, prompts, max_new=max_new, seed=0, batch_size=CHUNK)
            for index, start, prompt, tokens in zip(part["index"], part["start"], prompts, new, strict=True):
                text = teacher.tokenizer.decode([*prompt[start:], *tokens], skip_special_tokens=True)
                done.append({"index": index, "completion": text, "ended": bool(set(tokens[-1:]) & {*ends})})
            file.append(done[low:])
            shown.update(len(done))
    written = {line["index"]: line["completion"] for line in done}
    unended = [line["index"] for line in done if not line["ended"]]
    count = sum(bool(text.strip()) for text in written.values())
    return texts.with_completions(
        written,
        f"{count} training rows have the teacher's completion",
        f"{len(unended)} of the teacher's {len(done)} completions are cut at {max_new} tokens: no end token",
        unended=unended,
    )
