"""Limits of chat templates, which are programs that come with a tokenizer.

Transformers runs them in jinja's sandbox, from which they reach nothing. Here they also get a limited number
of steps, seconds and characters, since a template of nested loops runs for years.
"""

import functools
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from jinja2 import Template, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer
from transformers.utils import chat_template_utils

from lmdistill.data.language.template_values import TemplateLimitError, joined, require_growth, small

MAX_STEPS = 1_000_000
"""Most rounds of loops, calls and operators of one rendering."""

MAX_SECONDS = 10.0
"""Longest time of one rendering."""

_stock: Any = chat_template_utils
_compile: Callable[[str], Template] = _stock._compile_jinja_template


@dataclass
class _Budget:
    """What is left for one rendering."""

    steps: int = field(default_factory=lambda: MAX_STEPS)
    end: float = field(default_factory=lambda: time.monotonic() + MAX_SECONDS)

    def spend(self) -> None:
        """Take one step; refuse if none is left or the time is over."""
        self.steps -= 1
        if self.steps < 0:
            raise TemplateLimitError(f"takes more than {MAX_STEPS:,} steps")
        if time.monotonic() > self.end:
            raise TemplateLimitError(f"takes more than {MAX_SECONDS:g} seconds")


_budget: ContextVar[_Budget] = ContextVar("budget")


@contextmanager
def bounded_templates() -> Iterator[None]:
    """Let transformers render a chat template within the limits; elsewhere it renders as always.

    Raises:
        TemplateLimitError: Inside the block, if the template exceeds a limit.
    """
    _stock._compile_jinja_template = _dispatch
    token = _budget.set(_Budget())
    try:
        yield
    finally:
        _budget.reset(token)


def _dispatch(chat_template: str) -> Template:
    """What transformers asks for the compiled form of a template, inside and outside of the block."""
    return _compile(chat_template) if _budget.get(None) is None else _compiled(chat_template)


@functools.lru_cache(maxsize=32)
def _compiled(chat_template: str) -> Template:
    """The template, compiled with the functions and filters that transformers gives it, and with limits."""
    stock: Any = _compile("").environment
    extensions = [type(extension) for extension in stock.extensions.values()]
    environment = _Bounded(
        trim_blocks=stock.trim_blocks, lstrip_blocks=stock.lstrip_blocks, extensions=extensions
    )
    environment.globals.update(stock.globals)
    del environment.globals["lipsum"]  # writes as many paragraphs as it is asked for
    environment.filters.update({name: _limited(name, one) for name, one in stock.filters.items()})
    environment.filters.update({"_counted": _counted, "_joined": _joined, "_small": small})
    return environment.from_string(chat_template)


class _Bounded(ImmutableSandboxedEnvironment):
    """The sandbox of jinja, in which loops, calls and operators are steps."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})
    concat = staticmethod(joined)

    def __init__(self, **settings: Any) -> None:
        super().__init__(finalize=small, **settings)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """The syntax tree, with a counter in every loop and a limit on every value that is put together."""
        tree: nodes.Template = _Counting().visit(super()._parse(source, name, filename))
        tree.set_environment(self)
        return tree

    def call(self, context: Any, called: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call a function, a macro or a method of a value."""
        _budget.get().spend()
        method = getattr(called, "__wrapped__", called)  # jinja wraps str.format
        owner = getattr(method, "__self__", None)
        if isinstance(owner, str):
            require_growth(getattr(method, "__name__", ""), owner, args, kwargs)
        return small(super().call(context, called, *args, **kwargs))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Apply an operator that can make a value grow."""
        _budget.get().spend()
        require_growth(operator, small(left), (right,), {})
        return small(super().call_binop(context, operator, left, right))


class _Counting(NodeTransformer):
    """Puts counters and limits into a syntax tree, as filters."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        """A loop, each round of which is a step."""
        self.generic_visit(node)
        node.iter = _filtered(node.iter, "_counted")
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        """Values that `~` joins."""
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), "_joined")

    def visit_List(self, node: nodes.List) -> nodes.Node:
        """A list, which may hold one list many times."""
        self.generic_visit(node)
        return _filtered(node, "_small")

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:
        """A table, which may hold one value many times."""
        self.generic_visit(node)
        return _filtered(node, "_small")

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        """A tuple; that on the left of an assignment is no value."""
        self.generic_visit(node)
        if node.ctx != "load":
            return node
        return _filtered(node, "_small")


def _filtered(node: Any, name: str) -> nodes.Filter:
    """`node|name`."""
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _counted(values: Any) -> Any:
    """The values of a loop, of which each is a step; what is no sequence is left to jinja."""
    return _steps(values) if hasattr(values, "__iter__") else values


def _steps(values: Iterable[Any]) -> Iterator[Any]:
    """The values one by one."""
    for value in values:
        _budget.get().spend()
        yield value


def _joined(values: list[Any]) -> str:
    """What `~` makes of the values."""
    return joined(str(small(value)) for value in values)


def _limited(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that is a step, of values of limited size."""
    passed = 1 if hasattr(function, "jinja_pass_arg") else 0  # a context or an environment comes first

    @functools.wraps(function)
    def limited(*args: Any, **kwargs: Any) -> Any:
        _budget.get().spend()
        require_growth(name, small(args[passed]), args[passed + 1 :], kwargs)
        return small(function(*args, **kwargs))

    return limited
