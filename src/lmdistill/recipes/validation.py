"""Checks that both kinds of recipes share."""

from collections.abc import Mapping, Sequence

from lmdistill.core.errors import ConfigError
from lmdistill.core.file_names import unfit
from lmdistill.engine.training_settings import Training
from lmdistill.methods import AnyMethod
from lmdistill.recipes.serialization import training_inputs
from lmdistill.schedules.distillation import Path, Schedule


def require_runs(methods: Mapping[str, AnyMethod], seeds: Sequence[int]) -> None:
    """Check that there are methods and seeds, names can be folders, and no seed occurs twice."""
    if not methods:
        raise ConfigError("methods is empty; name at least one, as in methods: {KD: {name: kd}}.")
    for name in methods:
        if not name or name.startswith(".") or set(name) & set("/\\:"):
            raise ConfigError(
                f"methods has the name {name!r}; it names a folder, so choose one without / or :."
            )
        if (why := unfit(name)) is not None:
            raise ConfigError(
                f"methods has the name {name!r}, which {why}; it names a folder. Choose another name."
            )
    if not seeds:
        raise ConfigError("seeds is empty; give at least one, as in seeds: [0].")
    if len(set(seeds)) != len(seeds):
        raise ConfigError(f"seeds are {list(seeds)}, one of them twice; each run needs its own.")


def require_numbers(settings: Mapping[str, Training]) -> None:
    """Check that no epochs or learning rate are null; only those of language models are chosen by size."""
    for name, training in settings.items():
        if training.is_open:
            field = "epochs" if training.epochs is None else "optimizer.learning_rate"
            raise ConfigError(
                f"{name}.{field} is null, and only recipes for language models choose it by size. Set "
                "it to a number."
            )


def require_no_classes(settings: Mapping[str, Training | None]) -> None:
    """Check that no training of a language model has settings that are about classes."""
    for name, training in settings.items():
        chosen = {} if training is None else training_inputs(training)
        for setting in {"class_weights", "sampling"} & chosen.keys():
            raise ConfigError(f"{name}.{setting} is set, and language models have no classes. Leave it out.")


def require_kind(
    methods: Mapping[str, AnyMethod], wrong: Mapping[str, type], why: str, right: Mapping[str, type]
) -> None:
    """Check that no method is for the other kind of recipe."""
    for label, method in methods.items():
        for name, entry in wrong.items():
            if type(method) is entry:
                raise ConfigError(
                    f"methods.{label} is {name}, which {why}; here it must be one of {', '.join(right)}."
                )


def require_first_layers(schedule: Schedule, own: Mapping[str, bool]) -> None:
    """Check that a student at the end of a path of layers is initialised from its last assistant.

    Args:
        schedule: Settings of the schedule.
        own: Settings that initialise the student otherwise, and whether they are set.
    """
    name = next((name for name, is_set in own.items() if is_set), None)
    if name is not None and isinstance(schedule, Path) and schedule.layers:
        raise ConfigError(
            f"schedule.layers is {list(schedule.layers)} and student.{name} is set; the student begins as "
            f"the first layers of its last assistant. Leave student.{name} out, or use schedule direct."
        )


def require_pruned(schedule: Schedule, keep: float, layers: object) -> None:
    """Check that the schedule can end in a student of this size."""
    schedule.require(keep)
    if isinstance(schedule, Path) and schedule.layers:
        last = schedule.layers[-1]
        if not isinstance(layers, int) or layers >= last:
            raise ConfigError(
                f"schedule.layers ends with {last} and student.layers is {layers}; the student must be "
                "shallower than its last assistant. Lower student.layers."
            )
