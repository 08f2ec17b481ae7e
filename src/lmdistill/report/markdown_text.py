"""Texts in Markdown: a line without formatting, a block of commands, the front matter of the hub."""

import json
from typing import Any

from lmdistill.core.printable import one_line, printable


def plain_line(text: str) -> str:
    """`text` on one line, with Markdown and HTML characters escaped."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>|#" else letter for letter in one_line(text))


def code_block(text: str) -> str:
    """A code block that contains `text`, with a fence longer than any backticks in it."""
    text = printable(text)
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}console\n{text}\n{fence}"


def front_matter(fields: dict[str, Any]) -> str:
    """YAML between lines of dashes; values are written as JSON, which is valid YAML."""
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]
    return printable("\n".join(["---", *lines, "---"]))  # JSON has the same escapes
