"""Every row of the table of papers leads to a function and to a test."""

import ast
import importlib
from typing import Any

import pytest

from lmdistill.methods import METHODS
from tests.docs.pages import REPO, rows

PAPERS = (REPO / "docs" / "papers.md").read_text(encoding="utf-8")
LINES = [cells[-4:] for cells in rows(PAPERS) if cells[-1] != "test"]


def found(path: str) -> Any:
    """What a dotted path below the package names."""
    parts = path.split(".")
    for end in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(["lmdistill", *parts[:end]]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            value = getattr(value, part)
        return value
    raise AttributeError(path)


def has_test(address: str) -> bool:
    """Whether a test with this address is written."""
    file, _, name = address.partition("::")
    path = REPO / file
    tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])
    return any(isinstance(node, ast.FunctionDef) and node.name == name for node in tree.body)


@pytest.mark.parametrize("line", LINES, ids=[line[0] for line in LINES])
def test_a_row_leads_to_a_function_and_a_test(line: list[str]) -> None:
    equation, function, deviation, test = line
    assert callable(found(function.strip("`")))
    assert has_test(test.strip("`")), f"there is no test {test}"
    assert equation
    assert deviation


def test_every_paper_of_the_methods_has_rows() -> None:
    functions = " ".join(line[1] for line in LINES)
    for cls in METHODS.values():
        if cls.__name__ != "FineTune":
            assert f"{cls.__module__.removeprefix('lmdistill.')}.{cls.__name__}" in functions


def test_a_row_that_leads_nowhere_is_seen() -> None:
    assert not has_test("tests/docs/test_papers.py::test_that_is_not_there")
    assert not has_test("tests/docs/test_that_is_not_there.py::test")
    with pytest.raises(AttributeError):
        found("methods.kd.Nothing")
