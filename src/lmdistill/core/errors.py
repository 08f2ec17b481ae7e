"""Everything this package raises on purpose.

LmdistillError           a mistake that the user can mend; the command line prints it and leaves with code 2
├── UnknownNameError     a name in a recipe or on the command line that no table contains
├── ConfigError          a value outside its documented range, or settings that contradict each other
├── DataError            a file, a column or a row that cannot be used
├── ModelError           a model that cannot be loaded, cut or saved
├── MismatchError        a student, a teacher, a method and a task that cannot work together
├── RunError             a run folder that cannot be written, read or continued
├── DivergedError        a training run whose loss stopped being a number
└── MissingExtraError    an optional package or program that is not installed
"""

import difflib
from collections.abc import Iterable


class LmdistillError(Exception):
    """Base of every error raised on purpose."""


class ConfigError(LmdistillError, ValueError):
    """A value outside its documented range, or settings that contradict each other."""


class DataError(LmdistillError, ValueError):
    """A file, a column or a row that cannot be used."""


class ModelError(LmdistillError, ValueError):
    """A model that cannot be loaded, cut or saved."""


class MismatchError(LmdistillError, ValueError):
    """A student, a teacher, a method and a task that cannot work together."""


class RunError(LmdistillError, ValueError):
    """A run folder that cannot be written, read or continued."""


class DivergedError(LmdistillError, ArithmeticError):
    """A training run whose loss stopped being a number."""


class MissingExtraError(LmdistillError, ImportError):
    """An optional package or program that is not installed."""


class UnknownNameError(LmdistillError, KeyError):
    """A name that its table does not contain.

    Examples:
        >>> print(UnknownNameError("method", "mix-kd", ["kd", "mixkd"]))
        no method is called 'mix-kd'. Did you mean 'mixkd'? Known: kd, mixkd.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        known = f"Known: {', '.join(names)}." if names else "There are none."
        super().__init__(f"no {kind} is called {name!r}.{hint} {known}")

    def __str__(self) -> str:
        return str(self.args[0])
