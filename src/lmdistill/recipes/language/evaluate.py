"""A finished language model on dev passages."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lmdistill.core.errors import ConfigError, RunError
from lmdistill.engine.device import make_accelerator
from lmdistill.engine.training import Training
from lmdistill.evaluation.language import language_scores
from lmdistill.models.causal_load import is_causal, load_causal
from lmdistill.recipes.construct import construct
from lmdistill.recipes.language.generate import model_in
from lmdistill.recipes.language.passages import cut_pages, load_texts
from lmdistill.recipes.language.schema import Texts
from lmdistill.recipes.read import override
from lmdistill.report.record import RECORD, read_record


def is_writer(target: str | Path, overrides: Sequence[str] = ()) -> bool:
    """Whether `target` is a run of a language model, or a causal model with texts among the overrides."""
    folder = Path(target)
    if (folder / RECORD).is_file():
        return read_record(folder).task.kind == "language"
    return any(text.startswith("texts.") for text in overrides) and is_causal(target)


def evaluate_language(target: str | Path, overrides: Sequence[str] = ()) -> tuple[int, dict[str, float]]:
    """Likelihood and calibration of a run's student, or of any causal model, on dev passages.

    Args:
        target: A run folder; or a model folder or hub id, with `texts.source=` among the overrides.
        overrides: `texts.name=value`, to evaluate on other passages than the run's.

    Returns:
        Passages, and metrics by name.

    Raises:
        ConfigError: For an override of something else.
        RunError: If the run was started on texts that are no longer there.
    """
    folder = Path(target)
    table: dict[str, Any] = {}
    if (folder / RECORD).is_file():
        found = read_record(folder).recipe.get("texts")
        if found is None:
            raise RunError(f"{folder} does not say which texts it was made for. Add --set texts.source=...")
        table = {"texts": dict(found)}
    for text in overrides:
        override(table, text)
    strange = sorted(set(table) - {"texts"})
    if strange:
        raise ConfigError(f"{strange[0]} has no effect on a finished language model; texts can be set.")
    texts: Texts = construct(Texts, table.get("texts", {}), "texts")
    device = str(make_accelerator(Training()).device)
    network = load_causal(model_in(target)).to(device)
    pages = cut_pages(load_texts(texts), network.tokenizer, texts)
    scores = language_scores(network, pages.dev_batches(), device=device)
    return len(pages.dev.rows), scores.metrics()
