"""The one reader of YAML: plain values only, and a file of any content costs little time and memory.

A file that somebody sends may be made to harm: an alias of an alias of an alias stands for billions of
values, an alias inside its own anchor for endlessly many, and deep nesting overflows the stack. So the size,
the depth and the number of values are checked on the stream of events, before a value is made.
"""

from pathlib import Path
from typing import Any

import yaml

from lmdistill.core.errors import ConfigError

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Makes plain values and nothing else; libyaml, where PyYAML has it, takes a tenth of the time."""

MAX_BYTES = 4 * 1024 * 1024
"""Longest text of a file in bytes of UTF-8."""

MAX_DEPTH = 64
"""Deepest nesting of lists and tables."""

MAX_VALUES = 200_000
"""Most values, with what aliases repeat."""

MAX_PLAIN = 10_000
"""Longest text without quotes in characters; a number of millions of digits takes minutes to read."""

STARTS = (yaml.SequenceStartEvent, yaml.MappingStartEvent)
ENDS = (yaml.SequenceEndEvent, yaml.MappingEndEvent)
"""Events at both ends of what holds other values."""


def yaml_in(path: Path) -> Any:
    """The value in a file.

    Raises:
        ConfigError: If it is not UTF-8, no YAML, or too large (`MAX_BYTES`, `MAX_DEPTH`, `MAX_VALUES`).
    """
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    try:
        return yaml_from(data.decode("utf-8"), str(path))
    except UnicodeDecodeError as error:
        _require_size(len(data), str(path))  # a character may have been cut
        raise ConfigError(f"{path} is not UTF-8 ({error}). Save the recipe as UTF-8.") from None


def yaml_from(text: str, where: str) -> Any:
    """The value that `text`, which was read at `where`, stands for.

    A key that is there twice is refused, since one of its values would be lost.

    Raises:
        ConfigError: If it is no YAML, or too large.
    """
    _require_size(len(text), where)
    try:
        _require_bounded(text, where)
        loader = LOADER(text)
        try:
            node = loader.get_single_node()
            _require_once(node, where)
            return None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except ConfigError:
        raise
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # the 13th month of a date, and the like
        raise ConfigError(f"{where} is not YAML: {' '.join(str(error).split())}.") from None


def _require_size(size: int, where: str) -> None:
    """Refuse a text that is too long to be a recipe."""
    if size > MAX_BYTES:
        raise ConfigError(
            f"{where} has more than {MAX_BYTES:,} bytes, too many for a recipe or a study. Shorten it."
        )


def _require_bounded(text: str, where: str) -> None:
    """Refuse deep nesting, an alias inside its own anchor, and aliases that stand for too many values."""
    tally = _Tally(where)
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, STARTS):
            tally.begin(event.anchor)
        elif isinstance(event, ENDS):
            tally.end()
        elif isinstance(event, yaml.AliasEvent):
            tally.repeat(str(event.anchor))
        elif isinstance(event, yaml.ScalarEvent):
            if event.implicit[0] and len(event.value) > MAX_PLAIN:
                size = len(event.value)
                raise ConfigError(f"{where} has a text of {size:,} characters without quotes. Add them.")
            tally.add(1, event.anchor)


class _Tally:
    """Counts the values of a text while it is read."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._known: dict[str, int] = {}  # values that an anchor stands for
        self._around: list[tuple[str | None, int]] = [(None, 0)]  # anchor and values of what is open

    def begin(self, anchor: str | None) -> None:
        """A list or a table begins."""
        self._around.append((anchor, 1))
        if len(self._around) > MAX_DEPTH + 1:
            raise ConfigError(f"{self._where} is nested more than {MAX_DEPTH} deep. Flatten it.")

    def end(self) -> None:
        """The innermost list or table ends."""
        anchor, count = self._around.pop()
        self.add(count, anchor)

    def repeat(self, anchor: str) -> None:
        """Count what an alias stands for; one inside its own anchor is refused."""
        if anchor in (name for name, _ in self._around):
            raise ConfigError(f"{self._where} has an alias *{anchor} inside &{anchor}. Remove it.")
        self.add(self._known.get(anchor, 0), None)

    def add(self, count: int, anchor: str | None) -> None:
        """So many values more, under this anchor."""
        if anchor is not None:
            self._known[anchor] = count
        name, so_far = self._around[-1]
        self._around[-1] = name, so_far + count
        if so_far + count > MAX_VALUES:
            raise ConfigError(
                f"{self._where} stands for more than {MAX_VALUES:,} values. Write fewer aliases (*name)."
            )


def _require_once(node: yaml.Node | None, where: str) -> None:
    """No table has a key twice; what `<<` brings in may be written over."""
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            line, name = key.start_mark.line + 1, str(key.value)
            if name in lines:
                raise ConfigError(f"{where} has {name} in line {lines[name]} and in line {line}. Remove one.")
            lines[name] = line
            _require_once(value, where)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _require_once(item, where)
