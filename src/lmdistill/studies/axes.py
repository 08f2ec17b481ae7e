"""The axes of a study: labelled values, and the fields of the recipe that each value sets."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lmdistill.core.errors import ConfigError, UnknownNameError

METHOD = "method"
"""Name of the field and the axis that choose the method."""

KNOWN = frozenset(f"data map methods schedule student task teacher texts training writing {METHOD}".split())
"""First parts of the fields that an axis can set: those of both kinds of recipes, as a test checks."""


ALONE = re.compile(r"[-+.\d]+(e[-+]?\d+)?|none|true|false", re.IGNORECASE)
"""Labels that mean nothing without the name of their axis: numbers, none, true and false."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One value of an axis."""

    axis: str
    """Dotted field of the recipe, or a name of the user's own."""

    label: str
    """Label in folder names and tables."""

    value: Any
    """The value as written in the study."""

    changes: Mapping[str, Any]
    """Settings of the recipe by dotted field."""

    key: str = "axes"
    """Key of the study that holds the axis."""

    called: str = ""
    """Name of the axis in folder names and tables; by default the last part of the dotted field."""

    @property
    def place(self) -> str:
        """The axis with its key in the study, as in `axes.task`, for messages."""
        return f"{self.key}.{self.axis}"

    @property
    def title(self) -> str:
        """Name of the axis and label, as in `layers=3`."""
        return f"{self.called or _last_part(self.axis)}={self.label}"

    @property
    def short(self) -> str:
        """The label, with the name of the axis if the label means nothing alone."""
        return self.title if ALONE.fullmatch(self.label) else self.label


def choices(axis: str, values: Any, key: str = "axes") -> tuple[Choice, ...]:
    """The values of an axis in the table `key` of a study.

    A value sets the field that the axis is named after. A table that names this field or fields below it sets
    several dotted fields. An axis that is not named after a field has tables of dotted fields only.

    Raises:
        ConfigError: If there are no values, two have one label, or a field is unknown (names the nearest).
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
    """Labels of the values of an axis that `wanted` refers to: by label, else by value.

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
    """The axes, with their whole dotted names where two axes share the last part."""
    last = [_last_part(values[0].axis) for values in axes]
    return [
        tuple(replace(choice, called=choice.axis) for choice in values)
        if last.count(name) > 1
        else tuple(values)
        for name, values in zip(last, axes, strict=True)
    ]


def _last_part(axis: str) -> str:
    """The last part of a dotted field."""
    return axis.rpartition(".")[2]


def _changes(key: str, axis: str, value: Any) -> dict[str, Any]:
    """The settings of one value of an axis, by dotted field."""
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
    """The label of a value that was written without one."""
    if isinstance(value, Mapping):
        if not isinstance(value.get("name"), str):
            raise ConfigError(f"{place}: {value!r} has no name. Give it a label, as in {{small: ...}}.")
        return str(value["name"])
    if isinstance(value, list):
        return "+".join(_label(place, item) for item in value)
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    return str(value)
