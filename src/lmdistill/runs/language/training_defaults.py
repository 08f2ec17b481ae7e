"""Epochs and learning rates that a recipe for language models leaves open, by the size of its networks."""

import logging
from dataclasses import dataclass, replace
from typing import Any

from lmdistill.engine.training_settings import Training
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.models.loading.resolve import read_causal_lm_config, resolve
from lmdistill.models.model_stats import count_parameters
from lmdistill.recipes.language_model import LanguageRecipe, Shape
from lmdistill.schedules.training_defaults import default_epochs, default_rate

log = logging.getLogger("lmdistill")


@dataclass(frozen=True, kw_only=True)
class NetworkSize:
    """What the defaults of training depend on."""

    width: int
    """Width of the hidden states."""

    layers: int
    """Number of layers."""

    fresh: bool
    """Whether the weights are random."""

    @property
    def parameters(self) -> float:
        """About the parameters in the layers: 4 times width squared in attention, 8 times after it."""
        return 12.0 * self.layers * self.width**2


def with_chosen_training(recipe: LanguageRecipe) -> LanguageRecipe:
    """The recipe with every epoch and learning rate that is null filled in; what it sets stays.

    Raises:
        ModelError: If a model that the recipe names has no configuration.
    """
    recipe = replace(recipe, teacher=replace(recipe.teacher, training=_teacher_training(recipe)))
    warm = recipe.student.warm
    if warm is not None and warm.is_open:
        size = student_size(replace(recipe, student=replace(recipe.student, warm=None)))
        warm = _filled(warm, size.parameters, size.fresh, "warm-up of the student")
        recipe = replace(recipe, student=replace(recipe.student, warm=warm))
    if not recipe.training.is_open:
        return recipe
    size = student_size(recipe)
    kept = size.parameters * recipe.student.keep
    return replace(recipe, training=_filled(recipe.training, kept, size.fresh, "student"))


def chosen_training(training: Training, network: LanguageNetwork) -> Training:
    """Training settings with what is null filled in for a network that is loaded."""
    if not training.is_open:
        return training
    fresh = "random weights" in network.source
    return _filled(training, float(count_parameters(network).encoder), fresh, network.source)


def student_size(recipe: LanguageRecipe) -> NetworkSize:
    """Size and kind of the student of a recipe, without its weights."""
    settings, warm = recipe.student, recipe.student.warm is not None
    if settings.model is not None:
        return _size_of(settings.model)
    if settings.shape is not None:
        return _size_of_shape(settings.shape, fresh=not warm)
    whole = _teacher_size(recipe)
    layers = settings.layers
    number = whole.layers if layers == "all" else len(layers) if isinstance(layers, tuple) else int(layers)
    return replace(whole, layers=number, fresh=settings.init == "random" and not warm)


def _teacher_training(recipe: LanguageRecipe) -> Training:
    """The teacher's settings; those of a teacher that is not trained do not matter."""
    training, teacher = recipe.teacher.training, recipe.teacher
    if not training.is_open:
        return training
    if teacher.model is not None and not teacher.tune:
        return _filled(training, float("inf"), False, "")
    size = _teacher_size(recipe)
    return _filled(training, size.parameters, size.fresh, "teacher")


def _teacher_size(recipe: LanguageRecipe) -> NetworkSize:
    """Size and kind of the teacher of a recipe before it is trained."""
    teacher = recipe.teacher
    if teacher.model is None:
        return _size_of_shape(teacher.shape, fresh=True)
    return _size_of(teacher.model, trust_remote_code=teacher.trust_remote_code)


def _size_of_shape(shape: Shape, *, fresh: bool) -> NetworkSize:
    """The size of a network that is made here."""
    return NetworkSize(width=shape.width, layers=shape.layers, fresh=fresh)


def _size_of(source: str, *, trust_remote_code: bool = False) -> NetworkSize:
    """The size of a trained network, from its configuration."""
    found: Any = read_causal_lm_config(resolve(source), trust_remote_code=trust_remote_code)
    config = found.get_text_config()
    return NetworkSize(width=config.hidden_size, layers=config.num_hidden_layers, fresh=False)


def _filled(training: Training, parameters: float, fresh: bool, who: str) -> Training:
    """The settings with what is null, by the rule; said in the log."""
    optimizer = training.optimizer
    rate, epochs = optimizer.learning_rate, training.epochs
    rate = default_rate(parameters, fresh=fresh) if rate is None else rate
    epochs = default_epochs(parameters, fresh=fresh) if epochs is None else epochs
    if who:
        kind = "random" if fresh else "trained"
        log.info("%s: %d epochs, learning rate %g (%s weights)", who, epochs, rate, kind)
    return replace(training, epochs=epochs, optimizer=replace(optimizer, learning_rate=rate))
