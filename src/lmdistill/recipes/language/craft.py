"""Schedules for models that write text."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import cast

from lmdistill.core.language import LanguageNet
from lmdistill.core.types import Batch, Net
from lmdistill.data.language_batches import LanguageCollator
from lmdistill.data.sampling import in_order
from lmdistill.engine.device import make_accelerator
from lmdistill.evaluation.language import language_scores
from lmdistill.models.causal import LanguageNetwork
from lmdistill.models.causal_load import load_causal
from lmdistill.recipes.language.stage import LanguageStage, run_language_stage
from lmdistill.recipes.schedule.craft import Craft
from lmdistill.recipes.schedule.pruning import Pruning, sliced
from lmdistill.recipes.schedule.stages import follow
from lmdistill.recipes.schedule.way import Way
from lmdistill.report.record import Record
from lmdistill.schedules.plans import Schedule

IMPORTANCE_BATCH = 16
"""Passages of a batch whose slopes count together."""

METRIC = "accuracy_of_tokens"
"""What candidates are judged by: the share of dev tokens that are most likely, which lies in [0, 1]."""


def language_craft(stage: LanguageStage) -> Craft[LanguageNetwork]:
    """What a schedule can do with language models on the passages of `stage`."""
    device = str(make_accelerator(stage.training).device)

    def judge(net: Net) -> float:
        return language_scores(cast(LanguageNet, net), stage.pages.dev_batches(), device=device).accuracy

    def judged(record: Record) -> float:
        return record.metrics["dev"][METRIC] or 0.0

    def batches(pruning: Pruning) -> Iterable[Batch]:
        passages = stage.pages.train if pruning.data == "train" else stage.pages.dev
        rows = passages.rows.select(range(min(pruning.rows, len(passages.rows))))
        collator = LanguageCollator(rows=rows, padding=stage.pages.padding)
        for (draw,) in in_order(passages.lengths[: len(rows)], batch_size=IMPORTANCE_BATCH):
            yield collator[draw]

    return Craft(
        run=run_language_stage,
        feed=lambda method, training: replace(stage, method=method, training=training).feed,
        metric=METRIC,
        judge=judge,
        judged=judged,
        load=lambda folder: load_causal(folder),
        time=lambda networks: {},
        batches=batches,
        data=stage.texts.fingerprint,
    )


def on_language_schedule(
    stage: LanguageStage, schedule: Schedule, *, keep: float, pruning: Pruning, cache: Path | None
) -> LanguageStage:
    """Do every stage before the last one of a language model's schedule.

    Args:
        stage: The last stage as if there were no schedule; its student is not pruned yet.
        schedule: Who learns from whom.
        keep: Fraction of its units that the student keeps.
        pruning: Which of them.
        cache: Folder of importances that were measured before.

    Returns:
        The last stage, ready to be run.

    Raises:
        ModelError: If the family cannot be pruned, or no head would be left.
    """
    craft = language_craft(stage)
    slices = None
    if keep < 1:
        student = stage.student.to(make_accelerator(stage.training).device)
        slices = sliced(student, pruning, batches=craft.batches, data=craft.data, cache=cache)
        slices.widths(keep)  # what does not fit is said before the first stage
    way = Way(schedule=schedule, keep=keep, stage=stage, craft=craft, slices=slices)
    return cast(LanguageStage, follow(way))
