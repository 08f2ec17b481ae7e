"""What the file of a study can say."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from lmdistill.core.errors import ConfigError, UnknownNameError
from lmdistill.recipes.files import STUDIES, builtin, table_from, table_in, table_of, typed
from lmdistill.studies.axes import KNOWN
from lmdistill.studies.search.settings import Search, search_of

FILE = "study.yaml"
"""Where a folder of runs keeps its study."""

UNFIT = set('/\\:*?"<>|')
"""What no name of a folder may hold on some system."""

LONGEST = 150
"""Bytes of a folder's name; names with an ending must fit the limit of file systems too."""


class Study(BaseModel):
    """Runs that differ in the values of axes and in the seed."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_alias=True, validate_by_name=True)

    study: str
    """Its name, and that of its folder below `runs/` unless `--out` is given."""

    base: str | dict[str, Any]
    """A built-in recipe, the path of one seen from this file, or its settings."""

    changes: dict[str, Any] = Field(default_factory=dict, alias="set")
    """Settings of every cell, by dotted field; called `set` in the file."""

    axes: dict[str, Any] = Field(default_factory=dict)
    """Dotted field to its values, or label to value, or label to several dotted fields."""

    seeds: tuple[int, ...]
    """A run of each combination for each of them."""

    skip: tuple[dict[str, Any], ...] = ()
    """Combinations that are left out, by the labels or values of some axes, or by `seed`."""

    scales: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Named variants, each with dotted fields that stand over `set`, or with keys of the study."""

    scale: str | None = None
    """Which of them; the first unless given."""

    search: Search | None = None
    """Fields that are drawn instead of listed; beside axes, a search for each combination of them."""

    jobs: int | Literal["auto"] = 1
    """Cells at once, >= 1; `auto` is one for each core, or for each `OMP_NUM_THREADS` of them."""

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
"""Keys of the file."""


def builtin_studies() -> dict[str, str]:
    """The studies that come with the package: name and text."""
    return builtin(STUDIES)


def read_study(name: str | Path, overrides: Sequence[str] = ()) -> Study:
    """The study called `name`, or in the file `name`, with nothing left open.

    Its base is settings, and its scale is part of `axes`, `seeds` and `changes`.

    Args:
        name: Of a built-in study, or a YAML file; a base that is a path begins in the file's folder.
        overrides: `a=value` for a key of the study (`seeds=[0]`, `scale=paper`), `a.b=value` for a field of
            every cell's recipe. They stand over the scale.

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
    """The study as a file that `read_study` reads to an equal one.

    Without `jobs`, which change no result, and without the address of a database, which can hold a password.
    """
    table = study.model_dump(mode="json", by_alias=True, exclude={"jobs", "scales", "scale"})
    if study.search is None:
        del table["search"]
    else:
        table["search"].pop("storage")
    text: str = yaml.safe_dump(table, sort_keys=False, allow_unicode=True)
    return text


def _table(name: str) -> dict[str, Any]:
    """Plain values of the file, or of the built-in study, called `name`."""
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
    """Whether keys of a recipe are there, and none that says a study."""
    return bool(KNOWN & set(table)) and not {"study", "base"} & set(table)


def _apply(settings: Iterable[tuple[str, str, Any]], table: dict[str, Any], fields: dict[str, Any]) -> None:
    """Write settings into the `table` of the study, or into the `fields` of every recipe.

    Args:
        settings: What the user wrote, for messages; the dotted path; the value.
        table: Changed where a path begins with a key of the study.
        fields: Changed by all other paths, and by those in `set`.
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
    """The study of a table, before its base is looked up."""
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
    """What the chosen scale sets."""
    if study.scale is not None and study.scale not in study.scales:
        raise UnknownNameError("scale", study.scale, study.scales)
    chosen = study.scale or next(iter(study.scales), None)
    entries = {} if chosen is None else study.scales[chosen]
    for path in entries:
        if path.split(".")[0] in ("study", "scale", "scales"):
            raise ConfigError(f"scales.{chosen} sets {path}; a scale is part of a study. Remove the entry.")
    return [(f"scales.{chosen}: {path}", path, value) for path, value in entries.items()]
