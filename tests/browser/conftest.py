"""A real browser, one for all tests, and the pages that it opens."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from lmdistill.records.record import find_records
from lmdistill.report.html import write_report
from tests.browser.reports import REPORTS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = ["--no-sandbox", "--headless=new", "--disable-gpu", "--disable-dev-shm-usage"]


@dataclass(kw_only=True)
class Opened:
    """A page in the browser, and what it has said and asked for."""

    page: Any
    address: str
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if CHROMIUM is None:
        pytest.skip("needs chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def addresses(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A report of each kind, alone in its folder: what it needs it must bring."""
    found = {}
    for name, write in REPORTS.items():
        runs, alone = (tmp_path_factory.mktemp(f"{name}-{what}") for what in ("runs", "report"))
        write(runs)
        found[name] = write_report(alone, find_records([runs])).as_uri()
    return found


def opened(browser: Any, address: str, **context: Any) -> Opened:
    """The page at `address`, without a network."""
    page = browser.new_context(offline=True, **context).new_page()
    one = Opened(page=page, address=address)
    page.on("console", lambda said: one.errors.append(said.text) if said.type != "info" else None)
    page.on("pageerror", lambda error: one.errors.append(str(error)))
    page.on("request", lambda request: one.requests.append(request.url))
    page.goto(address)
    return one
