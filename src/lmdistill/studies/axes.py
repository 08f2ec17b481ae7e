"""The axes of a study: for each value a label, and the fields of the recipe that it sets."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from lmdistill.core.errors import ConfigError, UnknownNameError
from lmdistill.recipes.classifier import Recipe
from lmdistill.recipes.language_model import LanguageRecipe

METHOD = "method"
"""The field, and the axis, that says how a student learns."""

KNOWN = {field.name for cls in (Recipe, LanguageRecipe) for field in fields(cls)} - {"seeds"} | {METHOD}
"""First parts of the fields that an axis can set."""


ALONE = re.compile(r"[-+.\d]+(e[-+]?\d+)?|none|true|false", re.IGNORECASE)
"""Labels that say nothing without their axis."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One value of an axis."""

    axis: str
    """Dotted field, or a name of the user's own."""

    label: str
    """How names and tables call it."""

    value: Any
    """As it was written."""

    changes: Mapping[str, Any]
    """What it sets, by dotted field."""

    key: str = "axes"
    """Where in the study the axis stands."""

    called: str = ""
    """The axis in names and tables; the last part of its name unless given."""

    @property
    def place(self) -> str:
        """The axis with the key of the study that it stands in, as in `axes.task`."""
        return f"{self.key}.{self.axis}"

    @property
    def title(self) -> str:
        """What the axis is called, and the label."""
        return f"{self.called or _last_part(self.axis)}={self.label}"

    @property
    def short(self) -> str:
        """The label; with the axis where it is a number or another word that says nothing alone."""
        return self.title if ALONE.fullmatch(self.label) else self.label


def choices(axis: str, values: Any, key: str = "axes") -> tuple[Choice, ...]:
    """The values of an axis, which stands in the table called `key`.

    A labelled value is that of the axis's field; or, where it is a table that names this field or one below,
    a table of dotted fields. An axis that is no field has tables of dotted fields only.

    Raises:
        ConfigError: If there are none, two have one label, or a field is not known; names the nearest one.
    """
    if axis.split(".")[0] == "seeds":
        raise ConfigError(f"{key}.seeds: seeds are a key of the study beside {key}. Move them there.")
    if isinstance(values, Mapping):
        labelled = [(str(label), value) for label, value in values.items()]
    elif isinstance(values, list):
        labelled = [(_label(f"{key}.{axis}", value), value) for value in values]
    else:
        raise ConfigError(f"{key}.{axis} must be a list of values or a table of labels, got {values!r}.")
    if not labelled:
        raise ConfigError(f"{key}.{axis} is empty; give at least one value.")
    labels = [label for label, _ in labelled]
    for label in labels:
        if labels.count(label) > 1:
            raise ConfigError(f"{key}.{axis} has {label} twice. Remove one, or give them labels.")
    return tuple(
        Choice(axis=axis, label=label, value=value, changes=_changes(key, axis, value), key=key)
        for label, value in labelled
    )


def meant(values: Sequence[Choice], wanted: Any) -> set[str]:
    """Labels of those values of an axis that `wanted` means: the one called so, else those that are equal.

    Examples:
        >>> meant(choices("method.ratio", {"1": 2, "2": 1}), 1)
        {'1'}
    """
    if str(wanted) in {choice.label for choice in values}:
        return {str(wanted)}
    is_bool = isinstance(wanted, bool)  # True == 1
    return {
        choice.label
        for choice in values
        if choice.value == wanted and isinstance(choice.value, bool) == is_bool
    }


def with_unambiguous_names(axes: Sequence[Sequence[Choice]]) -> list[tuple[Choice, ...]]:
    """The axes of a study, those called by their whole names whose last part another axis has too."""
    last = [_last_part(values[0].axis) for values in axes]
    return [
        tuple(replace(choice, called=choice.axis) for choice in values)
        if last.count(name) > 1
        else tuple(values)
        for name, values in zip(last, axes, strict=True)
    ]


def _last_part(axis: str) -> str:
    """Of a dotted field."""
    return axis.rpartition(".")[2]


def _changes(key: str, axis: str, value: Any) -> dict[str, Any]:
    """The fields that a value sets."""
    paths = [str(path) for path in value] if isinstance(value, Mapping) else []
    dotted = bool(paths) and all(path.split(".")[0] in KNOWN for path in paths)
    if axis.split(".")[0] in KNOWN:
        own = any(path == axis or path.startswith(f"{axis}.") for path in paths)
        return {str(path): item for path, item in value.items()} if dotted and own else {axis: value}
    if dotted:
        return {str(path): item for path, item in value.items()}
    unknown = [part for path in (axis, *paths) if (part := path.split(".")[0]) not in KNOWN]
    misspelt = [part for part in unknown if difflib.get_close_matches(part, KNOWN, n=1)]
    named = next(iter(misspelt), unknown[0])
    raise ConfigError(f"{key}.{axis}: {UnknownNameError('setting of a recipe', named, KNOWN)}")


def _label(place: str, value: Any) -> str:
    """What a value without a label is called."""
    if isinstance(value, Mapping):
        if not isinstance(value.get("name"), str):
            raise ConfigError(f"{place}: {value!r} has no name. Give it a label, as in {{small: ...}}.")
        return str(value["name"])
    if isinstance(value, list):
        return "+".join(_label(place, item) for item in value)
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    return str(value)
