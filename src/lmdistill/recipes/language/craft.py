"""Schedules for models that write text."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

from lmdistill.core.fingerprint import fingerprint
from lmdistill.core.language import LanguageNet
from lmdistill.core.types import Batch, Net
from lmdistill.data.language_batches import LanguageCollator
from lmdistill.data.sampling import in_order
from lmdistill.engine.device import make_accelerator
from lmdistill.evaluation.cost import latencies
from lmdistill.evaluation.language import language_scores
from lmdistill.models.causal import LanguageNetwork
from lmdistill.models.causal_load import load_causal
from lmdistill.recipes.construct import plain
from lmdistill.recipes.language.passages import Pages
from lmdistill.recipes.language.proof import typical_passage
from lmdistill.recipes.language.schema import Texts
from lmdistill.recipes.language.stage import LanguageStage, run_language_stage
from lmdistill.recipes.proof import LATENCY_RUNS
from lmdistill.recipes.schedule.craft import Craft
from lmdistill.recipes.schedule.pruning import Pruning
from lmdistill.report.record import Record

IMPORTANCE_BATCH = 16
"""Passages of a batch whose slopes count together."""

METRIC = "accuracy_of_tokens"
"""What candidates are judged by: the share of dev tokens that are most likely, which lies in [0, 1]."""


def language_craft(stage: LanguageStage, texts: Texts) -> Craft[LanguageNetwork]:
    """What a schedule can do with language models on the passages of `stage`, cut as `texts` says."""
    device = str(make_accelerator(stage.training).device)

    def judge(net: Net) -> float:
        return language_scores(cast(LanguageNet, net), stage.pages.dev_batches(), device=device).accuracy

    def judged(record: Record) -> float:
        return record.metrics["dev"][METRIC] or 0.0

    def loaded(folder: Path) -> LanguageNetwork:
        network = load_causal(folder)
        if stage.student.checkpoints_gradients:  # no folder keeps that
            network.checkpoint_gradients()
        return network

    def time(networks: Mapping[str, LanguageNetwork]) -> Mapping[str, float]:
        placed = {name: network.to(device) for name, network in networks.items()}
        found = latencies(placed, typical_passage(stage.pages), runs=LATENCY_RUNS, device=device)
        return {name: one.p50_ms for name, one in found.items()}

    return Craft(
        run=run_language_stage,
        feed=lambda method, training, teacher: replace(stage, method=method, training=training).feed,
        metric=METRIC,
        judge=judge,
        judged=judged,
        load=loaded,
        time=time,
        batches=lambda pruning: importance_batches(stage.pages, pruning),
        data=fingerprint(stage.texts.fingerprint, plain(texts)),
    )


def importance_batches(pages: Pages, pruning: Pruning) -> Iterable[Batch]:
    """The passages that importance is measured on."""
    passages = pages.train if pruning.data == "train" else pages.dev
    places = pruning.drawn(len(passages.rows))
    collator = LanguageCollator(rows=passages.rows.select(places), padding=pages.padding)
    for (draw,) in in_order(passages.lengths[places], batch_size=IMPORTANCE_BATCH):
        yield collator[draw]
