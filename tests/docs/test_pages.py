"""Pages keep promises: blocks are examples, links lead somewhere, parts are made, sentences are short."""

import re
import tomllib
from pathlib import Path

import pytest

from docs.make import made
from lmdistill.methods import BASELINES, METHODS
from tests.docs.pages import (
    BUILTIN,
    CHANGELOG,
    EXAMPLES,
    PAGES,
    README,
    REPO,
    Block,
    anchors,
    blocks,
    links,
    name_of,
    sentences,
)

HEADINGS = ["Idea", "Formula", "Fields", "Paper and deviations", "Cost", "Expected result", "Pitfalls"]
SUFFIXES = {"python": ".py", "yaml": ".yaml", "sh": ".sh", "csv": ".csv", "js": ".mjs"}
"""Language of a block, and suffix of the example that holds it."""

TEXTS = {name_of(path): path.read_text(encoding="utf-8") for path in PAGES}
BLOCKS = [block for page, text in TEXTS.items() for block in blocks(text, page)]
SHOWN = [block for block in BLOCKS if block.language != "text"]


def homes(block: Block) -> list[str]:
    """Examples and built-in recipes that hold the block, line by line."""
    files = [
        *EXAMPLES.glob("*"),
        *EXAMPLES.glob("studies/*"),
        *EXAMPLES.glob("browser/*"),
        *BUILTIN.glob("*.yaml"),
    ]
    return [
        name_of(path)
        for path in files
        if path.suffix == SUFFIXES.get(block.language)
        and f"\n{block.text}\n" in f"\n{path.read_text(encoding='utf-8')}\n"
    ]


def broken(text: str, page: Path) -> list[str]:
    """Links of a page that lead nowhere in the repository."""
    wrong = []
    for target in links(text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        if not place.exists() or (anchor and anchor not in anchors(place.read_text(encoding="utf-8"))):
            wrong.append(target)
    return wrong


def too_long(text: str) -> list[str]:
    """Sentences of 25 words or more."""
    return [sentence for sentence in sentences(text) if len(re.findall(r"[\w`]\S*", sentence)) >= 25]


@pytest.mark.parametrize("block", SHOWN, ids=[f"{block.page}-{i}" for i, block in enumerate(SHOWN)])
def test_every_block_is_an_example(block: Block) -> None:
    assert homes(block), f"{block.page} shows a block that no file in examples/ holds:\n{block.text}"


def test_a_block_that_is_no_example_is_seen() -> None:
    assert homes(Block(page="", language="sh", text="make demo")) == ["examples/readme.sh"]
    assert homes(Block(page="", language="sh", text="make dem")) == []
    assert homes(Block(page="", language="python", text="make demo")) == []
    assert homes(Block(page="", language="", text="make demo")) == []


@pytest.mark.parametrize("page", TEXTS)
def test_links_lead_somewhere(page: str) -> None:
    assert broken(TEXTS[page], REPO / page) == []


def test_a_broken_link_is_seen() -> None:
    text = "[a](docs/start.md) [b](docs/none.md) [c](docs/start.md#distil) [d](docs/start.md#none) [e](https://x.y/z)"
    assert broken(text, README) == ["docs/none.md", "docs/start.md#none"]


@pytest.mark.parametrize("page", TEXTS)
def test_parts_are_as_made(page: str) -> None:
    assert made(TEXTS[page]) == TEXTS[page], "run make docs"


@pytest.mark.parametrize("page", TEXTS)
def test_sentences_are_short(page: str) -> None:
    assert too_long(TEXTS[page]) == []


def test_a_long_sentence_is_seen() -> None:
    long = " ".join(["word"] * 25) + "."
    assert too_long(f"Short one.\n{long}\nAnother short one.") == [long]
    assert too_long(f"- {' '.join(['word'] * 20)}\n- {' '.join(['word'] * 20)}") == []


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_a_page_with_the_same_headings(name: str) -> None:
    text = (REPO / "docs" / "methods" / f"{name}.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    cls = METHODS[name]
    assert f"<!-- fields {cls.__module__}.{cls.__name__} -->" in text


def test_every_method_page_is_of_a_method() -> None:
    assert {path.stem for path in (REPO / "docs" / "methods").glob("*.md")} == {*METHODS, *BASELINES}


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, todo = set(), [README]
    while todo:
        page = todo.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        inside = [target.partition("#")[0] for target in links(page.read_text(encoding="utf-8"))]
        todo += [
            path
            for target in inside
            if target and ":" not in target and (path := (page.parent / target).resolve()).is_file()
        ]
    assert {name_of(page) for page in PAGES} - {name_of(page) for page in reached} <= {"docs/index.md"}


def test_the_readme_fits_two_screens() -> None:
    assert len(TEXTS["README.md"].splitlines()) <= 120


def test_the_tree_of_the_readme_is_the_tree() -> None:
    (tree,) = [block.text for block in BLOCKS if block.page == "README.md" and block.language == "text"]
    shown = {line.split()[0] for line in tree.splitlines()[1:]}
    folders = {f"{path.parent.name}/" for path in (REPO / "src" / "lmdistill").glob("*/__init__.py")}
    assert tree.splitlines()[0] == "src/lmdistill/"
    assert folders <= shown
    assert {name for name in shown - folders if not (REPO / name).is_dir()} == set()
    assert all(len(line.split()) > 2 for line in tree.splitlines()[1:])


def test_the_top_of_the_changelog_is_the_version() -> None:
    version = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    entries = re.findall(r"^## \[(.+?)\]", CHANGELOG.read_text(encoding="utf-8"), re.MULTILINE)
    assert entries[0] == version
