"""The keys of a study file."""

import copy
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import yaml

from lmdistill.core.errors import ConfigError, UnknownNameError
from lmdistill.core.file_names import UNFIT, unfit
from lmdistill.recipes.yaml_tables import STUDIES, builtin, table_from, table_in, table_of, typed
from lmdistill.studies.axes import KNOWN, choices, meant
from lmdistill.studies.search.settings import Search, with_dotted_fields

FILE = "study.yaml"
"""Name of the study file in the folder of a study."""

REQUIRED = MappingProxyType(
    {"study": ", as in study: depths", "base": "", "seeds": ", as in seeds: [0, 1, 2]"}
)
"""Keys without a default, each with the example that an error message gives."""

LONGEST = 150
"""Longest folder name in bytes; with an ending it must fit the limit of file systems too."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """Runs that differ in the values of axes and in the seed."""

    study: str
    """Name of the study, and of its folder below `runs/` unless `--out` is given."""

    base: str | dict[str, Any]
    """Name of a built-in recipe, path of a recipe relative to this file, or the settings themselves."""

    set: dict[str, Any] = field(default_factory=dict)
    """Settings of every cell by dotted field."""

    axes: dict[str, Any] = field(default_factory=dict)
    """Axis to a list of values, or to a table of labels and values or several dotted fields."""

    seeds: tuple[int, ...]
    """Seeds; each combination is run once for each."""

    skip: tuple[dict[str, Any], ...] = ()
    """Combinations to leave out, by labels or values of axes, or by `seed`."""

    scales: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Named variants of the study: dotted fields that override `set`, or keys of the study."""

    scale: str | None = None
    """Name of the scale; the first by default."""

    search: Search | None = None
    """Fields that a sampler draws; with axes, one search for each combination."""

    jobs: int | Literal["auto"] = 1
    """Number of cells at a time, >= 1; `auto` is one for each `OMP_NUM_THREADS` cores."""

    def __post_init__(self) -> None:
        _require_folder_name(self.study)
        if not self.seeds:
            raise ConfigError("seeds is empty; give at least one, as in seeds: [0, 1, 2].")
        if len(frozenset(self.seeds)) != len(self.seeds):
            raise ConfigError(f"seeds are {list(self.seeds)}, one of them twice; each run needs its own.")
        if isinstance(self.jobs, int) and self.jobs < 1:
            raise ConfigError(f"jobs must be >= 1 or auto, got {self.jobs}.")


FIELDS = tuple(field.name for field in fields(Study))
"""Names of the keys."""


def builtin_studies() -> dict[str, str]:
    """The studies that come with the package: name and text."""
    return builtin(STUDIES)


def read_study(name: str | Path, overrides: Sequence[str] = ()) -> Study:
    """Read a built-in study or a study file, fully resolved.

    The base is replaced by its settings, and the scale is merged into `axes`, `seeds` and `set`.

    Args:
        name: A built-in study or a YAML file; a base that is a path is relative to the file.
        overrides: `a=value` for a key of the study (`seeds=[0]`, `scale=paper`), `a.b=value` for a field of
            every cell's recipe. They override the scale. An entry of `skip` is left out if an override
            removes the value that it names.

    Raises:
        ConfigError: If there is no such file; or a value is missing, or outside its type or range.
        UnknownNameError: If a name, a key, the base or the scale does not exist; names the nearest one.
    """
    table, last = _table(str(name)), dict[str, Any]()
    settings = [(f"--set {text}", *typed(text)) for text in overrides]
    _apply(settings, table, last)
    scale, scaled = _scale(_validated(table)), dict[str, Any]()
    _apply(scale, table, scaled)
    _apply(settings, table, last)
    study = _validated(table)
    base = table_of(study.base, Path(name).parent) if isinstance(study.base, str) else study.base
    skip = _applicable_skips(study, {path for _, path, _ in settings})
    return replace(study, base=base, set={**study.set, **scaled, **last}, skip=skip, scales={}, scale=None)


def study_text(study: Study) -> str:
    """The study as YAML that `read_study` reads back to an equal study.

    `jobs`, which changes no result, and the address of a database, which can hold a password, are left out.
    """
    from lmdistill.recipes.serialization import plain  # here: a report reads names of rows without torch

    table = {key: value for key, value in plain(study).items() if key not in ("jobs", "scales", "scale")}
    if study.search is None:
        del table["search"]
    else:
        table["search"].pop("storage")
    text: str = yaml.safe_dump(table, sort_keys=False, allow_unicode=True)
    return text


def _table(name: str) -> dict[str, Any]:
    """The values of a study file or of a built-in study."""
    path, known = Path(name), builtin_studies()
    table = table_in(path) if path.is_file() else None
    if name in builtin() if table is None else _is_a_recipe(table):
        raise ConfigError(
            f"{name} is a recipe, and a study is needed here. lmdistill distill runs it; a study names it as "
            "its base."
        )
    if table is not None:
        return table
    if name in known:
        return table_from(known[name], name)
    if (path / FILE).is_file():
        raise ConfigError(f"{name} is the folder of a study. Name its file, as in {path / FILE}.")
    if path.suffix in {".yaml", ".yml"}:
        raise ConfigError(
            f"there is no study file {name}. Name a YAML file with study, base, axes and seeds, or one of "
            f"{', '.join(known)}."
        )
    raise UnknownNameError("study", name, known)


def _is_a_recipe(table: Mapping[str, Any]) -> bool:
    """Whether the table has keys of a recipe and none that only a study has."""
    return bool(KNOWN & set(table)) and not {"study", "base"} & set(table)


def _apply(settings: Iterable[tuple[str, str, Any]], table: dict[str, Any], recipe: dict[str, Any]) -> None:
    """Write settings into the `table` of the study, or into the fields of every `recipe`.

    Args:
        settings: Text of the setting for messages, dotted path, value.
        table: Takes paths that begin with a key of the study.
        recipe: Takes all other paths, and those in `set`.
    """
    for said, path, value in settings:
        first, _, rest = path.partition(".")
        if first not in FIELDS or (first == "set" and rest):
            recipe[path if first not in FIELDS else rest] = value
        elif rest and isinstance(table.get(first, {}), dict):
            table.setdefault(first, {})[rest] = value
        elif rest:
            raise ConfigError(f"{said}: {first} is {table[first]!r}, which has no keys.")
        else:
            table[first] = copy.deepcopy(value)  # a later setting may reach into it


def _validated(table: Mapping[str, Any]) -> Study:
    """The validated study of a table, before its base is read."""
    for key in table:
        if key not in FIELDS:
            raise UnknownNameError("setting of a study", str(key), FIELDS)
    for key, example in REQUIRED.items():
        if key not in table:
            raise ConfigError(f"the study has no {'name' if key == 'study' else key}. Give it{example}.")
    from lmdistill.recipes.parsing import parse  # here: a report reads names of rows without torch

    study: Study = parse(Study, {**table, "search": with_dotted_fields(table.get("search"))})
    return study


def _applicable_skips(study: Study, paths: Collection[str]) -> tuple[dict[str, Any], ...]:
    """The entries of `skip`, without those that name a value that an override has removed.

    Args:
        study: The study with its overrides.
        paths: Dotted paths of the overrides.
    """

    def is_removed(axis: str, wanted: Any) -> bool:
        if axis == "seed":
            return "seeds" in paths and str(wanted) not in map(str, study.seeds)
        if not {"axes", f"axes.{axis}"} & {*paths}:
            return False
        return axis not in study.axes or not meant(choices(axis, study.axes[axis]), wanted)

    if "skip" in paths:
        return study.skip
    return tuple(entry for entry in study.skip if not any(is_removed(*item) for item in entry.items()))


def _require_folder_name(name: str) -> None:
    """Refuse the name of a study that cannot name a folder."""
    if not name or name.startswith(".") or set(name) & UNFIT:
        raise ConfigError(f"study is {name!r}; it names a folder, so choose a name without / or :.")
    if (why := unfit(name)) is not None:
        raise ConfigError(f"study is {name!r}, which {why}; it names a folder. Choose another name.")
    if len(name.encode()) > LONGEST:
        raise ConfigError(
            f"the name of the study {name} has {len(name.encode())} bytes, and {LONGEST} fit. Shorten it."
        )


def _scale(study: Study) -> list[tuple[str, str, Any]]:
    """The settings of the chosen scale."""
    if study.scale is not None and study.scale not in study.scales:
        raise UnknownNameError("scale", study.scale, study.scales)
    chosen = study.scale or next(iter(study.scales), None)
    entries = {} if chosen is None else study.scales[chosen]
    for path in entries:
        if path.split(".")[0] in ("study", "scale", "scales"):
            raise ConfigError(f"scales.{chosen} sets {path}; a scale is part of a study. Remove the entry.")
    return [(f"scales.{chosen}: {path}", path, value) for path, value in entries.items()]
