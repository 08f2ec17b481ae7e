"""A method that is written is reachable by name."""

import dataclasses
import importlib
import pkgutil

import pytest

import lmdistill.methods
from lmdistill.core.protocols import Method
from lmdistill.methods import METHODS
from lmdistill.methods.nested import Nested

WRAPPERS = {Nested}
"""What a schedule puts around a method; no recipe chooses it by name."""

MODULES = [info.name for info in pkgutil.iter_modules(lmdistill.methods.__path__)]


def methods_in(module: str) -> list[type]:
    """Dataclasses of a module that can teach: those with `losses`."""
    loaded = importlib.import_module(f"lmdistill.methods.{module}")
    return [
        value
        for value in vars(loaded).values()
        if isinstance(value, type)
        and dataclasses.is_dataclass(value)
        and value.__module__ == loaded.__name__
        and hasattr(value, "losses")
    ]


@pytest.mark.parametrize("module", MODULES)
def test_no_method_is_an_orphan(module: str) -> None:
    for cls in methods_in(module):
        assert cls in METHODS.values() or cls in WRAPPERS, (
            f"{cls.__name__} is not in METHODS; add a line to methods/__init__.py"
        )


@pytest.mark.parametrize("name", METHODS)
def test_every_entry_is_a_frozen_keyword_only_method_of_a_file_named_like_it(name: str) -> None:
    cls = METHODS[name]
    assert cls in methods_in(name)
    assert isinstance(cls(), Method)
    assert cls.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert all(field.kw_only for field in dataclasses.fields(cls))  # type: ignore[arg-type]


def test_the_table_is_sorted_and_cannot_be_written_to() -> None:
    assert list(METHODS) == sorted(METHODS)
    with pytest.raises(TypeError):
        METHODS["mine"] = object  # type: ignore[index]
