"""What a run does for classifiers and scorers: encode a task, score its dev splits, evaluate the student."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from lmdistill.core.protocols import Method, Net
from lmdistill.data.batching.dataloader import BatchLoader
from lmdistill.data.tasks.task import Task
from lmdistill.engine.training_settings import Training
from lmdistill.evaluation.classification import score
from lmdistill.evaluation.generalization_gap import empirical_risk
from lmdistill.models.classifier import Network
from lmdistill.recipes.representation_map import Map
from lmdistill.records.representation_map import MAP, write_map
from lmdistill.records.schema import MapFacts
from lmdistill.runs.classification.dataset import EncodedTask, encode_task
from lmdistill.runs.classification.evaluation import (
    KnownLogits,
    cost,
    disagreements,
    predict_dev,
    predictions,
    quality,
    risk,
    task_facts,
)
from lmdistill.runs.classification.representation_map import project
from lmdistill.runs.stage import Evaluation, Stage


@dataclass(frozen=True, kw_only=True)
class ClassificationAdapter:
    """A task for classifiers or scorers; implements `StageAdapter`."""

    task: Task
    """Training and dev splits."""

    max_length: int
    """Longest input in tokens, >= 3."""

    map: Map | None = None
    """Settings of the map of representations; None draws none."""

    known_logits: KnownLogits = field(default_factory=dict)
    """Dev logits of networks, shared by the runs of a recipe so that its teacher is evaluated once."""

    @property
    def unit(self) -> Literal["examples", "tokens"]:
        """Progress counts examples."""
        return "examples"

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the task."""
        return self.task.fingerprint

    def encode(self, student: Network, teacher: Network | None) -> "EncodedClassification":
        """The task in tokens of the student and, if it has another tokenizer, of the teacher.

        Raises:
            MismatchError: If the student does not predict the task's classes.
            ConfigError: If a network cannot read texts of this length.
        """
        data = encode_task(self.task, student, teacher, max_length=self.max_length)
        return EncodedClassification(data=data, map=self.map, known_logits=self.known_logits)


@dataclass(frozen=True, kw_only=True)
class EncodedClassification:
    """An encoded task; implements `EncodedData`."""

    data: EncodedTask
    """Every split in tokens."""

    map: Map | None
    """Settings of the map of representations; None draws none."""

    known_logits: KnownLogits
    """Dev logits of networks by fingerprint; filled on the way."""

    def feed(self, method: Method, training: Training) -> BatchLoader:
        """The training batches."""
        return self.data.feed(method, training)

    def dev_scores(self, network: Net, device: str) -> Mapping[str, float]:
        """The task's metrics on the first dev split."""
        split = next(iter(self.data.dev.values()))
        return score(self.data.task.spec.metrics, split.labels, split.logits(network, device))

    @property
    def num_train(self) -> int:
        """Number of training examples."""
        return len(self.data.train.student.rows)

    def select(self, train: Sequence[int], dev: Sequence[int]) -> "EncodedClassification":
        """The training examples with these numbers as training data, and others of them as dev examples."""
        whole = self.data.train
        data = replace(self.data, train=whole.select(train), dev={"held out": whole.select(dev)})
        return replace(self, data=data, known_logits={})

    def loss(self, network: Net, device: str) -> float:
        """Mean loss on the first dev split: nats, or the squared error of scores."""
        split = next(iter(self.data.dev.values()))
        return empirical_risk(split.labels, split.logits(network, device))

    def evaluate(self, stage: Stage[Network], device: str) -> Evaluation:
        """Quality, generalization gap, costs and predictions of the student beside its reference."""
        student, reference, data = stage.student, stage.reference, self.data
        outputs = predict_dev(data, student, reference, device, self.known_logits)
        folders = {"student": stage.student_folder, "teacher": stage.teacher_folder}
        costs = cost(data, student, reference, folders, device)
        scores = quality(data, outputs)  # before the map is drawn: it refuses logits that are not finite
        headline = next(iter(data.dev))
        facts = {
            "task": task_facts(data),
            "risk": risk(data, student, outputs.student[headline], device),
            "map": self._write_map(stage, device),
            **scores,
            **costs,
        }
        rows = predictions(data, outputs)
        return Evaluation(facts=facts, predictions=rows, disagreements=disagreements(data, rows))

    def _write_map(self, stage: Stage[Network], device: str) -> MapFacts | None:
        """Write the map of representations where one is wanted; its facts for the record."""
        if self.map is None:
            return None
        points, facts = project(self.data, self.map, stage.student, stage.reference, device)
        write_map(stage.folder / MAP, points)
        return facts
