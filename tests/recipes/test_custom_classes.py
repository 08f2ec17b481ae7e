"""Methods from a file of the user's own."""

import pytest
import yaml

from lmdistill.core.errors import ConfigError, LmdistillError
from lmdistill.core.protocols import Method
from lmdistill.recipes.parsing import parse
from lmdistill.recipes.serialization import plain

OWN = """
from dataclasses import dataclass

@dataclass(frozen=True, kw_only=True)
class Mine:
    weight: float = 1.0
    uses_teacher = False
    mixing = None
    def check(self, student, teacher): ...
    def losses(self, student, teacher, batch): ...

@dataclass
class Half:
    weight: float = 1.0

class Bare: ...
"""


def test_a_method_from_a_file_comes_back_equal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(OWN)
    mine = parse(Method, {"name": "mine.py:Mine", "weight": 0.25}, code="run")
    assert mine.weight == 0.25
    assert plain(mine) == {"name": "mine.py:Mine", "weight": 0.25}
    assert plain(parse(Method, yaml.safe_load(yaml.safe_dump(plain(mine))), code="run")) == plain(mine)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("mine.py:Mien", r"mine\.py has no dataclass 'Mien'; method\.name must name one"),
        ("mine.py:Bare", r"mine\.py has no dataclass 'Bare'"),
        ("mine.py:Half", r"mine\.py:Half is no method; it must have check, losses, mixing, uses_teacher"),
        ("yours.py:Mine", r"method\.name is 'yours\.py:Mine', and there is no Python file yours\.py"),
        ("bad.py:Mine", r"bad\.py cannot be run: ZeroDivisionError: division by zero"),
    ],
)
def test_a_file_without_a_method_is_refused(tmp_path, monkeypatch, name, match):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(OWN)
    (tmp_path / "bad.py").write_text("1 / 0")
    with pytest.raises(ConfigError, match=match):
        parse(Method, {"name": name}, "method", code="run")


def test_an_error_in_the_file_is_the_cause_of_the_message(tmp_path, monkeypatch):
    """`LMDISTILL_TRACEBACK=1` then shows the line."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.py").write_text("1 / 0")
    with pytest.raises(ConfigError, match=r"^bad\.py cannot be run") as refused:
        parse(Method, {"name": "bad.py:Mine"}, "method", code="run")
    assert isinstance(refused.value.__cause__, ZeroDivisionError)


STRICT = """
from collections.abc import Callable
from dataclasses import dataclass, field
import torch

@dataclass(frozen=True, kw_only=True)
class Inner:
    steps: int = 1
    rate: float = 0.1

@dataclass(frozen=True, kw_only=True)
class Mine:
    weight: float
    inner: Inner = field(default_factory=lambda: Inner(steps=7))
    either: int | Inner = 3
    table: torch.Tensor = field(default_factory=lambda: torch.ones(2), compare=False)
    function: Callable[[int], int] = abs
    uses_teacher = False
    mixing = None
    def check(self, student, teacher): ...
    def losses(self, student, teacher, batch): ...
    def __post_init__(self):
        if self.weight < 0:
            raise ValueError(f"weight is {self.weight}, which is negative")
"""


def test_a_class_of_a_file_has_the_same_rights_as_ours(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(STRICT)

    def made(**settings):
        return parse(Method, {"name": "mine.py:Mine", **settings}, "method", code="run")

    assert (made(weight=1, inner={"rate": "1e-3"}).inner.steps, made(weight=1).table.tolist()) == (7, [1, 1])
    assert made(weight=1, either={"steps": 4}).either.steps == 4
    for settings, message in (
        ({}, r"^method\.weight is missing; it has no default\.$"),
        ({"weight": -1}, r"^method\.weight is -1\.0, which is negative$"),
        ({"weight": "x"}, r"^method\.weight must be a valid number, got 'x'\.$"),
        (
            {"weight": 1, "inner": {"step": 2}},
            r"^no setting of method\.inner is called 'step'\. Did you mean",
        ),
        (
            {"weight": 1, "either": {"steps": "x"}},
            r"^method\.either\.steps must be a valid integer, got 'x'\.$",
        ),
        (
            {"weight": 1, "either": {"step": 2}},
            r"^no setting of method\.either is called 'step'\. Did you mean",
        ),
        (
            {"weight": 1, "either": "x"},
            r"^method\.either must be a valid integer or a table of keys and values, got",
        ),
        ({"weight": 1, "table": 3}, r"^method\.table must be an instance of Tensor, got 3\.$"),
    ):
        with pytest.raises(LmdistillError, match=message):
            made(**settings)
