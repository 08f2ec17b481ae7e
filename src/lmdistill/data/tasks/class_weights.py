"""Weights of classes in the loss of gold labels, and sampling by class: what tasks they are for."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Num

from lmdistill.core.errors import ConfigError
from lmdistill.data.tasks.task import has_label
from lmdistill.data.tasks.task_spec import TaskSpec

ClassWeights = str | tuple[float | int, ...] | Mapping[str | int, float | int] | None
"""`balanced`, one weight for each class in their order, or class -> weight; None weighs all the same."""


def class_weights(
    chosen: ClassWeights, labels: Num[np.ndarray, "n *labels"], spec: TaskSpec
) -> Float[np.ndarray, " c"] | None:
    """The weight of each class.

    `balanced` is n / (c * count) as in scikit-learn, with n labelled rows and c classes that have some: the
    mean weight of the rows is 1. A class without rows has the weight 0, which no row uses.

    Args:
        chosen: What the user set.
        labels: Of the training rows; -1 without one.
        spec: The task.

    Returns:
        One weight for each class in their order; None if all count the same.

    Raises:
        ConfigError: See `require_class_weights`.

    Examples:
        >>> spec = TaskSpec(name="own", columns=("text",), labels=("urgent", "usual"))
        >>> class_weights("balanced", np.array([0, 1, 1, 1]), spec).round(3).tolist()
        [2.0, 0.667]
    """
    require_class_weights(chosen, spec, "training")
    if chosen is None:
        return None
    if isinstance(chosen, Mapping):
        by_name = {str(name): weight for name, weight in chosen.items()}
        return np.array([by_name[label] for label in spec.labels], dtype=np.float64)
    if not isinstance(chosen, str):
        return np.array(chosen, dtype=np.float64)
    counts = np.bincount(labels[has_label(labels)], minlength=len(spec.labels)).astype(np.float64)
    present = counts > 0
    balanced = counts.sum() / (present.sum() * np.where(present, counts, 1.0))
    return np.where(present, balanced, 0.0)


def require_class_weights(chosen: ClassWeights, spec: TaskSpec, where: str) -> None:
    """Check that weights fit the classes of a task.

    Args:
        chosen: What the user set.
        spec: The task.
        where: Path of the training settings, for messages.

    Raises:
        ConfigError: The task has scores, or the number of weights or their names are not those of its
            classes.
    """
    if chosen is None:
        return
    if spec.kind != "classification":
        raise ConfigError(f"{where}.class_weights is set, and {spec.name} has {_others(spec)}. Leave it out.")
    classes = f"{len(spec.labels)} classes: {', '.join(spec.labels)}"
    if isinstance(chosen, Mapping):
        names = {str(name) for name in chosen}
        for name in (*sorted(names - set(spec.labels)), *sorted(set(spec.labels) - names)):
            problem = "is no class" if name in names else "has no weight"
            raise ConfigError(
                f"{where}.class_weights: {name} {problem}, and {spec.name} has {classes}. Give one weight "
                "for each class, or balanced."
            )
    elif not isinstance(chosen, str) and len(chosen) != len(spec.labels):
        raise ConfigError(
            f"{where}.class_weights has {len(chosen)} weights and {spec.name} has {classes}. Give one for "
            "each class in this order, or balanced."
        )


def require_sampling(sampling: str, spec: TaskSpec, where: str) -> None:
    """Check that a task whose rows are sampled by class has classes; `where` is as in the check of weights.

    Raises:
        ConfigError: The task has scores.
    """
    if sampling == "by_class" and spec.kind != "classification":
        raise ConfigError(f"{where}.sampling is by_class, and {spec.name} has {_others(spec)}. Leave it out.")


def _others(spec: TaskSpec) -> str:
    """What a task has in place of one class a text."""
    return "scores" if spec.kind == "regression" else "any number of labels for a text"
