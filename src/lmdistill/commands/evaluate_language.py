"""Evaluation of a trained language model: likelihood of dev passages and completions of prompts."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lmdistill.commands.open_language_model import pair_of
from lmdistill.commands.open_model import require_finished, warn_of_other_examples
from lmdistill.core.errors import ConfigError, ModelError, RunError
from lmdistill.data.files.plain_text import has_text_files
from lmdistill.data.language.prompts import open_prompts
from lmdistill.data.language.special_tokens import pad_id
from lmdistill.data.language.tokenization import Passages
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.training_settings import Training
from lmdistill.evaluation.language_modeling import language_scores
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.models.generation import max_positions
from lmdistill.models.loading.causal_lm import is_causal
from lmdistill.models.vocabulary import align_vocabularies, trim_vocabulary
from lmdistill.recipes.language_model import Texts, Writing
from lmdistill.recipes.parsing import parse
from lmdistill.recipes.yaml_tables import override
from lmdistill.records.record import RECORD, read_record
from lmdistill.runs.language.data import load_dev
from lmdistill.runs.language.dataset import encode_dev, in_batches
from lmdistill.runs.language.evaluation import completed, uniform_alarms, writing_scores
from lmdistill.runs.language.generation_prompts import generation_prompts, prompts_in_file
from lmdistill.runs.language.student import require_positions

log = logging.getLogger("lmdistill")

OF_THE_SOURCE = ("dev", "separator")
"""Settings of a run's texts that do not apply to another source."""


@dataclass(frozen=True, kw_only=True)
class EvaluatedTexts:
    """Metrics of a language model on dev passages and prompts."""

    passages: int
    """Number of dev passages."""

    metrics: Mapping[str, float]
    """Likelihood and calibration; with a teacher also agreement, and scores of easy and hard tokens."""

    prompts: int = 0
    """Number of prompts that were completed."""

    written: Mapping[str, float]
    """ROUGE-L, distinct n-grams, length and share of ended completions; empty without prompts."""


def is_writer(target: str | Path, overrides: Sequence[str] = ()) -> bool:
    """Whether `target` is a run of a language model, or a causal model without overrides for classifiers.

    Raises:
        RunError: If `target` is a folder of several runs, or of an unfinished one.
        ModelError: If there is no such model.
    """
    folder = Path(target)
    require_finished(folder)
    if (folder / RECORD).is_file():
        return read_record(folder).task.kind == "language"
    return not any(text.startswith(("task=", "data.")) for text in overrides) and is_causal(target)


def evaluate_language(
    target: str | Path,
    overrides: Sequence[str] = (),
    *,
    with_teacher: bool = True,
    prompts: Path | None = None,
) -> EvaluatedTexts:
    """Evaluate a run's student beside its teacher, or any causal model, on dev passages.

    The vocabularies of both networks are cut to their tokenizer, as in training.

    Args:
        target: A run folder; or a model folder or hub id, with `texts.source=` among the overrides.
        overrides: `texts.name=value`, to evaluate on other passages than the run's; with prompts also
            `writing.max_new=`.
        with_teacher: Evaluate the teacher of a run too, if its folder still exists.
        prompts: A file of prompts to complete greedily; answers in it are references.

    Raises:
        ConfigError: For an override of another key, or a model without a source of texts.
        DataError: If texts or prompts cannot be used.
        MismatchError: If a network cannot read texts of this length, or has fewer outputs than tokens.
        RunError: If the record of the run does not name its texts, or files of the run have changed.
        ModelError: If the model gives no number for the texts.
    """
    texts, writing = _settings(Path(target), overrides, asked=prompts is not None)
    if prompts is not None:
        open_prompts(prompts)  # refuses before the work
    found = load_dev(texts)
    if not overrides:
        warn_of_other_examples(target, replace(found, splits={"dev": found.dev}).fingerprint)
    device = str(make_accelerator(Training()).device)
    student, teacher = pair_of(Path(target), with_teacher=with_teacher, device=device)
    if teacher is None:
        trim_vocabulary(student)
    else:
        align_vocabularies(student, teacher)
    dev = encode_dev(found, student.tokenizer, texts)
    _require_room(student, teacher, dev, texts.max_length)
    for note in dev.counts.notes(texts.max_length):
        log.info("dev: %s", note)
    asked = () if prompts is None else prompts_in_file(prompts, texts, student.tokenizer)
    batches = in_batches(dev, pad_id(student.tokenizer))
    scores = language_scores(student, batches, teacher=teacher, device=device)
    if not math.isfinite(scores.nats):
        raise ModelError(
            f"{student.source} gives {scores.nats} nats per token, and no score can be made of that. Use "
            "another model, or train it again at a lower rate."
        )
    for alarm in uniform_alarms({"model": scores.nats}, student.vocabulary):
        log.warning(alarm)
    wrote = completed(generation_prompts(writing, *asked), student, device) if asked else []
    return EvaluatedTexts(
        passages=len(dev.rows),
        metrics=scores.metrics(),
        prompts=len(wrote),
        written=writing_scores(wrote) if wrote else {},
    )


def texts_of(target: str | Path, overrides: Sequence[str] = ()) -> Texts | None:
    """The texts of a run, or those that overrides name; None if there are neither.

    Args:
        target: A run folder, a model folder, a hub id.
        overrides: `texts.name=value`.

    Raises:
        ConfigError: For an override of another key.
    """
    folder = Path(target)
    knows = (folder / RECORD).is_file() and read_record(folder).recipe.get("texts") is not None
    return _settings(folder, overrides, asked=False)[0] if knows or overrides else None


def _require_room(
    student: LanguageNetwork, teacher: LanguageNetwork | None, dev: Passages, max_length: int
) -> None:
    """Check that both networks can read the longest passage."""
    longest = int(dev.lengths.max())
    for network in (student, teacher):
        if network is not None and longest > max_positions(network):
            require_positions(network, max_length)


def _settings(folder: Path, overrides: Sequence[str], *, asked: bool) -> tuple[Texts, Writing]:
    """Texts and completion length of a run, with the overrides applied."""
    table: dict[str, Any] = {}
    if (folder / RECORD).is_file():
        recipe = read_record(folder).recipe
        if recipe.get("texts") is None and not any(text.startswith("texts.source=") for text in overrides):
            raise RunError(f"{folder} does not say which texts it was made for. Add --set texts.source=...")
        length = (recipe.get("writing") or {}).get("max_new")
        table = {
            "texts": dict(recipe.get("texts") or {}),
            "writing": {} if length is None else {"max_new": length},
        }
    source = table.get("texts", {}).get("source")
    for text in overrides:
        name = text.partition("=")[0]
        if name.partition(".")[0] != "texts" and not (asked and name == "writing.max_new"):
            raise ConfigError(
                f"{name.partition('.')[0]} has no effect on a finished language model; texts can be set, and "
                "with --prompts also writing.max_new."
            )
        override(table, text)
    if "source" not in (table.get("texts") or {}):
        raise ConfigError(
            f"{folder} is a language model and no run, so it is not known which texts to read. "
            "Add --set texts.source=... with a file, a folder or a data set."
        )
    if source not in (None, table["texts"]["source"]):
        _forget(table["texts"], source, {text.partition("=")[0] for text in overrides})
    return parse(Texts, table["texts"], "texts"), parse(Writing, table.get("writing", {}), "writing")


def _forget(texts: dict[str, Any], before: str, named: set[str]) -> None:
    """Remove, with a log line, the settings that apply only to the run's own source."""
    fits = {"separator": has_text_files(Path(str(texts["source"])))}
    for name in OF_THE_SOURCE:
        if texts.get(name) is not None and f"texts.{name}" not in named and not fits.get(name, False):
            log.info("texts.%s was %r for %s; it is left out", name, texts[name], before)
            texts[name] = None
