"""Small files, short functions, few knobs; benchmarks and examples too. No file is named like a drawer."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
FOLDERS = ("src/lmdistill", "benchmarks", "examples")
LIMITS: Mapping[str, int] = {"file lines": 300, "function lines": 40, "arguments": 8, "fields": 12}
DRAWERS = {"utils", "util", "common", "helpers", "helper", "base", "misc"}

EXCEPTIONS: Mapping[tuple[str, str], tuple[int, str]] = {
    ("src/lmdistill/cli/theory.py:theory", "arguments"): (12, "an option for each symbol of the theorems"),
    ("src/lmdistill/cli/label.py:label", "arguments"): (
        26,
        "an option for each property of the server, the question, the spending and the audit",
    ),
    ("src/lmdistill/models/modeling_narrow.py", "file lines"): (
        690,
        "lies beside saved weights as the one file that loads them, so it cannot be split",
    ),
    ("src/lmdistill/cli/shrink.py:shrink", "arguments"): (
        18,
        "an option for each limit, and for each part of the grid of shapes",
    ),
    ("src/lmdistill/cli/evaluate.py:evaluate", "arguments"): (
        9,
        "an argument for each option of the command",
    ),
    ("src/lmdistill/cli/serve.py:serve", "arguments"): (
        14,
        "an option for each setting of the server",
    ),
    ("src/lmdistill/cli/export.py:export", "arguments"): (
        11,
        "an argument for each option of the command",
    ),
    ("src/lmdistill/cli/certify.py:certify", "arguments"): (
        12,
        "an argument for each option of the command",
    ),
    ("src/lmdistill/cli/monitor.py:monitor", "arguments"): (
        10,
        "an argument for each option of the command",
    ),
    ("src/lmdistill/api/distill.py:distill", "arguments"): (
        9,
        "teacher, student and data, and how a run learns and is judged; each is one choice",
    ),
    ("src/lmdistill/data/load_task.py:load_task", "arguments"): (
        17,
        "an argument for each data key of a recipe",
    ),
    ("src/lmdistill/recipes/classifier.py:Data", "fields"): (
        22,
        "each key is a property of the user's file, and keys of recipes stay where they are",
    ),
    ("src/lmdistill/recipes/classifier.py:Teacher", "fields"): (
        14,
        "each is a key of a recipe, and keys of recipes stay where they are",
    ),
    ("src/lmdistill/engine/training_settings.py:Training", "fields"): (
        16,
        "each key is a property of the training loop, and keys of recipes stay where they are",
    ),
    ("src/lmdistill/data/batching/batch_sampler.py:BatchSampler", "fields"): (
        14,
        "a pure function of all its inputs, each of which changes the batches",
    ),
    ("src/lmdistill/models/modeling_narrow.py:Family", "fields"): (
        14,
        "a name or a trait of a stock family each, in the table of families",
    ),
}
"""What is larger, up to which size, and why."""

FILES = sorted(path for folder in FOLDERS for path in (REPO / folder).rglob("*.py"))


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body without the docstring; a signature may be as long as its types ask."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    assert function.end_lineno is not None
    return function.end_lineno - body[0].lineno + 1 if body else 0


def argument_count(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Arguments that a caller can give; `self` and `cls` are none."""
    given = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
    return sum(argument.arg not in ("self", "cls") for argument in given)


def is_dataclass(node: ast.ClassDef) -> bool:
    """Whether a decorator, with or without arguments, makes the class a dataclass."""
    return any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)


def measures(name: str, code: str) -> Iterator[tuple[str, str, int]]:
    """(where, what, how much) for everything in a file that has a limit."""
    yield name, "file lines", len(code.splitlines())
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{name}:{node.name}", "function lines", body_lines(node)
            yield f"{name}:{node.name}", "arguments", argument_count(node)
        elif isinstance(node, ast.ClassDef) and is_dataclass(node):
            yield f"{name}:{node.name}", "fields", sum(isinstance(part, ast.AnnAssign) for part in node.body)


def name_of(path: Path) -> str:
    return path.relative_to(REPO).as_posix()


def too_big(name: str, code: str) -> list[str]:
    return [
        f"{where} has {size} {kind}, the limit is {limit}. Split it, or argue an exception."
        for where, kind, size in measures(name, code)
        if size > (limit := EXCEPTIONS.get((where, kind), (LIMITS[kind], ""))[0])
    ]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_is_too_big(path: Path) -> None:
    assert too_big(name_of(path), path.read_text()) == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_file_is_named_after_a_drawer(path: Path) -> None:
    parts = {part.strip("_").lower() for part in path.relative_to(REPO).with_suffix("").parts}
    assert not parts & DRAWERS, f"name {name_of(path)} after the noun that it holds"


def test_every_exception_has_a_reason_and_is_still_needed() -> None:
    sizes: dict[tuple[str, str], int] = {}
    for path in FILES:
        for where, kind, size in measures(name_of(path), path.read_text()):
            sizes[where, kind] = max(size, sizes.get((where, kind), 0))
    for (where, kind), (limit, reason) in EXCEPTIONS.items():
        assert len(reason.split()) >= 4, f"why is {where} larger?"
        assert LIMITS[kind] < sizes.get((where, kind), 0) <= limit, f"{where} needs no exception any more"


@pytest.mark.parametrize(
    "code",
    [
        "\n" * 301,
        "def f():\n" + "    a = 1\n" * 41,
        'def f():\n    """Doc."""\n' + "    a = 1\n" * 41,
        "async def f(a, b, c, d, e, *, f, g, h, i): ...",
        "@dataclass(frozen=True)\nclass C:\n" + "".join(f"    a{i}: int\n" for i in range(13)),
    ],
)
def test_the_check_sees_what_is_too_big(code: str) -> None:
    assert len(too_big("a.py", code)) == 1


@pytest.mark.parametrize(
    "code",
    [
        "\n" * 300,
        'def f():\n    """' + "Long\n" * 50 + '    """\n' + "    a = 1\n" * 40,
        "class C:\n    def f(self, a, b, c, d, e, f, g, h): ...",
    ],
)
def test_the_check_lets_what_is_just_small_enough_pass(code: str) -> None:
    assert too_big("a.py", code) == []
