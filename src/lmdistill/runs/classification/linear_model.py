"""Training of a linear model on the texts of a task, from gold labels and answers of a teacher."""

import logging
import time
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Num

from lmdistill.core.errors import ConfigError, MismatchError
from lmdistill.core.progress import announce
from lmdistill.data.tasks.class_weights import ClassWeights, class_weights
from lmdistill.data.tasks.label_matching import match_labels
from lmdistill.data.tasks.plain_rows import Texts, labels_of, texts_of
from lmdistill.data.tasks.task import Task, has_label
from lmdistill.linear.classifier import LinearClassifier
from lmdistill.linear.features import learn_features
from lmdistill.linear.fit import fit, held_out_losses
from lmdistill.linear.targets import Targets, mixed_targets
from lmdistill.methods import TFIDF
from lmdistill.metrics.probabilities import log_softmax
from lmdistill.records.linear_facts import LinearFacts
from lmdistill.records.schema import Parameters
from lmdistill.records.schema import Training as TrainingFacts

log = logging.getLogger("lmdistill")

KINDS = ("classification", "regression")
"""Kinds of tasks that a linear model is trained for."""


@dataclass(frozen=True, kw_only=True)
class TrainedLinear:
    """A trained linear model and how it was trained."""

    model: LinearClassifier
    """The features with their weights; it maps texts to logits."""

    facts: LinearFacts
    """Rows, features and C."""

    training: TrainingFacts
    """Iterations and seconds."""


def require_kind_of(task: Task) -> None:
    """Refuse a task that a linear model is not trained for.

    Raises:
        ConfigError: If it has other outputs than classes or scores.
    """
    if task.spec.kind not in KINDS:
        raise ConfigError(
            f"method tfidf is for one class or one score a text, and a text of {task.spec.name} has any "
            "number of labels. Leave the method out."
        )


def linear_parameters(model: LinearClassifier) -> Parameters:
    """Inverse document frequencies as embeddings, coefficients and intercepts as head."""
    frequencies, weights = model.num_parameters
    return Parameters(embeddings=frequencies, encoder=0, head=weights, total=frequencies + weights)


def linear_logits(model: LinearClassifier, texts: Texts) -> Float[np.ndarray, "n v"]:
    """Logits or scores of a linear model for texts, in float32 as those of networks."""
    return model.logits(*texts).astype(np.float32)


def matched_linear(model: LinearClassifier, task: Task) -> LinearClassifier:
    """A linear model with its outputs in the order of the task's labels, matched by name.

    Raises:
        MismatchError: If its classes are not the task's, or it reads pairs and the task has single texts, or
            the other way round.
    """
    kinds = ("single texts", "pairs of texts")
    if model.features.pairs != task.is_pair:
        raise MismatchError(
            f"{model.source} reads {kinds[model.features.pairs]} and {task.spec.name} has "
            f"{kinds[task.is_pair]}. Use a model for this task, or name the columns with data.text."
        )
    if bool(model.labels) != bool(task.spec.labels):
        have, want = (", ".join(labels) or "a score" for labels in (model.labels, task.spec.labels))
        raise MismatchError(
            f"{model.source} predicts {have} and {task.spec.name} has {want}. Use another model."
        )
    if not model.labels:
        return model
    order = list(match_labels(task.spec.labels, model.labels))
    sign = 1 - 2 * order[0]  # of the one column of two classes, which changes where they change places
    one = model.coefficients.shape[1] == 1
    return replace(
        model,
        coefficients=sign * model.coefficients if one else model.coefficients[:, order],
        intercept=sign * model.intercept if one else model.intercept[order],
        labels=task.spec.labels,
    )


def train_linear(
    task: Task,
    method: TFIDF,
    answers: Float[np.ndarray, "n v"] | None,
    *,
    title: str,
    weights: ClassWeights = None,
) -> TrainedLinear:
    """Train on the rows of the task that have a label or, if the method uses a teacher, an answer.

    Args:
        task: Texts and labels.
        method: The settings.
        answers: Logits or scores of the teacher for the training texts, NaN without an answer.
        title: What the user sees of the run.
        weights: Weights of the classes in the loss of gold labels.

    Raises:
        ConfigError: If the weights do not fit the classes.
        DataError: If there is nothing to learn from.
    """
    start = time.perf_counter()
    targets = _targets(task, method, answers, weights)
    known = np.flatnonzero(targets.weights > 0)
    targets = targets.select(known)
    announce(f"{title}: TF-IDF features of {len(known):,} examples")
    first, second = texts_of(task.train.select(known), pair=task.is_pair)
    features, matrix = learn_features(
        first,
        second,
        words=method.words,
        characters=method.characters,
        sublinear=method.sublinear,
        most=method.max_features,
    )
    announce(f"{title}: training")
    losses = held_out_losses(matrix, targets, method.grid)
    chosen = min(losses, key=lambda value: losses[value], default=method.grid[0])
    found = fit(matrix, targets, C=chosen)
    seconds = time.perf_counter() - start
    log.info("%s: C=%g, %d iterations, %.1f s", title, chosen, found.iterations, seconds)
    return TrainedLinear(
        model=LinearClassifier(
            features=features,
            coefficients=found.coefficients.astype(np.float32),
            intercept=found.intercept.astype(np.float32),
            labels=task.spec.labels,
        ),
        facts=LinearFacts(
            rows=len(known),
            features=features.size,
            C=chosen,
            held_out={f"{value:g}": loss for value, loss in losses.items()},
        ),
        training=_training_facts(found.iterations, seconds),
    )


def _training_facts(iterations: int, seconds: float) -> TrainingFacts:
    """Each iteration is a pass over all rows."""
    return TrainingFacts(
        steps=iterations, epochs=float(iterations), seconds=seconds, examples_per_second=None
    )


def _targets(
    task: Task, method: TFIDF, answers: Float[np.ndarray, "n v"] | None, weights: ClassWeights
) -> Targets:
    """Targets and weights of the training rows."""
    labels = labels_of(task.train)
    of_class = class_weights(weights, labels, task.spec)
    of_row = None if of_class is None else of_class[labels]  # that of a row without a label does not matter
    taught = None if answers is None or not method.uses_teacher else answers.astype(np.float64)
    if taught is not None and task.spec.kind == "classification":
        taught = np.exp(log_softmax(taught / method.temperature))
    gold = gold_of(labels, task.spec.num_classes)
    return mixed_targets(gold, taught, alpha=method.alpha, gold_weights=of_row)


def gold_of(labels: Num[np.ndarray, " n"], count: int) -> Float[np.ndarray, "n v"]:
    """1 for the class of a row and 0 for the `count` - 1 others, or its score; NaN without a label."""
    known = has_label(labels)
    if count == 1:
        return np.where(known, labels, np.nan).astype(np.float64)[:, None]
    gold = np.full((len(labels), count), np.nan)
    gold[known] = np.eye(count)[labels[known]]
    return gold
