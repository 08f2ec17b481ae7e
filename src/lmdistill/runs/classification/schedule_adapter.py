"""Schedules for classifiers and scorers."""

from collections.abc import Iterable, Mapping
from statistics import fmean

from lmdistill.core.batch import Batch
from lmdistill.core.errors import ModelError
from lmdistill.core.fingerprint import fingerprint
from lmdistill.core.protocols import Method, Net
from lmdistill.data.batching.dataloader import BatchLoader
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.training_settings import Training
from lmdistill.evaluation.efficiency import latencies
from lmdistill.evaluation.task_quality import is_task_at_chance, task_scores
from lmdistill.models.classifier import Network
from lmdistill.models.loading.classifier import load
from lmdistill.recipes.pruning import Pruning
from lmdistill.records.record import Record
from lmdistill.runs.classification.costs import typical
from lmdistill.runs.classification.dataset import EncodedSplit, encode_task
from lmdistill.runs.classification.evaluation import LATENCY_PRECISION, LATENCY_RUNS
from lmdistill.runs.classification.split_alarms import CONSTANT
from lmdistill.runs.classification.stage_adapter import ClassificationAdapter
from lmdistill.runs.schedules.adapter import ScheduleAdapter
from lmdistill.runs.stage import Stage

IMPORTANCE_BATCH = 32
"""Rows whose gradients are summed before squares are taken; the released code takes the evaluation batch."""

AVERAGED = frozenset({frozenset({"accuracy", "f1"}), frozenset({"pearson", "spearman"})})
"""Metrics whose mean chooses (MRPC and QQP, STS-B)."""


def classifier_adapter(stage: Stage[Network], adapter: ClassificationAdapter) -> ScheduleAdapter[Network]:
    """What a schedule needs to prune and judge classifiers on the task of `adapter`.

    Candidates are judged on the first dev split by the mean of accuracy and F1, or of both correlations, if
    the task has them, as in the released code; otherwise by the task's first metric.
    """
    data = encode_task(adapter.task, stage.student, stage.teacher, max_length=adapter.max_length)
    device = str(make_accelerator(stage.training).device)
    first, metrics = next(iter(data.dev)), adapter.task.spec.metrics
    judges = metrics if frozenset(metrics) in AVERAGED else metrics[:1]
    split = data.dev[first]

    def judge(net: Net) -> float:
        return fmean(task_scores(judges, split.labels, split.logits(net, device)).values())

    def judged(record: Record) -> float:
        return fmean(record.metrics[first][name] or 0.0 for name in judges)

    def feed(method: Method, training: Training, teacher: Network) -> BatchLoader:
        read = data
        if teacher is not stage.teacher:
            read = encode_task(adapter.task, stage.student, teacher, max_length=adapter.max_length)
        return read.feed(method, training)

    def time(networks: Mapping[str, Network]) -> Mapping[str, float]:
        placed = {name: network.to(device) for name, network in networks.items()}
        timings = latencies(
            placed,
            typical(split, 1, as_teacher=False),
            runs=LATENCY_RUNS,
            device=device,
            precision=LATENCY_PRECISION,
        )
        return {name: one.p50_ms for name, one in timings.items()}

    return ScheduleAdapter(
        feed=feed,
        metric=judges[0] if len(judges) == 1 else f"mean of {' and '.join(judges)}",
        judge=judge,
        judged=judged,
        load=lambda folder: load(folder),
        time=time,
        batches=lambda pruning: importance_batches(data.train if pruning.data == "train" else split, pruning),
        data=fingerprint(adapter.task.fingerprint, adapter.max_length),
    )


def require_tuned(stage: Stage[Network], adapter: ClassificationAdapter) -> None:
    """Refuse a teacher that has learned nothing: importances and scores of candidates would mean nothing.

    Raises:
        ModelError: If the teacher is no better than a constant answer on dev.
    """
    assert stage.teacher is not None
    data = encode_task(adapter.task, stage.student, stage.teacher, max_length=adapter.max_length)
    split = next(iter(data.dev.values()))
    device = str(make_accelerator(stage.training).device)
    answers = split.logits(stage.teacher.to(device), device, as_teacher=True)
    spec = adapter.task.spec
    if is_task_at_chance(spec.metrics, split.labels, answers, stage.teacher.thresholds):
        constant = CONSTANT[spec.kind]
        raise ModelError(
            f"the teacher {stage.teacher.source} is at or below {constant} on the dev set of "
            f"{spec.name}, so nothing in it can be ranked. Fine-tune it first, or for longer."
        )


def importance_batches(split: EncodedSplit, pruning: Pruning) -> Iterable[Batch]:
    """The rows of a split that importance is measured on; only those with a label."""
    labelled = split.with_labels()
    return labelled.select(pruning.drawn(len(labelled.student.rows))).batches(IMPORTANCE_BATCH)
