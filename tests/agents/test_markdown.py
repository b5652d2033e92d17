"""The report for pasting: what is foreign in it reads as it is, and does nothing."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from agents.reporting.markdown import as_code, as_text, render_markdown
from agents.reporting.report import as_json
from tests.agents.reports import Skeleton, report, with_texts

GITHUB = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])

ATTACKS = [
    pytest.param("<script>alert(1)</script>", id="script"),
    pytest.param("<img src=x onerror=alert(1)>", id="picture"),
    pytest.param("[click](javascript:alert(1)) ![x](https://evil.example/x.png)", id="links"),
    pytest.param("a | b\n| --- | --- |\n| c | d |", id="a table"),
    pytest.param("# heading\n\n- list\n> quote\n***", id="blocks"),
    pytest.param("```\nout of it\n```` ~~~", id="fences"),
    pytest.param("1. first", id="a numbered list"),
    pytest.param("**bold** __bold__ ~~gone~~ `code` \\*", id="marks"),
    pytest.param("<!-- hidden -->--> &lt;b&gt; &#60;", id="comments and entities"),
    pytest.param("=====\n-----", id="underlined headings"),
    pytest.param("[x]: https://evil.example", id="a reference"),
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_element_ever_comes_from_data(attack: str) -> None:
    table = orjson.loads(orjson.dumps(as_json(report(simulated=True))))
    harmless = Skeleton(GITHUB.render(render_markdown(with_texts(table, "harmless"))))

    attacked = Skeleton(GITHUB.render(render_markdown(with_texts(table, attack))))

    assert attacked.elements == harmless.elements


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("@everyone please", id="a mention"),
        pytest.param("fixes #12 and GH-12", id="issues"),
        pytest.param("https://evil.example www.evil.example", id="addresses"),
        pytest.param("0123456789abcdef0123456789abcdef01234567", id="a commit"),
    ],
)
def test_nobody_is_called_and_nothing_is_linked(text: str) -> None:
    """GitHub makes links of what stands in one piece: it does not here, and reads the same."""
    told = GITHUB.render(as_text(text))

    assert Skeleton(told).text.strip() == text
    assert "<!-- -->" in told
    for piece in ("@everyone", "#12", "GH-12", "https://", "www.evil", "0123456789abcdef"):
        assert piece not in told


@given(st.text(max_size=60))
@settings(max_examples=100)
@pytest.mark.long
def test_any_text_reads_as_it_is(text: str) -> None:
    line = Skeleton(GITHUB.render(f"so: {as_text(text)}"))

    assert [tag for tag, _ in line.elements] == ["p"]
    assert "".join(as_text(text).split()) == "" or line.text.startswith("so: ")


@given(st.text(alphabet="`~a\n ", max_size=40))
@settings(max_examples=100)
@pytest.mark.long
def test_no_text_breaks_out_of_its_block(text: str) -> None:
    assert [tag for tag, _ in Skeleton(GITHUB.render(as_code(text))).elements] == ["pre", "code"]


def test_it_says_what_the_page_says() -> None:
    told = render_markdown(orjson.loads(orjson.dumps(as_json(report(simulated=True)))))

    for line in ("**✓ Fit for use.** It does well.", "**simulated teacher**", "- Mind the gap.", "- Show more.",
                 "| tiny | 0.800 (0.750 to 0.850) |", "| charged | \\$1.2500 of a cap of \\$5.00 |",
                 "| generate | 200.0 |", "held the next request up: requests a minute 150 s, money 20 s.",
                 "smelt serve runs/cities"):  # fmt: skip
        assert line in told, line
