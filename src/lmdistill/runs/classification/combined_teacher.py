"""Several models as one teacher, or one with a temperature or a prompt; implements `StandIn`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float

from lmdistill.core.batch import Inputs, Outputs
from lmdistill.core.errors import ConfigError, MismatchError
from lmdistill.core.fingerprint import fingerprint
from lmdistill.data.tasks.task import Task
from lmdistill.evaluation.classification import score
from lmdistill.evaluation.ensemble import Combine, combined, disagreement
from lmdistill.evaluation.temperature import FittedTemperature, fit_temperature
from lmdistill.models.classifier import Network
from lmdistill.models.model_stats import count_parameters
from lmdistill.records.number_ranges import Scores
from lmdistill.records.teaching_facts import Disagreement, TeachingFacts, Temperature
from lmdistill.records.teaching_facts import TeacherModel as ModelFacts
from lmdistill.runs.classification.costs import TimedNetwork
from lmdistill.runs.classification.dataset import same_tokenizer
from lmdistill.runs.classification.teacher_models import TeacherModel
from lmdistill.runs.classification.teacher_outputs import NetworkOutputs

CHUNK = 65536
"""Number of rows whose logits are combined at once."""

HELD_OUT = "held out"
"""Name of the split that a temperature is fitted on, while it is."""


@dataclass(frozen=True, kw_only=True)
class CombinedTeacher:
    """One or several models whose combined logits teach; has the attributes of a network (`Net`)."""

    models: tuple[TeacherModel, ...]
    """The models, at least one, each with the task's classes in the task's order."""

    task: Task
    """The task whose texts they answer, training texts without labels included."""

    combine: Combine = "log_probabilities"
    """What is averaged over the models."""

    temperature: FittedTemperature | None = None
    """The fitted temperature; None divides by 1."""

    outputs: NetworkOutputs | None = None
    """Where logits for training texts are kept; None keeps them in memory."""

    num_layers: int = 0
    """0: it has no layers that could be compared."""

    width: int = 0
    """0: it has no hidden states that could be compared."""

    def __post_init__(self) -> None:
        if self.task.spec.kind == "multilabel":
            raise ConfigError(
                f"{self.task.spec.name} has several labels a text, and models are combined or prompted "
                "for one class a text. Name one teacher in teacher.model."
            )

    @property
    def num_classes(self) -> int:
        """Number of outputs."""
        return self.task.spec.num_classes

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes in the order of the logits."""
        return self.task.spec.labels

    @property
    def name(self) -> str:
        """What to call it."""
        return self.models[0].source if len(self.models) == 1 else f"an ensemble of {len(self.models)} models"

    @cached_property
    def fingerprint(self) -> str:
        """Fingerprint of the models, whose order does not matter, and of how they are combined."""
        value = None if self.temperature is None else self.temperature.value
        return fingerprint(sorted(model.fingerprint for model in self.models), self.combine, value)

    @cached_property
    def reader(self) -> Network | None:
        """The first network if all are classifiers with one tokenizer; None if not."""
        networks = [model.network for model in self.models]
        first = networks[0]
        if isinstance(first, Network) and all(
            isinstance(other, Network) and same_tokenizer(first, other) for other in networks
        ):
            return first
        return None

    @property
    def why_not_run(self) -> str | None:
        """Why it cannot be run on new inputs, for a message; None if it can."""
        if self.reader is not None:
            return None
        if len(self.models) == 1:
            return f"{self.name}, which is prompted, only answers texts"
        return f"the models of {self.name} read different tokens, so they only answer texts"

    def __call__(self, inputs: Inputs, *, hidden: bool = False) -> Outputs:
        """Run every model, which mixes its own embeddings, and combine the logits.

        Raises:
            MismatchError: If hidden states are asked for, or the models do not share a tokenizer.
        """
        why = "it has no hidden states" if hidden else self.why_not_run
        if why is not None:
            raise MismatchError(
                f"the method asks {self.name} for more than answers, and {why}. Use method kd."
            )
        networks = [cast(Network, model.network).to(inputs.ids.device).eval() for model in self.models]
        logits = torch.stack([network(inputs).logits for network in networks])
        return Outputs(logits=combined(logits, self.combine, temperature=self._divisor))

    def train_logits(self) -> Float[np.ndarray, "n v"]:
        """Logits for the training texts, combined when all processes first ask for them."""
        return self._train

    def dev_logits(self) -> Mapping[str, Float[np.ndarray, "n v"]]:
        """Logits by dev split."""
        return {split: self._combined(found) for split, found in self._dev_members.items()}

    def fitted(self, held: Task) -> "CombinedTeacher":
        """The same with a temperature fitted on the split `HELD_OUT` of a task."""
        logits = self._combined([model.logits(held, HELD_OUT) for model in self.models])
        labels = np.asarray(held.split(HELD_OUT).with_format("numpy")["label"][:])
        return replace(self, temperature=fit_temperature(labels, logits))

    def parts(self) -> Sequence[TimedNetwork]:
        """Every model is run for an example."""
        return tuple(model.part(self.task) for model in self.models)

    def facts(self) -> Mapping[str, Any]:
        """What the record says of the models."""
        found: dict[str, Any] = {}
        if len(self.models) > 1:
            known = dict(self._dev_members)
            if "_members" in self.__dict__:  # all processes read them together, and only one is here now
                known = {"train": self._members, **known}
            found["disagreement"] = {split: _disagreement(members) for split, members in known.items()}
        for model in self.models:
            found.update(model.facts(self.task))
        models = tuple(self._model_facts(number) for number in range(len(self.models)))
        facts = TeachingFacts(
            models=models, combine=self.combine, temperature=self._temperature_facts(), **found
        )
        return {"teaching": facts}

    @property
    def _divisor(self) -> float:
        """The temperature, or 1."""
        return 1.0 if self.temperature is None else self.temperature.value

    @cached_property
    def _train(self) -> Float[np.ndarray, "n v"]:
        """Combined logits for the training texts."""
        return self._combined(self._members)

    @cached_property
    def _members(self) -> list[Float[np.ndarray, "n v"]]:
        """Logits of each model for the training texts."""
        if self.outputs is None:
            return [model.logits(self.task, "train") for model in self.models]
        return [model.stored(self.task, self.outputs) for model in self.models]

    @cached_property
    def _dev_members(self) -> dict[str, list[Float[np.ndarray, "n v"]]]:
        """Logits of each model by dev split."""
        return {
            split: [model.logits(self.task, split) for model in self.models]
            for split in self.task.spec.splits
        }

    def _combined(self, members: Sequence[Float[np.ndarray, "n v"]]) -> Float[np.ndarray, "n v"]:
        """Combined logits in float32, computed in float64, some rows at a time."""
        out = np.empty(members[0].shape, dtype=np.float32)
        for first in range(0, len(out), CHUNK):
            rows = slice(first, first + CHUNK)
            wide = torch.from_numpy(np.stack([np.asarray(one[rows], dtype=np.float64) for one in members]))
            out[rows] = combined(wide, self.combine, temperature=self._divisor).numpy()
        return out

    def _model_facts(self, number: int) -> ModelFacts:
        """What the record says of one model."""
        model, spec = self.models[number], self.task.spec
        metrics: Scores = {
            split: dict(score(spec.metrics, np.asarray(self.task.split(split)["label"][:]), members[number]))
            for split, members in self._dev_members.items()
        }
        network = model.network
        return ModelFacts(
            source=model.source,
            fingerprint=model.fingerprint,
            layers=network.num_layers,
            parameters=count_parameters(network).total,
            metrics=metrics,
            seed=model.seed,
        )

    def _temperature_facts(self) -> Temperature | None:
        """What the record says of the temperature."""
        fitted = self.temperature
        return (
            None
            if fitted is None
            else Temperature(
                value=fitted.value,
                rows=fitted.rows,
                nll_before=fitted.nll_before,
                nll_after=fitted.nll_after,
                may_be_seen=self.may_have_seen,
            )
        )

    @property
    def may_have_seen(self) -> bool:
        """Whether a classifier came fine-tuned, so that it may have been trained on any row."""
        return any(isinstance(model.network, Network) and model.folder is None for model in self.models)


def _disagreement(members: Sequence[Float[np.ndarray, "n v"]]) -> Disagreement:
    """Disagreement on one split, averaged over chunks of rows."""
    total, sums = len(members[0]), dict[str, float]()
    for first in range(0, total, CHUNK):
        part = np.stack([np.asarray(one[first : first + CHUNK]) for one in members])
        for name, value in disagreement(part).items():
            sums[name] = sums.get(name, 0.0) + value * part.shape[1] / total
    return Disagreement(**sums)
