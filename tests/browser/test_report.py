"""The report in Chromium: it is whole, asks for nothing, fits every width and can be read in both themes."""

from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Opened, opened
from tests.browser.reports import REPORTS

THEMES = ("light", "dark")
WIDTHS = (360, 1440)
PAPER = 718
"""Pixels of an A4 page between margins of a centimetre."""

OUTSIDE = """() => [...document.querySelectorAll('main *')]
  .filter(node => !node.closest('.scroll, pre') || node.matches('.scroll, pre'))
  .filter(node => node.getClientRects().length && node.getBoundingClientRect().right > innerWidth + 0.5)
  .map(node => node.tagName + ': ' + node.textContent.slice(0, 40))"""

HIDING = """() => [...document.querySelectorAll('.scroll tr > :first-child')]
  .filter(node => node.closest('.scroll').scrollWidth > node.closest('.scroll').clientWidth)
  .filter(node => node.offsetWidth > 0.6 * node.closest('.scroll').clientWidth)
  .map(node => node.textContent.slice(0, 40))"""

FAINT = """() => {
  const parse = text => { const n = text.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n };
  const light = rgb => rgb.slice(0, 3).map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = node => {
    for (let one = node; one; one = one.parentElement) {
      const colour = parse(getComputedStyle(one).backgroundColor);
      if (colour[3] === 1) return colour;
    }
    return [255, 255, 255, 1];
  };
  const found = [];
  for (const node of document.querySelectorAll('main *:not(figure tbody tr:nth-child(n+4) *)')) {
    const own = [...node.childNodes].some(one => one.nodeType === 3 && one.textContent.trim());
    if (!own || !node.getClientRects().length) continue;
    const style = getComputedStyle(node);
    const ink = parse(node.closest('svg') ? style.fill : style.color);
    const [high, low] = [light(ink), light(behind(node))].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) found.push(node.tagName + ' ' + ratio.toFixed(2) + ': ' + node.textContent.slice(0, 40));
  }
  return found;
}"""


@pytest.fixture(params=[(name, theme) for name in REPORTS for theme in THEMES], ids="-".join)
def seen(request: pytest.FixtureRequest, browser: Any, addresses: dict[str, str]):
    """Every report in both themes."""
    name, theme = request.param
    one = opened(browser, addresses[name], color_scheme=theme)
    yield one
    one.page.context.close()


@pytest.fixture
def study(browser: Any, addresses: dict[str, str]):
    one = opened(browser, addresses["study"], viewport={"width": PAPER, "height": 900})
    yield one
    one.page.context.close()


def test_it_loads_alone_fits_and_can_be_read(seen: Opened) -> None:
    assert seen.errors == []
    assert seen.requests == [seen.address]
    seen.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert seen.page.evaluate(FAINT) == []
    for width in WIDTHS:
        seen.page.set_viewport_size({"width": width, "height": 900})
        assert seen.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, width
        assert seen.page.evaluate(OUTSIDE) == [], width
        assert seen.page.evaluate(HIDING) == [], f"the column that stays hides the others at {width}"


def test_the_theme_is_that_of_the_reader(browser: Any, addresses: dict[str, str]) -> None:
    colours = {}
    for theme in THEMES:
        one = opened(browser, addresses["run"], color_scheme=theme)
        colours[theme] = one.page.evaluate("getComputedStyle(document.body).backgroundColor")
        one.page.context.close()
    assert colours["light"] == "rgb(255, 255, 255)"
    assert colours["dark"] != colours["light"]


def test_a_number_leads_to_its_record_though_that_is_folded(study: Opened) -> None:
    page = study.page
    target = page.locator("main td a").first.get_attribute("href")
    record = page.locator(target)
    assert not record.is_visible()
    page.locator(f'td a[href="{target}"]').first.click()
    record.wait_for(state="visible", timeout=5000)
    assert 0 <= record.bounding_box()["y"] < 900


def test_the_contents_lead_to_each_part(study: Opened) -> None:
    for link in study.page.locator("nav a").all():
        link.click()
        part = study.page.locator(link.get_attribute("href"))
        assert part.is_visible()


def test_it_prints_on_paper_without_losing_a_column(study: Opened) -> None:
    study.page.emulate_media(media="print")
    assert study.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert study.page.pdf(format="A4").startswith(b"%PDF")


def test_the_checks_see_what_is_wrong(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "bad.html"
    path.write_text(
        "<main style='background:#fff'><p style='width:2000px;color:#999'>wide and faint</p>"
        "<img src='http://example.invalid/x.png'></main>",
        encoding="utf-8",
    )
    one = opened(browser, path.as_uri(), viewport={"width": 360, "height": 900})
    assert one.errors
    assert len(one.requests) == 2
    assert any("wide" in text for text in one.page.evaluate(OUTSIDE))
    assert any("faint" in text for text in one.page.evaluate(FAINT))
    one.page.context.close()
