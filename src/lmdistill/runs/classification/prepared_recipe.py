"""A recipe for classifiers with its data loaded and its teacher fine-tuned."""

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path

from lmdistill.core.errors import ConfigError
from lmdistill.data.tasks.class_weights import require_class_weights, require_sampling
from lmdistill.data.tasks.task import Task
from lmdistill.data.tasks.teacher_answers import read_answers
from lmdistill.engine.distributed import main_process_first, on_main_process
from lmdistill.methods import TFIDF
from lmdistill.methods.teacher_outputs import require_answers_enough
from lmdistill.models.classifier import Network
from lmdistill.recipes.classifier import Recipe
from lmdistill.recipes.serialization import plain
from lmdistill.runs.classification.combined_teacher import CombinedTeacher
from lmdistill.runs.classification.data import Examples, load_examples
from lmdistill.runs.classification.ensemble import keep_models, prepare_ensemble
from lmdistill.runs.classification.evaluation import KnownLogits
from lmdistill.runs.classification.linear_model import require_kind_of
from lmdistill.runs.classification.linear_run import LinearRun
from lmdistill.runs.classification.origin import origin_of
from lmdistill.runs.classification.preconditions import networks_of, require_distillable
from lmdistill.runs.classification.prompted import prepare_prompted, require_own_student
from lmdistill.runs.classification.quality import require_labels_for
from lmdistill.runs.classification.recorded_teacher import recorded_teacher
from lmdistill.runs.classification.representation_map import require_classes
from lmdistill.runs.classification.schedule_adapter import classifier_adapter, require_tuned
from lmdistill.runs.classification.stage_adapter import ClassificationAdapter
from lmdistill.runs.classification.student import make_student
from lmdistill.runs.classification.teacher import PreparedTeacher, keep_teacher, prepare_teacher
from lmdistill.runs.classification.teacher_outputs import NetworkOutputs
from lmdistill.runs.expand import Cell
from lmdistill.runs.schedules.adapter import ScheduleAdapter
from lmdistill.runs.stage import Stage

log = logging.getLogger("lmdistill")


@dataclass(frozen=True, kw_only=True)
class PreparedClassification:
    """A recipe for classifiers, ready to run; implements `PreparedRecipe`."""

    recipe: Recipe
    """The whole recipe."""

    task: Task
    """What students learn from, augmented rows included."""

    teacher: PreparedTeacher
    """The fine-tuned teacher."""

    out: Path
    """Folder of the run, or of several runs."""

    command: str
    """The command line, for the records."""

    taught: Task | None = None
    """The task that the teacher was fine-tuned on here; None if it was not."""

    known_logits: KnownLogits = field(default_factory=dict)
    """Dev logits of networks by fingerprint; filled by the first run that computes them."""

    def adapter(self) -> ClassificationAdapter:
        """The task as the stages of a run use it."""
        return ClassificationAdapter(
            task=self.task,
            max_length=self.recipe.data.max_length,
            known_logits=self.known_logits,
            labelled_per_batch=self.recipe.data.labelled_per_batch,
            stand_in=self.teacher.stand_in,
            taught=self.taught,
            threshold=self.recipe.student.threshold,
            saved_as=self.recipe.student.saved_as,
            origin=None if self.recipe.student.model is None else origin_of(self.recipe.student.model),
            outputs=NetworkOutputs(cache=self.out.parent / "teachers" / "outputs")
            if self.recipe.teacher.store_outputs
            else None,
        )

    def stage(self, cell: Cell[Recipe]) -> Stage[Network]:
        """The run of one method and seed as if there were no schedule; its student is not pruned yet."""
        return Stage(
            kind="distill",
            name=cell.name,
            student=make_student(cell.recipe, self.teacher, self.task, seed=cell.seed),
            teacher=None if self.teacher.stand_in is not None else self.teacher.network,
            method=cell.method,
            training=cell.training,
            adapter=self.adapter(),
            folder=cell.folder,
            teacher_folder=on_main_process(lambda: self._keep_teacher(self.out / "teacher")),
            recipe=plain(cell.recipe),
            command=self.command,
        )

    def linear_run(self, cell: Cell[Recipe], method: TFIDF) -> LinearRun:
        """The run of one seed of a linear model."""
        return LinearRun(
            name=cell.name,
            seed=cell.seed,
            method=method,
            adapter=self.adapter(),
            teacher=None if self.teacher.stand_in is not None else self.teacher.network,
            teacher_folder=on_main_process(lambda: self._keep_teacher(self.out / "teacher")),
            training=cell.training,
            folder=cell.folder,
            recipe=plain(cell.recipe),
            command=self.command,
        )

    def _keep_teacher(self, folder: Path) -> Path | None:
        """Put what was fine-tuned here into the folder of the runs; where the files of one teacher are."""
        stand_in = self.teacher.stand_in
        if isinstance(stand_in, CombinedTeacher) and len(stand_in.models) > 1:
            keep_models(stand_in, folder)
            return None
        return keep_teacher(self.teacher, folder)

    def schedule_adapter(self, stage: Stage[Network]) -> ScheduleAdapter[Network]:
        """What a schedule needs to prune and judge classifiers.

        Raises:
            ModelError: If the teacher is no better than the majority class on dev.
        """
        require_tuned(stage, self.adapter())
        return classifier_adapter(stage, self.adapter())

    def last_stage(self, stage: Stage[Network]) -> Stage[Network]:
        """`stage` with the map of representations, which no earlier stage draws, and a trimmed vocabulary."""
        adapter = replace(self.adapter(), map=self.recipe.map, vocabulary=self.recipe.student.vocabulary)
        return replace(stage, adapter=adapter)


def prepare_classification(recipe: Recipe, out: Path, *, command: str) -> PreparedClassification:
    """Load the data and the teacher; fine-tune the teacher first where it has no head for the task.

    What would go wrong with students and methods goes wrong before the teacher is fine-tuned.
    """
    with main_process_first():
        examples = load_examples(recipe.task, recipe.data, cache=out.parent / "augmented")
    require_classes(recipe.map, examples.original)
    require_labels_for(recipe.student.threshold, examples.original)
    for where, training in (("training", recipe.training), ("teacher.training", recipe.teacher.training)):
        require_class_weights(training.class_weights, examples.original.spec, where)
        require_sampling(training.sampling, examples.original.spec, where)
    if len(networks_of(recipe)) < len(recipe.methods):
        require_kind_of(examples.original)
    known_logits: KnownLogits = {}
    teacher, notes = PreparedTeacher(network=None, backbone=None, folder=None), tuple[str, ...]()
    if _names_teacher(recipe):
        teacher, notes = _teacher(recipe, examples, out, command, known_logits)
        notes += examples.note_on_teacher(recipe.teacher.rows)
    for note in notes:
        log.info("%s: %s", examples.whole.spec.name, note)
    return PreparedClassification(
        recipe=recipe,
        task=examples.whole.with_train(examples.whole.train, *notes) if notes else examples.whole,
        teacher=teacher,
        out=out,
        command=command,
        taught=None if teacher.folder is None else examples.taught(recipe.teacher.rows),
        known_logits=known_logits,
    )


def _teacher(
    recipe: Recipe, examples: Examples, out: Path, command: str, known_logits: KnownLogits
) -> tuple[PreparedTeacher, tuple[str, ...]]:
    """The teacher of a recipe: a file of answers, several models, or one; and notes on it."""
    settings, length, cache = recipe.teacher, recipe.data.max_length, out.parent / "teachers"
    if settings.answers is not None:
        teacher, note = _answering(recipe, examples.whole, Path(settings.answers))
        require_distillable(recipe, examples.whole, teacher, read=examples.whole)
        return teacher, (note,)

    def check(prepared: PreparedTeacher) -> None:
        require_distillable(recipe, examples.original, prepared, read=examples.whole)

    if settings.prompt is not None:
        if networks_of(recipe):
            require_own_student(recipe)
        return prepare_prompted(settings, examples, max_length=length, cache=cache, check=check)
    if settings.label_words:
        raise ConfigError(
            "teacher.label_words are for a decoder that is prompted, and there is no teacher.prompt. Set it, "
            "or leave them out."
        )
    if settings.is_combined:
        return prepare_ensemble(
            settings,
            examples,
            max_length=length,
            cache=cache,
            command=command,
            known_logits=known_logits,
            check=check,
        )
    one = prepare_teacher(
        settings,
        examples.taught(settings.rows),
        max_length=length,
        cache=cache,
        command=command,
        known_logits=known_logits,
        check=check,
    )
    return one, ()


def train_classifier_teacher(recipe: Recipe, cache: Path, *, command: str) -> Path:
    """Fine-tune the teacher of a recipe into `cache`, unless it is there; the folder of its model.

    Raises:
        ConfigError: If the teacher needs no fine-tuning.
    """
    if recipe.teacher.prompt is not None:
        raise ConfigError("teacher.prompt has a decoder answer as it is, so there is nothing to fine-tune.")
    if len(recipe.teacher.names) > 1:
        raise ConfigError(
            f"teacher.models names {len(recipe.teacher.names)} teachers, and one is fine-tuned at a time. "
            "Set teacher.models to [] and teacher.model to one of them."
        )
    with main_process_first():
        examples = load_examples(recipe.task, recipe.data, cache=cache.parent / "augmented")
    task = examples.taught(recipe.teacher.rows)
    teacher = prepare_teacher(
        recipe.teacher, task, max_length=recipe.data.max_length, cache=cache, command=command
    )
    if teacher.folder is None:
        raise ConfigError(
            f"the teacher {recipe.teacher.names[0]} has a head for {recipe.task} already; use it as it is."
        )
    return teacher.folder / "student"


def _answering(recipe: Recipe, task: Task, path: Path) -> tuple[PreparedTeacher, str]:
    """A teacher that only answers fixed texts, and a note on how many of them."""
    for name, method in networks_of(recipe).items():
        require_answers_enough(method, name, str(path))
    data, text = recipe.data, tuple(str(name) for name in recipe.data.text)
    answers = read_answers(
        path, task.spec, text=text, join=data.join, separator=data.label_separator, form=data.form
    )
    recorded, note = recorded_teacher(answers, task)
    return PreparedTeacher(network=None, backbone=None, folder=None, stand_in=recorded), note


def _names_teacher(recipe: Recipe) -> bool:
    """Whether a teacher is needed: for linear models with labels alone only a file of answers is read."""
    needed = any(method.uses_teacher for method in recipe.methods.values())
    return bool(networks_of(recipe)) or needed or recipe.teacher.answers is not None
