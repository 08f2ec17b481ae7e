"""Whether a recipe may run the Python files of classes that it names as `path.py:Class`."""

from typing import Literal

Code = Literal["refuse", "name", "run"]
"""What becomes of a class in a Python file: an error, its name alone, or the class, whose file is run."""

FLAG = "--allow-code"
"""Option of `lmdistill distill` and `lmdistill study` that allows to run such files."""
