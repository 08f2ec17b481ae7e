"""Reads parts of records that this version or a newer one wrote."""

import logging
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from lmdistill.records.schema import Part

logger = logging.getLogger("lmdistill")

SomePart = TypeVar("SomePart", bound=Part)


def parse_part(kind: type[SomePart], value: Any, path: Path) -> SomePart:
    """A part from the value of a JSON file; fields that this version does not know are left out.

    A newer version may add fields. Their names are logged once per process, not once per file.

    Args:
        kind: Class of the part.
        value: As `json.loads` gives it.
        path: The file, for the message.

    Raises:
        ValidationError: If a field is missing or of the wrong type.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        part = kind.model_validate(value, extra="ignore")
        _warn_of_unknown(_unknown(error), path.name)
        return part


def has_unknown_fields(kind: type[Part], value: Any) -> bool:
    """Whether a newer version has written fields that a part does not have here."""
    try:
        kind.model_validate(value)
    except ValidationError as error:
        return bool(_unknown(error))
    return False


def damage_message(path: Path, error: ValidationError) -> str:
    """The first field that cannot be used, and what to do."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    said = first["msg"].removeprefix("Value error, ")
    found = "" if first["type"] == "missing" else f", got {repr(first['input'])[:60]}"
    return f"{path} is damaged at {field}: {said}{found}. Run it again."


def _unknown(error: ValidationError) -> tuple[str, ...]:
    """Paths of the fields that are not known, each once, without positions in lists."""
    found: Sequence[tuple[int | str, ...]] = [
        one["loc"] for one in error.errors() if one["type"] == "extra_forbidden"
    ]
    names = (".".join(name for name in place if isinstance(name, str)) for place in found)
    return tuple(dict.fromkeys(names))


@cache
def _warn_of_unknown(names: tuple[str, ...], file: str) -> None:
    """Log the names; the same names again are silent."""
    logger.warning(
        "%s: ignored fields that this version of lmdistill does not know: %s. A newer version wrote them.",
        file,
        ", ".join(names),
    )
