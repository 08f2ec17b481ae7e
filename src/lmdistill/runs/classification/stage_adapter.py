"""What a run does for classifiers and scorers: encode a task, score its dev splits, evaluate the student."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from lmdistill.core.fingerprint import fingerprint
from lmdistill.core.protocols import Method, Net
from lmdistill.data.batching.dataloader import BatchLoader
from lmdistill.data.tasks.task import Task
from lmdistill.engine.training_settings import Training
from lmdistill.evaluation.generalization_gap import empirical_risk
from lmdistill.evaluation.task_quality import task_scores
from lmdistill.export.hugging_face import keep_thresholds
from lmdistill.methods.teacher_outputs import reads_stored_logits
from lmdistill.models.classifier import Network
from lmdistill.models.vocabulary_trimming.chosen_pieces import Size
from lmdistill.models.weight_types import rounded
from lmdistill.recipes.classifier_student import SavedAs
from lmdistill.recipes.representation_map import Map
from lmdistill.records.origin import Origin
from lmdistill.records.representation_map import MAP, write_map
from lmdistill.records.schema import MapFacts, NetworkFacts
from lmdistill.records.vocabulary_facts import VocabularyFacts
from lmdistill.runs.classification.costs import TimedNetwork, cost, of_network
from lmdistill.runs.classification.dataset import EncodedTask, encode_task
from lmdistill.runs.classification.evaluation import (
    KnownLogits,
    disagreements,
    predict_dev,
    predictions,
    task_facts,
)
from lmdistill.runs.classification.quality import ThresholdSetting, label_thresholds, quality, thresholds_for
from lmdistill.runs.classification.representation_map import project
from lmdistill.runs.classification.risk import risk
from lmdistill.runs.classification.seen_texts import teacher_sources, write_seen_texts
from lmdistill.runs.classification.stand_in import StandIn, cost_of_teacher
from lmdistill.runs.classification.teacher_outputs import NetworkOutputs
from lmdistill.runs.classification.trimmed_vocabulary import with_trimmed_vocabulary
from lmdistill.runs.stage import EncodedData, Evaluation, Stage


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

    labelled_per_batch: int | None = None
    """Labelled examples in each batch if some have no label; None shuffles them with the others."""

    threshold: ThresholdSetting = 0.5
    """Threshold of the labels of a multi-label student, or "dev" to choose one for each label."""

    stand_in: StandIn | None = None
    """Stands in for a teacher that is not one network; None if one teaches, or nobody."""

    origin: Origin | None = None
    """The trained classifier that the student begins as; None if it begins otherwise."""

    vocabulary: Size | None = None
    """Word pieces of the saved student; None keeps all."""

    saved_as: SavedAs | None = None
    """Type of the saved weights; None for that of the student."""

    taught: Task | None = None
    """The task that the teacher was fine-tuned on for this run; None if it was not."""

    outputs: NetworkOutputs | None = None
    """Where the teacher's logits for the training texts are kept; None runs the teacher in every step."""

    @property
    def unit(self) -> Literal["examples", "tokens"]:
        """Progress counts examples."""
        return "examples"

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the task, and of what stands in for its teacher."""
        if self.stand_in is None:
            return self.task.fingerprint
        return fingerprint(self.task.fingerprint, self.stand_in.fingerprint)

    def encode(self, student: Network, teacher: Network | None) -> "EncodedClassification":
        """The task in tokens of the student and, if it has another tokenizer, of the teacher.

        Raises:
            MismatchError: If the student does not predict the task's classes.
            ConfigError: If a network cannot read texts of this length.
        """
        stand_in = self.stand_in
        reader = teacher if stand_in is None else stand_in.reader
        data = replace(
            encode_task(self.task, student, reader, max_length=self.max_length),
            labelled_per_batch=self.labelled_per_batch,
        )
        outputs: Callable[[], Float[np.ndarray, "n v"]] | None = None
        if stand_in is not None and (self.outputs is not None or reader is None):
            outputs = stand_in.train_logits
        elif self.outputs is not None and teacher is not None:
            # called once, where all processes are: the numbers of a run's training are read on one of them
            outputs = cache(partial(self.outputs.of, teacher, data, self.max_length))
        return EncodedClassification(
            data=data,
            map=self.map,
            known_logits=self.known_logits,
            threshold=self.threshold,
            stand_in=stand_in,
            origin=self.origin,
            taught=self.taught,
            teacher_logits=outputs,
        )

    def compact(
        self, stage: Stage[Network], encoded: EncodedData[Network]
    ) -> tuple[Stage[Network], EncodedData[Network]]:
        """The stage with a trimmed vocabulary and rounded weights, if asked for, and the data in its tokens.

        Raises:
            ModelError: If the vocabulary cannot be trimmed, or a weight is too large for its type.
        """
        student, facts = stage.student, None
        if self.vocabulary is not None:
            student, facts = with_trimmed_vocabulary(student, self.task, self.vocabulary, self.max_length)
        if self.saved_as not in (None, "float32"):
            student = rounded(student, self.saved_as)
        if student.tokenizer is not stage.student.tokenizer:
            encoded = self.encode(student, stage.teacher)
        assert isinstance(encoded, EncodedClassification)
        return replace(stage, student=student), replace(encoded, vocabulary=facts)


@dataclass(frozen=True, kw_only=True)
class EncodedClassification:
    """An encoded task; implements `EncodedData`."""

    data: EncodedTask
    """Every split in tokens."""

    map: Map | None
    """Settings of the map of representations; None draws none."""

    known_logits: KnownLogits
    """Dev logits of networks by fingerprint; filled on the way."""

    threshold: ThresholdSetting = 0.5
    """Threshold of the labels of a multi-label student, or "dev"."""

    stand_in: StandIn | None = None
    """Stands in for a teacher that is not one network."""

    origin: Origin | None = None
    """The trained classifier that the student began as."""

    taught: Task | None = None
    """The task that the teacher was fine-tuned on for this run."""

    vocabulary: VocabularyFacts | None = None
    """What was trimmed of the student's vocabulary."""

    teacher_logits: Callable[[], Float[np.ndarray, "n v"]] | None = None
    """Gives the stored logits of the teacher for the training texts; None if there are none."""

    def feed(self, method: Method, training: Training) -> BatchLoader:
        """The training batches, with stored logits of the teacher if the method reads them."""
        if self.teacher_logits is None or not reads_stored_logits(method):
            return self.data.feed(method, training)
        train = replace(self.data.train, teacher_logits=self.teacher_logits())
        return replace(self.data, train=train).feed(method, training)

    def dev_scores(self, network: Net, device: str) -> Mapping[str, float]:
        """The task's metrics on the first dev split."""
        split = next(iter(self.data.dev.values()))
        labels, logits = split.labels, split.logits(network, device)
        thresholds = thresholds_for(self.threshold, labels, logits)
        return task_scores(self.data.task.spec.metrics, labels, logits, thresholds)

    @property
    def num_train(self) -> int:
        """Number of training examples."""
        return len(self.data.train.student.rows)

    @property
    def labelled_rows(self) -> Int[np.ndarray, " k"]:
        """Numbers of the training examples that have a label."""
        labelled = self.data.train.labelled
        return np.arange(self.num_train) if labelled is None else np.flatnonzero(labelled)

    def select(self, train: Sequence[int], dev: Sequence[int]) -> "EncodedClassification":
        """The training examples with these numbers as training data, and others of them as dev examples."""
        whole, logits = self.data.train, self.teacher_logits
        data = replace(self.data, train=whole.select(train), dev={"held out": whole.select(dev)})
        chosen = None if logits is None else partial(_rows_of, logits, train)
        return replace(self, data=data, known_logits={}, teacher_logits=chosen)

    def loss(self, network: Net, device: str) -> float:
        """Mean loss on the first dev split: nats, or the squared error of scores."""
        split = next(iter(self.data.dev.values()))
        return empirical_risk(split.labels, split.logits(network, device))

    def evaluate(self, stage: Stage[Network], device: str) -> Evaluation:
        """Quality, generalization gap, costs and predictions of the student beside its reference."""
        student, reference, data = stage.student, stage.reference, self.data
        outputs = predict_dev(data, student, reference, device, self.known_logits)
        if self.stand_in is not None:
            outputs = replace(outputs, teacher=self.stand_in.dev_logits())
        thresholds = label_thresholds(self.threshold, data, outputs, reference)
        keep_thresholds(student, None if thresholds is None else thresholds.student, stage.student_folder)
        # before the map is drawn: it refuses logits that are not finite
        scores = quality(data, outputs, thresholds)
        headline = next(iter(data.dev))
        facts = {
            "task": task_facts(data),
            "class_weights": data.class_weights(stage.training),
            "origin": self.origin,
            "vocabulary": self.vocabulary,
            "risk": risk(data, student, outputs.student[headline], device),
            "map": self._write_map(stage, device),
            **({} if self.stand_in is None else self.stand_in.facts()),
            **scores,
            **self._costs(stage, device),
        }
        write_seen_texts(
            stage.folder,
            data.task,
            taught=self.taught,
            teachers=teacher_sources(reference, self.stand_in),
            origin=None if self.origin is None else self.origin.source,
        )
        rows = predictions(data, outputs)
        return Evaluation(facts=facts, predictions=rows, disagreements=disagreements(data, rows, thresholds))

    def _costs(self, stage: Stage[Network], device: str) -> dict[str, NetworkFacts | None]:
        """Cost of the student and of its teacher, all of whose networks are run."""
        split, stand_in, reference = next(iter(self.data.dev.values())), self.stand_in, stage.reference
        student = of_network(stage.student, split, stage.student_folder)
        parts: Sequence[TimedNetwork] = ()
        if stand_in is not None:
            parts = stand_in.parts()
        elif reference is not None:
            parts = (of_network(reference, split, stage.teacher_folder, as_teacher=True),)
        for part in parts:
            part.network.to(device)
        ours, *theirs = cost(student, parts, len(split.student.rows), device)
        return {"student": ours, "teacher": cost_of_teacher(theirs, stand_in)}

    def _write_map(self, stage: Stage[Network], device: str) -> MapFacts | None:
        """Write the map of representations where one is wanted; its facts for the record."""
        if self.map is None:
            return None
        points, facts = project(self.data, self.map, stage.student, stage.reference, device)
        write_map(stage.folder / MAP, points)
        return facts


def _rows_of(logits: Callable[[], Float[np.ndarray, "n v"]], rows: Sequence[int]) -> Float[np.ndarray, "k v"]:
    """Some rows of stored logits, which are computed only if they are asked for."""
    return logits()[np.asarray(rows, dtype=np.int64)]
