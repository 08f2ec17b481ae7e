"""Everything that a recipe can name, with one line each."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from lmdistill.data.augment import AUGMENTERS
from lmdistill.data.synthetic.reviews import SYNTHETIC
from lmdistill.data.tasks.task import TASKS, TaskSpec
from lmdistill.methods import METHODS
from lmdistill.recipes.files import builtin
from lmdistill.studies.schema import builtin_studies


def _first_line(text: str | None) -> str:
    """The first line of a docstring or of a comment at the top of a file."""
    return (text or "").strip().splitlines()[0].lstrip("# ")


def _task_line(task: TaskSpec) -> str:
    """What is asked, in which classes, how it is scored."""
    classes = ", ".join(task.labels) or "a score"
    return f"{' and '.join(task.columns)} to {classes}; {', '.join(task.metrics)}"


_OTHER_TASKS = {
    SYNTHETIC.name: f"{_task_line(SYNTHETIC)}; a program makes the texts",
    "own": "your own file: data.source, and data.text and data.label where they cannot be told",
}
"""Tasks that are not of GLUE."""

_KINDS: Mapping[str, Callable[[], dict[str, str]]] = MappingProxyType(
    {
        "recipes": lambda: {name: _first_line(text) for name, text in builtin().items()},
        "studies": lambda: {name: _first_line(text) for name, text in builtin_studies().items()},
        "methods": lambda: {name: _first_line(cls.__doc__) for name, cls in METHODS.items()},
        "tasks": lambda: {**{name: _task_line(task) for name, task in TASKS.items()}, **_OTHER_TASKS},
        "augmenters": lambda: {name: _first_line(cls.__doc__) for name, cls in AUGMENTERS.items()},
    }
)


def catalog(kind: str) -> dict[str, str]:
    """Name to line, for "recipes", "studies", "methods", "tasks" or "augmenters"."""
    return _KINDS[kind]()
