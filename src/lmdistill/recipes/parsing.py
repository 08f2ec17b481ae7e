"""Plain values, as YAML gives them, to configuration objects."""

from collections.abc import Callable
from functools import cache
from typing import Any

from pydantic import ValidationError

from lmdistill.recipes.code_policy import Code
from lmdistill.recipes.pydantic_types import validator
from lmdistill.recipes.schema_errors import readable


def parse(hint: Any, value: Any, where: str = "", *, code: Code = "refuse") -> Any:
    """The object that `value` describes.

    Args:
        hint: Its type: a dataclass, an interface of the registry, a mapping to one, or a plain type.
        value: Mappings, lists and scalars; objects that are ready stay as they are.
        where: Path of the value in the recipe, for messages.
        code: What becomes of a class in a Python file (`path.py:Class`): `run` runs the file, `name` keeps
            the name alone.

    Returns:
        An instance of `hint`.

    Raises:
        UnknownNameError: For a key, a name or a choice that does not exist; names the nearest one.
        ConfigError: For a value of another type, or outside its range; for a class in a Python file, unless
            `code` is another.
    """
    try:
        return _validator(hint)(value, context={"code": code})
    except ValidationError as error:
        mistake = readable(error, where)
    raise mistake  # not in the except clause, so that the mistake keeps a cause of its own


@cache
def _validator(hint: Any) -> Callable[..., Any]:
    """The validator of a type, built once, when it is first needed."""
    return validator(hint)
