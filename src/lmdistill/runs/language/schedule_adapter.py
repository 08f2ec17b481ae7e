"""Schedules for models that write text."""

from collections.abc import Iterable, Mapping
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
from lmdistill.recipes.pruning import Pruning
from lmdistill.recipes.serialization import plain
from lmdistill.records.record import Record
from lmdistill.runs.classification.evaluation import LATENCY_PRECISION, LATENCY_RUNS
from lmdistill.runs.language.dataset import EncodedTexts
from lmdistill.runs.language.evaluation import typical_passage
from lmdistill.runs.language.stage_adapter import LanguageAdapter
from lmdistill.runs.schedules.adapter import ScheduleAdapter
from lmdistill.runs.stage import Stage

IMPORTANCE_BATCH = 16
"""Passages of a batch whose slopes count together."""

METRIC = "accuracy_of_tokens"
"""What candidates are judged by: the share of dev tokens that are most likely, which lies in [0, 1]."""


def language_adapter(
    stage: Stage[LanguageNetwork], adapter: LanguageAdapter, texts: Texts
) -> ScheduleAdapter[LanguageNetwork]:
    """What a schedule needs to prune and judge language models.

    Args:
        stage: The last stage as if there were no schedule.
        adapter: Its passages.
        texts: How the passages were cut.
    """
    device, encoded = str(make_accelerator(stage.training).device), adapter.encoded

    def judge(network: Net) -> float:
        return language_scores(cast(LanguageNet, network), encoded.dev_batches(), device=device).accuracy

    def judged(record: Record) -> float:
        return record.metrics["dev"][METRIC] or 0.0

    def load(folder: Path) -> LanguageNetwork:
        network = load_causal(folder)
        if stage.student.checkpoints_gradients:  # model folders do not store that
            network.checkpoint_gradients()
        return network

    def time(networks: Mapping[str, LanguageNetwork]) -> Mapping[str, float]:
        placed = {name: network.to(device) for name, network in networks.items()}
        timings = latencies(
            placed, typical_passage(encoded), runs=LATENCY_RUNS, device=device, precision=LATENCY_PRECISION
        )
        return {name: latency.p50_ms for name, latency in timings.items()}

    return ScheduleAdapter(
        feed=lambda method, training, teacher: adapter.feed(method, training),
        metric=METRIC,
        judge=judge,
        judged=judged,
        load=load,
        time=time,
        batches=lambda pruning: importance_batches(encoded, pruning),
        data=fingerprint(adapter.texts.fingerprint, plain(texts)),
    )


def importance_batches(encoded: EncodedTexts, pruning: Pruning) -> Iterable[Batch]:
    """The passages that importance is measured on."""
    passages = encoded.train if pruning.data == "train" else encoded.dev
    places = pruning.drawn(len(passages.rows))
    collator = LanguageCollator(rows=passages.rows.select(places), padding=encoded.padding)
    for (draw,) in evaluation_batches(passages.lengths[places], batch_size=IMPORTANCE_BATCH):
        yield collator[draw]
