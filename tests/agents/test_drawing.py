"""What a library drew gets onto the page as shapes and words, and as nothing else."""

from __future__ import annotations

import pytest

from agents.reporting.drawing import OFF, drawer, harmless
from agents.reporting.page import render_html
from agents.reporting.report import as_json
from tests.agents.reports import Skeleton, report

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" width="9">{inner}</svg>'


def picture(inner: str, **words: str) -> str:
    return harmless(SVG.format(inner=inner), **{"name": "p", "title": "A title", "about": "In words.", **words})


@pytest.mark.parametrize(
    "inner",
    [
        pytest.param("<script>alert(1)</script>", id="script"),
        pytest.param('<a href="https://evil.example"><path d="M0,0"/></a>', id="link"),
        pytest.param('<image href="https://evil.example/x.png"/>', id="picture"),
        pytest.param("<foreignObject><iframe/></foreignObject>", id="foreign"),
        pytest.param("<style>@import url(//evil.example)</style>", id="style"),
        pytest.param('<use href="#x"/><animate onbegin="alert(1)"/><set/>', id="use"),
    ],
)
def test_what_is_no_shape_and_no_text_is_left_out(inner: str) -> None:
    assert [tag for tag, _ in Skeleton(picture(inner)).elements] == ["svg", "title", "desc"]


def test_attributes_that_do_or_fetch_something_are_left_out() -> None:
    drawn = Skeleton(picture('<path d="M0,0" onclick="alert(1)" style="fill:url(//evil)" fill="var(--bar)" id="x"/>'))

    assert drawn.elements[-1] == ("path", (("d", "M0,0"), ("fill", "var(--bar)")))


def test_who_cannot_see_it_has_words_for_it_and_they_are_text() -> None:
    drawn = picture("<text>a &lt;b&gt;</text>", title="<b>Title</b>", about='"About" & more')

    assert '<svg viewBox="0 0 9 9" width="9" role="img" aria-labelledby="p-title p-about">' in drawn
    assert '<title id="p-title">&lt;b&gt;Title&lt;/b&gt;</title><desc id="p-about">"About" &amp; more</desc>' in drawn
    assert "<text>a &lt;b&gt;</text>" in drawn


@pytest.mark.parametrize("text", ["no svg", "<svg", "<html><body/></html>"])
def test_what_is_no_picture_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no SVG"):
        harmless(text, name="p", title="", about="")


def test_charts_can_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OFF, "0")

    assert drawer() is None


def test_a_chart_stands_on_the_page_with_its_table_behind_it() -> None:
    page = render_html(as_json(report()), draw=lambda _: SVG.format(inner="<text>drawn</text>"))

    svgs = [dict(attributes) for tag, attributes in Skeleton(page).elements if tag == "svg"]
    assert len(svgs) >= 12
    assert len({each["aria-labelledby"] for each in svgs}) == len(svgs), "no two pictures have one name"
    assert page.count("<summary>as a table</summary>") >= 8


def test_a_chart_that_cannot_be_drawn_leaves_its_table() -> None:
    def broken(_: object) -> str:
        raise ValueError("no such mark")

    page = render_html(as_json(report()), draw=broken)

    assert "<svg" not in page
    assert "duplicate" in page
