"""Schedules for models that write text."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

from lmdistill.core.batch import Batch
from lmdistill.core.fingerprint import fingerprint
from lmdistill.core.protocols import LanguageNet, Net
from lmdistill.data.batching.batch_sampler import evaluation_batches
from lmdistill.data.language.collator import LanguageCollator
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.evaluation.efficiency import latencies
from lmdistill.evaluation.language_modeling import language_scores
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.models.loading.causal_lm import load_causal
from lmdistill.recipes.language_model import Texts
from lmdistill.recipes.parsing import plain
from lmdistill.recipes.pruning import Pruning
from lmdistill.records.record import Record
from lmdistill.runs.classification.evaluation import LATENCY_RUNS
from lmdistill.runs.language.dataset import EncodedTexts
from lmdistill.runs.language.evaluation import typical_passage
from lmdistill.runs.language.stage import LanguageStage, run_language_stage
from lmdistill.runs.schedules.adapter import ScheduleAdapter

IMPORTANCE_BATCH = 16
"""Passages of a batch whose slopes count together."""

METRIC = "accuracy_of_tokens"
"""What candidates are judged by: the share of dev tokens that are most likely, which lies in [0, 1]."""


def language_adapter(stage: LanguageStage, texts: Texts) -> ScheduleAdapter[LanguageNetwork]:
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

    return ScheduleAdapter(
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


def importance_batches(pages: EncodedTexts, pruning: Pruning) -> Iterable[Batch]:
    """The passages that importance is measured on."""
    passages = pages.train if pruning.data == "train" else pages.dev
    places = pruning.drawn(len(passages.rows))
    collator = LanguageCollator(rows=passages.rows.select(places), padding=pages.padding)
    for (draw,) in evaluation_batches(passages.lengths[places], batch_size=IMPORTANCE_BATCH):
        yield collator[draw]
