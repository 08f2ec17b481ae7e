"""The pages, their blocks, links and sentences."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).parents[2]
EXAMPLES = REPO / "examples"
BUILTIN = REPO / "src" / "lmdistill" / "recipes" / "builtin"
README, CHANGELOG = REPO / "README.md", REPO / "CHANGELOG.md"
PAGES = (README, REPO / "CONTRIBUTING.md", CHANGELOG, *sorted((REPO / "docs").rglob("*.md")))

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
MADE = re.compile(
    r"<!-- (results|fields|studies|claims|overview|costs|seeds|separation|schedules|figures)\b.*?<!-- /\1 -->",
    re.DOTALL,
)
FORMULA = re.compile(r"^\$\$.*?^\$\$$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    language: str
    text: str


def name_of(path: Path) -> str:
    """Path inside the repository."""
    return path.relative_to(REPO).as_posix()


def blocks(text: str, page: str = "") -> Iterator[Block]:
    """Fenced blocks in their order."""
    for language, inside in FENCE.findall(text):
        yield Block(page=page, language=language, text=inside.strip("\n"))


def written(text: str) -> str:
    """What a person wrote: no blocks, no formulas, nothing that a program put in."""
    for part in (MADE, FENCE, FORMULA):
        text = part.sub("", text)
    return text


def sentences(text: str) -> Iterator[str]:
    """Sentences of the prose; headings, table rows and list items are parted from what surrounds them."""
    lines = [line.strip() for line in written(text).splitlines()]
    parted = "\n".join(f"\n{line}\n" if line.startswith(("#", "|")) else line for line in lines)
    for paragraph in re.split(r"\n\s*\n|\n(?=- |\d+\. )|\|", parted):
        yield from (found for part in re.split(r"(?<=[.!?])\s+", paragraph) if (found := part.strip(" -\n")))


def links(text: str) -> list[str]:
    """Targets of the links outside of blocks."""
    return LINK.findall(FENCE.sub("", text))


def anchors(text: str) -> set[str]:
    """What the headings of a page can be reached by."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def rows(text: str) -> Iterator[list[str]]:
    """Cells of the table rows of a page, without titles and lines."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("| \n").split(" | ")]
        if line.startswith("|") and not set(line) <= set("|-: "):
            yield cells
