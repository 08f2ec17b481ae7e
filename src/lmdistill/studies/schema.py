"""The keys of a study file."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from lmdistill.core.errors import ConfigError, UnknownNameError
from lmdistill.recipes.yaml_tables import STUDIES, builtin, table_from, table_in, table_of, typed
from lmdistill.studies.axes import KNOWN
from lmdistill.studies.search.settings import Search, search_of

FILE = "study.yaml"
"""Name of the study file in the folder of a study."""

UNFIT = set('/\\:*?"<>|')
"""Characters that folder names must not have on some system."""

LONGEST = 150
"""Longest folder name in bytes; with an ending it must fit the limit of file systems too."""


class Study(BaseModel):
    """Runs that differ in the values of axes and in the seed."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_alias=True, validate_by_name=True)

    study: str
    """Name of the study, and of its folder below `runs/` unless `--out` is given."""

    base: str | dict[str, Any]
    """Name of a built-in recipe, path of a recipe relative to this file, or the settings themselves."""

    changes: dict[str, Any] = Field(default_factory=dict, alias="set")
    """Settings of every cell by dotted field; called `set` in the file."""

    axes: dict[str, Any] = Field(default_factory=dict)
    """Axis to a list of values, or to a table of labels and values or several dotted fields."""

    seeds: tuple[int, ...]
    """Seeds; each combination is run once for each."""

    skip: tuple[dict[str, Any], ...] = ()
    """Combinations to leave out, by labels or values of axes, or by `seed`."""

    scales: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Named variants of the study: dotted fields that override `set`, or keys of the study."""

    scale: str | None = None
    """Name of the scale; the first by default."""

    search: Search | None = None
    """Fields that a sampler draws; with axes, one search for each combination."""

    jobs: int | Literal["auto"] = 1
    """Number of cells at a time, >= 1; `auto` is one for each `OMP_NUM_THREADS` cores."""

    @field_validator("study")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if not name or name.startswith(".") or set(name) & UNFIT:
            raise ConfigError(f"study is {name!r}; it names a folder, so choose a name without / or :.")
        if any(ord(char) < 32 for char in name):
            raise ConfigError(f"study is {name!r}; it names a folder, so choose a name on one line.")
        if len(name.encode()) > LONGEST:
            raise ConfigError(
                f"the name of the study {name} has {len(name.encode())} bytes, and {LONGEST} fit. Shorten it."
            )
        return name

    @field_validator("seeds")
    @classmethod
    def _differ(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if not seeds:
            raise ConfigError("seeds is empty; give at least one, as in seeds: [0, 1, 2].")
        if len(set(seeds)) != len(seeds):
            raise ConfigError(f"seeds are {list(seeds)}, one of them twice; each run needs its own.")
        return seeds

    @field_validator("search", mode="before")
    @classmethod
    def _is_a_search(cls, table: Any) -> Search | None:
        return search_of(table)

    @field_validator("jobs")
    @classmethod
    def _are_some(cls, jobs: int | str) -> int | str:
        if isinstance(jobs, int) and jobs < 1:
            raise ConfigError(f"jobs must be >= 1 or auto, got {jobs}.")
        return jobs


FIELDS = tuple(field.alias or name for name, field in Study.model_fields.items())
"""Names of the keys."""


def builtin_studies() -> dict[str, str]:
    """The studies that come with the package: name and text."""
    return builtin(STUDIES)


def read_study(name: str | Path, overrides: Sequence[str] = ()) -> Study:
    """Read a built-in study or a study file, fully resolved.

    The base is replaced by its settings, and the scale is merged into `axes`, `seeds` and `changes`.

    Args:
        name: A built-in study or a YAML file; a base that is a path is relative to the file.
        overrides: `a=value` for a key of the study (`seeds=[0]`, `scale=paper`), `a.b=value` for a field of
            every cell's recipe. They override the scale.

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
    changes = {**study.changes, **scaled, **last}
    return study.model_copy(update={"base": base, "changes": changes, "scales": {}, "scale": None})


def study_text(study: Study) -> str:
    """The study as YAML that `read_study` reads back to an equal study.

    `jobs`, which changes no result, and the address of a database, which can hold a password, are left out.
    """
    table = study.model_dump(mode="json", by_alias=True, exclude={"jobs", "scales", "scale"})
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


def _apply(settings: Iterable[tuple[str, str, Any]], table: dict[str, Any], fields: dict[str, Any]) -> None:
    """Write settings into the `table` of the study, or into the `fields` of every recipe.

    Args:
        settings: Text of the setting for messages, dotted path, value.
        table: Takes paths that begin with a key of the study.
        fields: Takes all other paths, and those in `set`.
    """
    for said, path, value in settings:
        first, _, rest = path.partition(".")
        if first not in FIELDS or (first == "set" and rest):
            fields[path if first not in FIELDS else rest] = value
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
    try:
        return Study.model_validate(dict(table))
    except ValidationError as error:
        first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "value_error":
        raise ConfigError(str(first["ctx"]["error"]))
    example = ", as in seeds: [0, 1, 2]" if first["loc"][0] == "seeds" else ""
    if where == "study" and first["type"] == "missing":
        raise ConfigError("the study has no name. Give it, as in study: depths.")
    if first["type"] == "missing":
        raise ConfigError(f"the study has no {where}. Give it{example}.")
    wanted = first["msg"].removeprefix("Input should be ").replace("tuple", "list")
    raise ConfigError(f"{first['loc'][0]} must be {wanted}, got {first['input']!r}{example}.")


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
