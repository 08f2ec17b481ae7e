"""What the package shows is what it says it shows; and no file betrays the machine it was written on."""

import ast
import importlib
import inspect
import re
import subprocess
import tomllib
import types
from pathlib import Path

import pytest

import lmdistill

REPO = Path(__file__).parents[2]
CODE = sorted(
    path for folder in ("src", "tests", "benchmarks", "examples") for path in (REPO / folder).rglob("*.py")
)
MACHINE = re.compile(r"(?<![\w.~$}/-])/(?:home|root|work|Users|mnt|workspace|tmp|var/tmp)/(?!me/)[\w.]+")
"""A path into somebody's folders; `~/x`, `../x`, `$HOME/x`, addresses and a made-up `me` are none."""


def name_of(path: Path) -> str:
    return path.relative_to(REPO).as_posix()


def tracked() -> list[Path]:
    """Files that git knows or would add; without git, everything that is no cache."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPO,
        capture_output=True,
        text=True,
    )
    if listing.returncode == 0:
        return [path for line in listing.stdout.splitlines() if (path := REPO / line).is_file()]
    return [*CODE, *REPO.glob("*.*"), *(REPO / "docs").rglob("*.*")]


def imported_for_type_checkers() -> dict[str, str]:
    """Public name to module, as the imports in the package's `__init__.py` have it that only type checkers run."""
    tree = ast.parse((REPO / "src/lmdistill/__init__.py").read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    assert ast.unparse(block.test) == "_TYPE_CHECKING"
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    assert len(imports) == len(block.body)
    assert all(alias.asname == alias.name for node in imports for alias in node.names), "`X as X` is public"
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def test_all_is_what_is_public() -> None:
    public = {
        name
        for name, value in vars(lmdistill).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    names = imported_for_type_checkers()
    assert lmdistill.__all__ == sorted(["__version__", *names])
    assert public <= set(names)
    assert set(lmdistill.__all__) <= set(dir(lmdistill))


@pytest.mark.parametrize(("name", "module"), imported_for_type_checkers().items())
def test_a_name_is_what_type_checkers_believe(name: str, module: str) -> None:
    assert getattr(lmdistill, name) is getattr(importlib.import_module(module), name)


def test_a_name_that_is_not_there_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'lmdistill' has no attribute 'Distil'"):
        _ = lmdistill.Distil


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert lmdistill.__version__ == project["version"]


def test_everything_public_comes_from_this_package() -> None:
    strangers = [
        name
        for name in lmdistill.__all__
        if callable(value := getattr(lmdistill, name))
        and not inspect.getmodule(value).__name__.startswith("lmdistill")
    ]
    assert strangers == []


def test_the_package_shows_something() -> None:
    assert lmdistill.__all__


@pytest.mark.parametrize("path", [path for path in CODE if "src" in path.parts], ids=name_of)
def test_annotations_are_not_postponed(path: Path) -> None:
    """Postponed annotations are strings, and strings are shapes that nobody checks."""
    futures = [
        alias.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
        for alias in node.names
    ]
    assert futures == []


def machine_paths(path: Path) -> list[str]:
    """Absolute paths of a machine in a text file; other files have none that matter."""
    try:
        return MACHINE.findall(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        return []


def test_no_file_names_a_folder_of_one_machine() -> None:
    found = {
        name_of(path): paths
        for path in tracked()
        if path != Path(__file__) and (paths := machine_paths(path))
    }
    assert found == {}


def test_the_listing_of_files_is_not_empty() -> None:
    assert Path(__file__) in tracked()


@pytest.mark.parametrize("path", ["home/ada/x", "root/a", "work/main", "Users/ada/b"])
def test_the_check_sees_a_folder_of_one_machine(path: str) -> None:
    for text in (f"/{path}", f"open('/{path}')", f'ROOT = "/{path}"', f"see /{path}"):
        assert MACHINE.search(text)


@pytest.mark.parametrize(
    "text", ["~/work/x", "../work/x", "$HOME/tmp/x", "https://a.b/home/x", "a/root/b", "/home/me/x"]
)
def test_the_check_lets_other_paths_pass(text: str) -> None:
    assert not MACHINE.search(text)
