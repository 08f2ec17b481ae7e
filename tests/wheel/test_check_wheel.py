"""What `make wheel-test` looks for is missed where it is missing; the build itself is not run here."""

import pytest

from tests.wheel.check_wheel import METHODS, PACKAGE, missing_files, missing_rows, table_rows

LICENCE = "lmdistill-0.2.0.dist-info/licenses/LICENSE"


def whole_wheel() -> list[str]:
    files = (path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return [LICENCE, *(path.relative_to(PACKAGE.parent).as_posix() for path in files)]


@pytest.mark.parametrize(
    "name",
    [
        "lmdistill/py.typed",
        "lmdistill/recipes/builtin/demo.yaml",
        "lmdistill/studies/builtin/mixkd-table1.yaml",
        "lmdistill/report/templates/report.html.j2",
        "lmdistill/cli/main.py",
        LICENCE,
    ],
)
def test_a_wheel_without_a_file_is_seen(name: str) -> None:
    names = whole_wheel()
    assert missing_files(names) == []
    names.remove(name)
    assert missing_files(names) == [name if name != LICENCE else "LICENSE"]


def page(*rows: str) -> str:
    return f"<p>FT 81</p><table><tr><th></th><th>accuracy</th></tr>{''.join(rows)}</table>"


def test_a_page_needs_a_row_with_a_score_for_each_method() -> None:
    rows = [f"<tr><td>\n {name} </td><td>\n 81.25 ± 1</td></tr>" for name in sorted(METHODS)]
    assert table_rows(page(rows[0])) == [["", "accuracy"], ["FT", "81.25 ± 1"]]
    assert missing_rows(page(*rows)) == set()
    assert missing_rows(page(*rows[1:])) == {"FT"}
    assert missing_rows(page(*rows[1:], "<tr><td>FT</td><td>–</td></tr>")) == {"FT"}
    assert missing_rows("<p>no tables</p>") == METHODS
