"""Everything that a recipe can name, with one line each, without importing what is named."""

import ast
from collections.abc import Callable, Mapping
from importlib.resources import files
from itertools import takewhile
from types import MappingProxyType

from lmdistill.data.tasks.task_spec import SYNTHETIC, TASKS, TaskSpec
from lmdistill.recipes.yaml_tables import STUDIES, builtin


def _first_line(text: str | None) -> str:
    """The first line of a docstring or of a comment at the top of a file."""
    return (text or "").strip().splitlines()[0].lstrip("# ")


def _task_line(task: TaskSpec) -> str:
    """What is asked, in which classes, how it is scored."""
    classes = ", ".join(task.labels) or "a score"
    return f"{' and '.join(task.columns)} to {classes}; {', '.join(task.metrics)}"


def _class_lines(*package: str) -> dict[str, str]:
    """Name to the first line of the class's docstring, for the tables of names in a package's `__init__.py`.

    It is read from the source, because importing the classes takes seconds: methods import torch.
    """
    folder = files("lmdistill").joinpath(*package)
    init = ast.parse(folder.joinpath("__init__.py").read_text(encoding="utf-8"))
    imports = [node for node in init.body if isinstance(node, ast.ImportFrom)]
    module_of = {alias.name: str(node.module) for node in imports for alias in node.names}
    found = {}
    for table in (node for node in ast.walk(init) if isinstance(node, ast.Dict)):
        for name, cls in zip(table.keys, table.values, strict=True):
            if isinstance(name, ast.Constant) and isinstance(cls, ast.Name):
                file = folder.joinpath(f"{module_of[cls.id].rpartition('.')[2]}.py")
                found[str(name.value)] = _first_line(_docstring(file.read_text(encoding="utf-8"), cls.id))
    return dict(sorted(found.items()))


def _docstring(code: str, name: str) -> str | None:
    """The docstring of the class called `name`."""
    classes = (node for node in ast.parse(code).body if isinstance(node, ast.ClassDef) and node.name == name)
    return ast.get_docstring(next(classes))


_OTHER_TASKS = {
    SYNTHETIC.name: f"{_task_line(SYNTHETIC)}; a program makes the texts",
    "own": "your own file: data.source, and data.text and data.label where they cannot be told",
}
"""Tasks that are not of GLUE."""

_KINDS: Mapping[str, Callable[[], dict[str, str]]] = MappingProxyType(
    {
        "recipes": lambda: {name: _first_line(text) for name, text in builtin().items()},
        "studies": lambda: {name: _first_line(text) for name, text in builtin(STUDIES).items()},
        "methods": lambda: _class_lines("methods"),
        "tasks": lambda: {**{name: _task_line(task) for name, task in TASKS.items()}, **_OTHER_TASKS},
        "augmenters": lambda: _class_lines("data", "augment"),
    }
)


def catalog(kind: str) -> dict[str, str]:
    """Name to line, for "recipes", "studies", "methods", "tasks" or "augmenters"."""
    return _KINDS[kind]()


def study_notes(name: str) -> tuple[str, ...]:
    """What the built-in study called `name` is, at each scale, and what differs there from the publication.

    Returns:
        The paragraphs of the comment at the top of its file, one line each; none for any other name.
    """
    lines = builtin(STUDIES).get(name, "").splitlines()
    paragraphs: list[str] = []
    for line in takewhile(lambda line: line.startswith("#"), lines):
        if line.startswith("#  ") and paragraphs:
            paragraphs[-1] += f" {line.lstrip('# ')}"
        elif line.strip("# "):
            paragraphs.append(line.lstrip("# "))
    return tuple(paragraphs)
