"""Build the package, install its wheel in an empty environment and run the demo there. Run: make wheel-test.

Everything happens in a temporary folder outside the checkout, so that nothing but the wheel can be imported.
"""

import os
import subprocess
import sys
import tempfile
import time
import zipfile
from html.parser import HTMLParser
from pathlib import Path

REPO = Path(__file__).parents[2]
PACKAGE = REPO / "src" / "lmdistill"
EXTRAS = "demo"
SMALLER = ("data.rows=64", "training.epochs=1", "teacher.training.epochs=1")
"""What is set in the demo so that it ends within a minute."""

METHODS = {"FT", "KD", "MixKD"}
"""Rows that the table of the demo must have."""


class Tables(HTMLParser):
    """Collects the cells of all tables of a page, row by row."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._is_in_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
            self._is_in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._is_in_cell = False

    def handle_data(self, data: str) -> None:
        if self._is_in_cell:
            self.rows[-1][-1] += data


def table_rows(page: str) -> list[list[str]]:
    """The rows of all tables of an HTML page, each as the stripped texts of its cells."""
    parser = Tables()
    parser.feed(page)
    return [[" ".join(cell.split()) for cell in row] for row in parser.rows]


def missing_files(names: list[str]) -> list[str]:
    """What a wheel with files of these names lacks: a file of the package, the type marker or the licence."""
    wanted = [
        path.relative_to(PACKAGE.parent).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    ]
    lacking = [name for name in wanted if name not in names]
    if not any(name.endswith(".dist-info/licenses/LICENSE") for name in names):
        lacking.append("LICENSE")
    return lacking


def missing_rows(page: str) -> set[str]:
    """The methods of the demo that have no row with a score in a table of the page."""
    scored = {row[0] for row in table_rows(page) if len(row) > 1 and row[1][:1].isdigit()}
    return METHODS - scored


def run(*command: str | Path, cwd: Path) -> None:
    """Run a command without the checkout on the import path; stop with its exit code if it fails."""
    hidden = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_"))
    }
    began = time.monotonic()
    code = subprocess.run([str(part) for part in command], cwd=cwd, env=hidden, check=False).returncode
    print(f"{time.monotonic() - began:.0f} s: {' '.join(map(str, command))}", flush=True)
    if code:
        sys.exit(f"exit code {code}")


def installed(wheel: Path, folder: Path) -> Path:
    """The folder of programs of a new environment that holds the wheel, at the versions of constraints.txt."""
    run(sys.executable, "-m", "venv", folder, cwd=folder.parent)
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    constraint = ("--constraint", REPO / "constraints.txt")
    run(programs / "python", "-m", "pip", "install", "--quiet", *constraint, f"{wheel}[{EXTRAS}]", cwd=folder)
    return programs


def main() -> None:
    """Build, look into the wheel, install it, run the demo, and read its report."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lmdistill-wheel-") as name:
        folder = Path(name)
        run(sys.executable, "-m", "build", "--outdir", folder / "dist", REPO, cwd=folder)
        (wheel,) = (folder / "dist").glob("*.whl")
        if lacking := missing_files(zipfile.ZipFile(wheel).namelist()):
            sys.exit(f"{wheel.name} lacks {', '.join(lacking)}. Add them to package-data in pyproject.toml.")
        programs = installed(wheel, folder / "environment")
        place = f"import lmdistill, sys; sys.exit(not lmdistill.__file__.startswith({str(folder)!r}))"
        run(programs / "python", "-c", place, cwd=folder)
        settings = [part for setting in SMALLER for part in ("--set", setting)]
        run(programs / "lmdistill", "demo", "--out", "demo", *settings, cwd=folder)
        page = (folder / "demo" / "report.html").read_text(encoding="utf-8")
        if lacking := sorted(missing_rows(page)):
            sys.exit(f"report.html has no table with scores of {', '.join(lacking)}.")
        print(f"{wheel.name} works: {time.monotonic() - began:.0f} s in all")


if __name__ == "__main__":
    main()
