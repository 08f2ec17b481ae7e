"""The teacher of a recipe: used as it is, or fine-tuned first and kept for later runs."""

import copy
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from lmdistill.core.atomic_io import atomic_folder
from lmdistill.core.errors import ConfigError, ModelError
from lmdistill.core.fingerprint import fingerprint
from lmdistill.core.seeding import seed_everything
from lmdistill.data.tasks.label_matching import (
    are_generic,
    are_same_names,
    match_labels,
    require_label_order,
)
from lmdistill.data.tasks.label_set_matching import require_output_order
from lmdistill.data.tasks.task import Task
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.training_settings import Training
from lmdistill.methods import FineTune
from lmdistill.models import model_stats
from lmdistill.models.classification_head import reorder_outputs
from lmdistill.models.classifier import Network
from lmdistill.models.loading.causal_lm import is_causal
from lmdistill.models.loading.classifier import has_head, load
from lmdistill.models.loading.resolve import resolve
from lmdistill.recipes.classifier import Teacher
from lmdistill.recipes.serialization import plain, training_inputs
from lmdistill.records.model_integrity import model_damage
from lmdistill.records.text_hashes import TEXT_HASHES
from lmdistill.runs.classification.dataset import read_split, require_outputs
from lmdistill.runs.classification.evaluation import KnownLogits
from lmdistill.runs.classification.stage_adapter import ClassificationAdapter
from lmdistill.runs.classification.stand_in import StandIn
from lmdistill.runs.run_folder import RunFolder, to_be_made
from lmdistill.runs.stage import Stage, run_stage

log = logging.getLogger("lmdistill")


@dataclass(frozen=True, kw_only=True)
class PreparedTeacher:
    """A teacher for the task: a network with a head for it, or answers to its texts."""

    network: Network | None
    """The teacher, its classes in the task's order; None if only its answers are known."""

    backbone: Network | None
    """The pretrained model with a new head; the teacher itself if it was not fine-tuned here."""

    folder: Path | None
    """Run folder of its fine-tuning; None if it was not fine-tuned here."""

    stand_in: StandIn | None = None
    """Teaches in place of `network`: recorded answers, or several models, of which that is the first."""

    @property
    def teaching(self) -> Network | StandIn | None:
        """What methods see of the teacher."""
        return self.stand_in or self.network


def prepare_teacher(
    settings: Teacher,
    task: Task,
    *,
    max_length: int,
    cache: Path,
    command: str,
    check: Callable[[PreparedTeacher], None] = lambda prepared: None,
    known_logits: KnownLogits | None = None,
) -> PreparedTeacher:
    """Load the teacher; fine-tune it first if it has no head for the task.

    A fine-tuned teacher is kept in `cache` under a fingerprint of model, data and settings, and used again
    while all of them are the same.

    Args:
        settings: The model, and its training settings.
        task: The task to be fine-tuned on.
        max_length: Longest input in tokens.
        cache: Folder of fine-tuned teachers.
        command: The command line, for the record.
        known_logits: Takes the dev logits of a teacher that is fine-tuned here, for the runs it teaches.
        check: Raises for a teacher of this shape what would go wrong with it after fine-tuning.

    Raises:
        MismatchError: If its classes differ from the task's, or fit much better in another order.
        ModelError: If it cannot be loaded.
    """
    loaded = load_teacher(settings, task, max_length=max_length, cache=cache)
    check(loaded)
    adapter = ClassificationAdapter(
        task=task, max_length=max_length, known_logits={} if known_logits is None else known_logits
    )
    return tuned_teacher(loaded, settings, adapter, command=command)


def load_teacher(settings: Teacher, task: Task, *, max_length: int, cache: Path) -> PreparedTeacher:
    """The teacher as it is, which has a folder if it is still to be fine-tuned; see `prepare_teacher`."""
    name, trust = settings.names[0], settings.trust_remote_code
    _require_classifier(name, trust=trust)
    if has_head(name, trust_remote_code=trust):
        _require_own_rows(settings, name, task.spec.name)
        network = matched(load(name, trust_remote_code=trust), task, max_length)
        return PreparedTeacher(network=network, backbone=network, folder=None)
    backbone = fresh(name, task, seed=settings.training.seed, trust=trust)
    inputs = {
        "model": model_stats.fingerprint(backbone),
        "data": task.fingerprint,
        "training": training_inputs(settings.training),
        "max_length": max_length,
        **({"metrics": task.spec.chosen_metrics} if task.spec.chosen_metrics else {}),
    }
    folder = cache / f"{task.spec.name.replace('/', '-')}-{fingerprint(inputs)}"
    student = Network(copy.deepcopy(backbone.model), backbone.tokenizer, source=backbone.source)
    return PreparedTeacher(network=student, backbone=backbone, folder=folder)


def _require_classifier(name: str, *, trust: bool) -> None:
    """Say what a decoder without a head needs to teach.

    Raises:
        ModelError: If the teacher is one.
    """
    if is_causal(name, trust_remote_code=trust):
        raise ModelError(
            f"the teacher {name} is a model that writes text and has no classification head. Set "
            "teacher.prompt, so that it answers by prompt, or name a classifier."
        )


def _require_own_rows(settings: Teacher, name: str, task: str) -> None:
    """Say that a teacher which is not fine-tuned here has seen what it has seen.

    Raises:
        ConfigError: If other rows are asked for.
    """
    if settings.rows == "all":
        raise ConfigError(
            f"teacher.rows is all, and the teacher {name} has a head for {task} already, so it is not "
            "fine-tuned. Leave it out."
        )


def tuned_teacher(
    loaded: PreparedTeacher, settings: Teacher, adapter: ClassificationAdapter, *, command: str
) -> PreparedTeacher:
    """A teacher from `load_teacher`, fine-tuned on the task of `adapter` if it has no head for it."""
    folder, network = loaded.folder, loaded.network
    if folder is None:
        return loaded
    assert network is not None
    with to_be_made(RunFolder(path=folder)) as is_missing:
        if is_missing:
            log.info(
                "the teacher %s has no head for %s; fine-tuning it into %s",
                network.source,
                adapter.task.spec.name,
                folder,
            )
            fine_tune(network, adapter, settings.training, folder=folder, command=command)
        else:
            log.info("using the teacher fine-tuned before, in %s", folder)
    return replace(loaded, network=load(folder / "student"))


def fresh(model: str, task: Task, *, seed: int, trust: bool = False) -> Network:
    """The model called `model` with a new head for `task`, drawn from `seed`."""
    seed_everything(seed, "head")
    return load(
        model,
        labels=task.spec.labels or None,
        regression=task.spec.kind == "regression",
        multi_label=task.spec.kind == "multilabel",
        trust_remote_code=trust,
    )


def fine_tune(
    network: Network, adapter: ClassificationAdapter, training: Training, *, folder: Path, command: str
) -> None:
    """Fine-tune `network` on the labels of the task of `adapter`, as a run of its own in `folder`."""
    stage = Stage(
        kind="finetune",
        name="teacher",
        student=network,
        teacher=None,
        method=FineTune(),
        training=training,
        adapter=adapter,
        folder=folder,
        recipe={
            "task": adapter.task.spec.name,
            "model": network.source,
            "training": plain(training),
            "max_length": adapter.max_length,
        },
        command=command,
    )
    run_stage(stage)


def matched(network: Network, task: Task, max_length: int, *, who: str = "the teacher") -> Network:
    """A classifier with its outputs in the task's order, matched by label; unnamed outputs are tried on dev.

    Args:
        network: The classifier.
        task: Its labels have the wanted order.
        max_length: Longest input in tokens.
        who: What to call the classifier in messages.

    Raises:
        MismatchError: If its classes differ, or unnamed outputs fit much better in another order.
    """
    require_outputs(task, network, who.removeprefix("the "))
    if task.spec.kind == "regression":
        return network
    is_named = not are_generic(network.labels)
    if is_named or are_same_names(task.spec.labels, network.labels):
        network = reorder_outputs(network, match_labels(task.spec.labels, network.labels), task.spec.labels)
    if is_named:
        return network
    device = str(make_accelerator(Training()).device)
    split = read_split(task, task.spec.splits[0], network, max_length=max_length).head(2000)
    several = task.spec.kind == "multilabel"
    require = require_output_order if several else require_label_order
    found = require(
        split.logits(network.to(device), device), split.labels, task.spec.labels, model=network.source
    )
    measure = "a mean correlation with the labels of" if several else "accuracy"
    log.info(
        "the outputs of %s have no names; in the task's order they reach %s %.4f on dev", who, measure, found
    )
    return reorder_outputs(network, range(len(task.spec.labels)), task.spec.labels)


def keep_teacher(teacher: PreparedTeacher, folder: Path) -> Path | None:
    """Put a teacher that was fine-tuned here into a run folder: hard links where possible, else copies.

    Returns:
        Folder of the teacher's files: `folder`, or where it was loaded from; None for the hub.
    """
    if teacher.folder is None:
        source = None if teacher.network is None else Path(resolve(teacher.network.source))
        return source if source is not None and source.is_dir() else None
    return keep_model(teacher.folder, folder)


def keep_model(tuned: Path, folder: Path, *, as_run: bool = True) -> Path:
    """Put the network of a fine-tuning run into a folder, unless it is there and undamaged; the folder.

    Args:
        tuned: The run folder.
        folder: Where its network goes.
        as_run: Also put its record there, so that tables show it, and the hashes of its texts.
    """
    if not folder.exists() or model_damage(folder) is not None:
        with atomic_folder(folder) as part:
            for file in sorted((tuned / "student").iterdir()):
                _link(file, part / file.name)
            if as_run:
                for name in ("record.json", TEXT_HASHES):
                    if (tuned / name).is_file():  # older runs have no hashes
                        _link(tuned / name, part / name)
    return folder


def _link(source: Path, target: Path) -> None:
    """A hard link to a file, or a copy where the file system has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
