"""Messages on the page of errors are messages of the source."""

import ast
from collections.abc import Iterator

import pytest

from tests.docs.pages import REPO, rows

SOURCE = sorted((REPO / "src" / "lmdistill").rglob("*.py"))
QUOTED = [
    cells[0].strip("`")
    for cells in rows((REPO / "docs" / "trouble.md").read_text(encoding="utf-8"))
    if cells[0] != "message"
]


def texts(code: str) -> Iterator[str]:
    """Texts of a file, with `…` for every value in them; docstrings are none."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "\n" not in node.value:
            yield node.value


def plain(text: str) -> str:
    """Without quotes, which `!r` writes around values."""
    return text.replace("'…'", "…")


MESSAGES = [plain(text) for path in SOURCE for text in texts(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("message", QUOTED)
def test_a_quoted_message_is_in_the_source(message: str) -> None:
    assert any(plain(message) in text for text in MESSAGES), f"nothing says: {message}"


def test_the_page_quotes_messages() -> None:
    assert len(QUOTED) > 30
    assert all(len(message) >= 10 for message in QUOTED)


def test_texts_are_found_with_gaps_for_values() -> None:
    assert "…: the value is …" in list(texts('f"{a}: the value " f"is {b!r}"'))
