"""The one reader of YAML: plain values only, and a file of any content costs little time and memory.

A file that somebody sends may be made to harm: an alias of an alias of an alias stands for billions of values, an
alias inside its own anchor for endlessly many, and deep nesting overflows the stack. So the size, the depth and the
number of values are checked on the stream of events, before a value is made.
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
"""Events that begin what holds other values."""


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
        raise ConfigError(f"{where} has more than {MAX_BYTES:,} bytes, too many for a recipe or a study. Shorten it.")


def _require_bounded(text: str, where: str) -> None:
    """Refuse deep nesting, an alias inside its own anchor, and aliases that stand for too many values.

    Raises:
        ConfigError: If so.
    """
    known = dict[str, int]()  # values that an anchor stands for
    open_: list[tuple[str | None, int]] = [(None, 0)]  # anchor and values so far, of every list and table around
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in (anchor for anchor, _ in open_):
                raise ConfigError(f"{where} has an alias *{event.anchor} inside &{event.anchor}. Remove it.")
            count, anchor = known.get(event.anchor, 0), None
        elif isinstance(event, STARTS):
            open_.append((event.anchor, 1))
            if len(open_) > MAX_DEPTH + 1:
                raise ConfigError(f"{where} is nested more than {MAX_DEPTH} deep. Flatten it.")
            continue
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            anchor, count = open_.pop()
        elif isinstance(event, yaml.ScalarEvent):
            anchor, count = event.anchor, 1
            if event.implicit[0] and len(event.value) > MAX_PLAIN:
                raise ConfigError(f"{where} has a text of {len(event.value):,} characters without quotes. Add them.")
        else:
            continue
        if anchor is not None:
            known[anchor] = count
        around, so_far = open_[-1]
        open_[-1] = around, so_far + count
        if so_far + count > MAX_VALUES:
            raise ConfigError(f"{where} stands for more than {MAX_VALUES:,} values. Write fewer aliases (*name).")


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
