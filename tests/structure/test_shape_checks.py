"""Signatures with shapes are checked at run time by the suite, wherever they are."""

import tomllib
from pathlib import Path

import jaxtyping
import pytest
import torch
from jaxtyping import TypeCheckError

from lmdistill.objectives.supervised import cross_entropy

REPO = Path(__file__).parents[2]
SOURCE = REPO / "src"
FLAG = "--jaxtyping-packages="


def module_of(path: Path) -> str:
    """The dotted name of a file of the package."""
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts)


def checked() -> list[str]:
    """Packages and modules whose calls the suite checks."""
    options = tomllib.loads((REPO / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["addopts"]
    (flag,) = (option for option in options if option.startswith(FLAG))
    return flag.removeprefix(FLAG).split(",")[:-1]  # the last one is the checker


def test_every_module_with_shapes_is_checked():
    with_shapes = [
        module_of(path)
        for path in SOURCE.rglob("*.py")
        if "\nfrom jaxtyping import" in path.read_text(encoding="utf-8")
    ]
    assert len(with_shapes) > 50
    roots = tuple(f"{name}." for name in checked())
    assert [name for name in with_shapes if not f"{name}.".startswith(roots)] == []


def test_a_wrong_shape_is_an_error_here():
    assert not jaxtyping.config.jaxtyping_disable
    with pytest.raises(TypeCheckError):
        cross_entropy(torch.zeros(3), torch.zeros(3, dtype=torch.int64))
