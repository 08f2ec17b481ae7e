"""Everything public says what it is: files, classes, functions, and each field of a dataclass beneath it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
FILES = sorted((REPO / "src" / "lmdistill").rglob("*.py"))

Function = ast.FunctionDef | ast.AsyncFunctionDef


def is_public(name: str) -> bool:
    return not name.startswith("_")


def undocumented_fields(node: ast.ClassDef) -> Iterator[str]:
    """Public fields of a dataclass that no string follows."""
    for part, after in zip(node.body, [*node.body[1:], None], strict=True):
        if not isinstance(part, ast.AnnAssign) or "ClassVar" in ast.unparse(part.annotation):
            continue
        if isinstance(part.target, ast.Name) and is_public(part.target.id):
            said = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and after.value.value
            if not (isinstance(said, str) and said.strip()):
                yield f"{node.name}.{part.target.id}"


def is_overload(node: ast.AST) -> bool:
    """Whether a function only says a type; what it does is said beneath the last of its name."""
    return isinstance(node, Function) and any(ast.unparse(one) == "overload" for one in node.decorator_list)


def undocumented(code: str) -> list[str]:
    """Public names of a file without a docstring; what is inside functions is private."""
    tree = ast.parse(code)
    missing = [] if ast.get_docstring(tree) else ["the file"]
    for node in tree.body:
        if isinstance(node, ast.ClassDef | Function) and is_public(node.name) and not is_overload(node):
            missing += [] if ast.get_docstring(node) else [node.name]
        if not isinstance(node, ast.ClassDef) or not is_public(node.name):
            continue
        for part in node.body:
            if isinstance(part, Function) and is_public(part.name) and not ast.get_docstring(part):
                missing.append(f"{node.name}.{part.name}")
        if any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
            missing += undocumented_fields(node)
    return missing


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(REPO).as_posix())
def test_everything_public_is_documented(path: Path) -> None:
    assert undocumented(path.read_text()) == []


@pytest.mark.parametrize(
    ("code", "missing"),
    [
        ("a = 1", ["the file"]),
        ('"""D."""\ndef f(): ...', ["f"]),
        ('"""D."""\nclass C: ...', ["C"]),
        ('"""D."""\nclass C:\n    """D."""\n    def f(self): ...', ["C.f"]),
        ('"""D."""\n@dataclass\nclass C:\n    """D."""\n    a: int\n    b: int\n    """B."""', ["C.a"]),
        ('"""D."""\n@dataclass(frozen=True)\nclass C:\n    """D."""\n    a: int', ["C.a"]),
        ('"""D."""\n@dataclass\nclass C:\n    """D."""\n    a: ClassVar[int] = 1', []),
        ('"""D."""\n@overload\ndef f(a: int): ...\ndef f(a): ...', ["f"]),
        (
            '"""D."""\ndef _f(): ...\nclass _C:\n    def f(self): ...\nclass P(Q):\n    """D."""\n    a: int',
            [],
        ),
    ],
)
def test_the_check_sees_what_is_missing(code: str, missing: list[str]) -> None:
    assert undocumented(code) == missing
