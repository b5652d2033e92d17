"""The report in a real browser, with charts by the real library: nothing runs or is fetched, all can be read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

from agents.reporting.drawing import OFF
from agents.reporting.page import render_html
from agents.reporting.report import as_json
from tests.agents.chromium import CHROMIUM, Page, browser
from tests.agents.reports import Skeleton, report, with_texts

ATTACK = (
    "\"'><script>alert(1); window.hurt = 1</script><img src=//evil.example/x onerror=alert(1)></svg></title></style>"
    "<svg onload=alert(1)><a href=javascript:alert(1)>{{ 7 * 7 }} ]]> &lt;b&gt; datum.x \\u0041 中文 עברית "
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="a look with a browser: install chromium"),
]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts as users have them."""
    pytest.importorskip("vl_convert", reason="charts: pip install 'smelt[plots]'")
    monkeypatch.delenv(OFF)


def told(text: str | None = None) -> dict[str, Any]:
    table: dict[str, Any] = orjson.loads(orjson.dumps(as_json(report(simulated=True))))
    return table if text is None else with_texts(table, text)


def written(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


@asynccontextmanager
async def opened(path: Path, **told: Any) -> AsyncIterator[Page]:
    async with browser() as page:
        await page.call("Emulation.setDeviceMetricsOverride", **{
            "width": 1100, "height": 900, "deviceScaleFactor": 1, "mobile": False, **told,
        })  # fmt: skip
        await page.open(path.as_uri())
        await page.until("document.readyState === 'complete'")
        yield page


@pytest.mark.usefixtures("drawn")
def test_an_attack_in_every_field_is_text_on_the_page_and_in_the_charts(tmp_path: Path) -> None:
    content, harmless = render_html(told(ATTACK)), render_html(told("harmless"))
    path = written(tmp_path / "report.html", content)

    async def look() -> None:
        async with opened(path) as page:
            assert await page.value("document.querySelectorAll('figure svg').length") >= 12
            assert await page.value("document.querySelectorAll('script, img, iframe, svg a, [onload]').length") == 0
            assert await page.value("window.hurt === undefined")
            assert page.problems == []
            assert {address.partition(":")[0] for address in page.asked_for} == {"file"}

    asyncio.run(look())
    tags = [
        [tag for tag, _ in Skeleton(page).elements if tag not in {"text", "tspan", "g"}] for page in (content, harmless)
    ]
    assert tags[0].count("svg") == tags[1].count("svg")
    assert set(tags[0]) == set(tags[1])


@pytest.mark.usefixtures("drawn")
def test_it_fits_a_telephone_and_can_be_walked_through_by_keys(tmp_path: Path) -> None:
    path = written(tmp_path / "report.html", render_html(told()))

    async def look() -> None:
        async with opened(path, width=360, mobile=True) as page:
            assert await page.value("document.documentElement.scrollWidth") <= 360
            assert await page.value("[...document.querySelectorAll('table')].some(each => each.offsetWidth > 360)")
            loose = "[...document.querySelectorAll('table')].filter(each => each.offsetWidth > 360 && !each.closest("
            assert await page.value(f'{loose}\'.scroll[tabindex="0"][aria-label]:not([aria-label=""])\')).length') == 0
            levels = await page.value("[...document.querySelectorAll('h1, h2, h3, h4')].map(each => +each.tagName[1])")
            assert levels[0] == 1
            assert all(below <= above + 1 for above, below in pairwise(levels)), "no level is skipped"
            await page.press("Tab")
            assert await page.value("document.activeElement.hash") == "#asked"
            named = (
                "[...document.querySelectorAll('svg')].every(each => each.querySelector('title').textContent.length)"
            )
            assert await page.value(named)

    asyncio.run(look())


@pytest.mark.usefixtures("drawn")
def test_no_name_however_long_makes_the_page_itself_wider_than_a_telephone(tmp_path: Path) -> None:
    table = told("W" * 300) | {"money": told()["money"]}  # sums are ours, and of no such length
    path = written(tmp_path / "report.html", render_html(table))

    async def look() -> None:
        async with opened(path, width=390, mobile=True) as page:
            await page.value("document.querySelectorAll('details').forEach(each => each.open = true)")
            assert await page.value("document.documentElement.scrollWidth") <= 390

    asyncio.run(look())


@pytest.mark.usefixtures("drawn")
def test_it_can_be_read_in_the_dark(tmp_path: Path) -> None:
    """Ink on page, and what is soft: at least the contrast that WCAG asks for (4.5 to 1), in both schemes."""
    path = written(tmp_path / "report.html", render_html(told()))
    contrast = """(() => {
      const light = text => { const part = text.match(/[0-9.]+/g).slice(0, 3).map(each => each / 255)
        .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
        return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2]; };
      const behind = node => { for (; node; node = node.parentElement) {
        const found = getComputedStyle(node).backgroundColor; if (!found.endsWith(", 0)")) return found; }
        return "rgb(255, 255, 255)"; };
      const of = node => {
        const pair = [light(getComputedStyle(node).color), light(behind(node))].sort((a, b) => b - a);
        return (pair[0] + 0.05) / (pair[1] + 0.05); };
      const seen = [...document.querySelectorAll("h1, p, li, .soft, .badge, .trust, th, td:not(.heat), a, summary")];
      return Math.min(...seen.map(of)); })()"""

    async def look() -> list[float]:
        found = []
        async with opened(path) as page:
            for scheme in ("light", "dark"):
                await page.call(
                    "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
                )
                found.append(await page.value(contrast))
        return found

    assert min(asyncio.run(look())) >= 4.5
