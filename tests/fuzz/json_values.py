"""Random changes of JSON objects, and the check of an error's message."""

import copy
import math
from typing import Any

from hypothesis import strategies as st

from lmdistill.core.errors import LmdistillError
from lmdistill.core.printable import CONTROL

NASTY = [
    None, True, False, 0, -1, 1, 2, 0.5, -0.0, 1e-320, 1e308, 10**30, -(10**30), math.nan, math.inf, -math.inf,
    "", " ", "x", "1", "1e-5", "no", "null", "a/b", "../x", "a:b", "x.py:Y", "CON", "\x1b[31mred", "two\nlines",
    "a\x00b", "\u202e", "\ud800", "é", "🎬", "=1+1", "{{ x }}", "9" * 5000, "a" * 300, [], [[]], [None], [1, "a"],
    {}, {"name": "x"}, {"name": None}, {"": 1}, {"name": {"name": "kd"}},
]  # fmt: skip
"""Values that have broken some reader somewhere."""

VALUES = st.sampled_from(NASTY) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
"""Values of any type that YAML and JSON have."""


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all values inside nested tables and lists."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, inner in items for found in ((*path, key), *places(inner, (*path, key)))]


@st.composite
def changed(draw: Any, value: Any, most: int = 3) -> Any:
    """The value with one to `most` of its parts replaced, removed, added or renamed."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, most))):
        found = places(value)
        if not found:
            break
        *way, last = draw(st.sampled_from(found))
        parent = value
        for key in way:
            parent = parent[key]
        kind = draw(st.sampled_from(["replace", "replace", "replace", "remove", "add", "rename"]))
        if kind == "replace":
            parent[last] = copy.deepcopy(draw(VALUES))
        elif kind == "remove":
            del parent[last]
        elif isinstance(parent, list):
            parent.append(copy.deepcopy(draw(VALUES)))
        elif kind == "add":
            parent[draw(st.text(max_size=6))] = copy.deepcopy(draw(VALUES))
        else:
            parent[draw(st.text(max_size=6))] = parent.pop(last)
    return value


def require_clean(error: LmdistillError) -> None:
    """A message is one line of text that a terminal can show, and not endless."""
    message = str(error)
    assert message.strip()
    assert "\n" not in message, message
    assert not CONTROL.search(message), message
    assert len(message) < 2000, message
