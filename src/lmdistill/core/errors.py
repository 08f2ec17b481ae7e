"""The exceptions of this package.

LmdistillError           an error that the user can correct; the command line prints it and exits with code 2
├── UnknownNameError     a name in a recipe or on the command line that is not registered
├── ConfigError          a value outside its documented range, or settings that contradict each other
├── DataError            a file, a column or a row that cannot be used
├── ModelError           a model that cannot be loaded, pruned or saved
├── MismatchError        a student, teacher, method or task that do not fit together
├── RunError             a run folder that cannot be written, read or resumed
├── DivergedError        a training run whose loss or gradient is NaN or infinite
└── MissingExtraError    an optional package or program that is not installed
"""

import difflib
import re
from collections.abc import Iterable

from lmdistill.core.printable import printable

MOST, HEAD, TAIL = 1000, 600, 300
"""Most characters of a message, and how many of the beginning and the end are kept of a longer one."""

LONG_WORD = re.compile(r"(\S{250})\S{200,}(\S{40})")
"""A value without spaces that is longer than anybody reads, and than paths of files are."""


class LmdistillError(Exception):
    """Base class of all errors that the user can correct.

    A very long value in a message is cut in its middle, and so is a message that is still too long, since its
    end says what to do. Control characters of values are written as numbers, and line ends as spaces.
    """

    def __init__(self, message: object = "") -> None:
        text = re.sub(r"\s*[\r\n]+\s*", " ", printable(str(message)))
        text = LONG_WORD.sub(r"\1[...]\2", text)
        super().__init__(text if len(text) <= MOST else f"{text[:HEAD]} [...] {text[-TAIL:]}")


class ConfigError(LmdistillError, ValueError):
    """A value outside its documented range, or settings that contradict each other."""


class DataError(LmdistillError, ValueError):
    """A file, a column or a row that cannot be used."""


class ModelError(LmdistillError, ValueError):
    """A model that cannot be loaded, pruned or saved."""


class MismatchError(LmdistillError, ValueError):
    """A student, teacher, method or task that do not fit together."""


class RunError(LmdistillError, ValueError):
    """A run folder that cannot be written, read or resumed."""


class DivergedError(LmdistillError, ArithmeticError):
    """A training run whose loss or gradient is NaN or infinite."""


class MissingExtraError(LmdistillError, ImportError):
    """An optional package or program that is not installed."""


class UnknownNameError(LmdistillError, KeyError):
    """A name that is not registered. The message lists the known names and suggests the closest one.

    Args:
        kind: What the name stands for, as in "method" or "task".
        name: The unknown name.
        known: All valid names.

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


def first_line(error: BaseException) -> str:
    r"""The first line of another library's message; the name of its class where it has none.

    Examples:
        >>> first_line(ValueError("no such file\nTraceback")), first_line(KeyError())
        ('no such file', 'KeyError')
    """
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def first_sentence(error: BaseException) -> str:
    r"""The first sentence of another library's message, on one line and with a full stop.

    Examples:
        >>> first_sentence(ValueError("no such\nfile. Try again")), first_sentence(KeyError())
        ('no such file.', 'KeyError.')
    """
    text = " ".join(str(error).split()) or type(error).__name__
    return text.split(". ")[0].rstrip(".") + "."
