"""The pages, their blocks and their links, and the examples that they show."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).parents[2]
EXAMPLES = REPO / "examples"
PAGES = (
    *(REPO / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((REPO / "docs").rglob("*.md")),
)

SUFFIXES = {"python": ".py", "yaml": ".yaml", "sh": ".sh", "csv": ".csv"}
"""Language of a block, and suffix of the example that holds it."""

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    language: str
    text: str


def name_of(path: Path) -> str:
    return path.relative_to(REPO).as_posix()


def blocks(text: str, page: str = "") -> Iterator[Block]:
    """Fenced blocks in their order."""
    for language, inside in FENCE.findall(text):
        yield Block(page=page, language=language, text=inside.strip("\n"))


def prose(text: str) -> str:
    """A page without blocks, tables, formulas and what a program wrote into it."""
    text = re.sub(r"<!-- (results|fields .*?) -->.*?<!-- /\w+ -->", "", text, flags=re.DOTALL)
    text = re.sub(r"^\$\$.*?\$\$$", "", FENCE.sub("", text), flags=re.MULTILINE | re.DOTALL)
    return "\n".join(line for line in text.splitlines() if not line.startswith("|"))


def links(text: str) -> list[str]:
    """Targets of the links outside of blocks."""
    return LINK.findall(FENCE.sub("", text))


def anchors(text: str) -> set[str]:
    """What the headings of a page can be reached by."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}
