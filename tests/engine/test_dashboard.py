"""The live view: what it knows, how it is drawn, and that nothing foreign gets at the terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from engine.budget import Share
from engine.dashboard.drawing import render
from engine.dashboard.lines import PlainLines, standing_told
from engine.dashboard.view import View
from engine.dashboard.words import clock_time, rejections
from engine.events import (
    AttemptFailed,
    Event,
    Measured,
    Noted,
    ReplyReceived,
    RequestSent,
    RowAccepted,
    RowRejected,
    StageFinished,
    StageProgressed,
    StageStarted,
    Weighed,
)
from engine.statistics import ModelStatistics, Statistics, WorkerStatistics
from engine.text import clean
from tests.engine.pictures import CENT, HOSTILE, STAGES, Screenful, figures

REPLY = ReplyReceived("t", cost=1, input_tokens=1, output_tokens=1, latency_s=0.1, from_journal=False)


def view_after(*events: Event, simulated: bool = True, stages: tuple[str, ...] = STAGES) -> View:
    view = View.of(stages, title="dates", model="simulated/dates", simulated=simulated)
    view.tick(0.0)
    view.apply(*events)
    view.tick(10.0)
    return view


def drawn(view: View, *, width: int = 80, height: int = 24, shown: Statistics | None = None) -> list[str]:
    screen = Screenful(width, height)
    screen.console(color_system=None).print(render(view, shown or figures(), width=width, height=height))
    return screen.lines()


def busy_view(text: str = "on May 5th") -> View:
    return view_after(
        StageStarted("parse"),
        StageFinished("parse", "7 demonstrations"),
        StageStarted("generate", total=1000, unit="rows"),
        *[REPLY] * 30,
        *[RowAccepted(f"{text} {number}", f"2020-05-{number:02}") for number in range(20)],
        *[RowRejected("duplicate")] * 3,
        RowRejected("format"),
        StageProgressed("generate", 200, facts=(("temperature", "0.7"),)),
        AttemptFailed("t", "rate", 0.5),
        Noted(f"chose tiny, {text}"),
    )


def test_a_busy_run_at_80_by_24() -> None:
    """The whole picture, as a newcomer sees it."""
    view = busy_view()
    view.tick(20.0)

    assert drawn(view) == [
        "╭─ dates   simulated teacher   simulated/dates ────────────────────────────────╮",
        "│ ✓ parse  ● generate  ○ train                                                 │",
        "│                                                                              │",
        "│ generate ━━━━━━━━━──────────────────────────────────────── 200 of 1,000 rows │",
        "│          temperature 0.7                                                     │",
        "│ rows     20 accepted, 4 rejected: duplicate 3, format 1                      │",
        "│ money    ━━━━╍┅───────── $0.31 spent, $0.02 reserved, $0.01 assumed of $1.00 │",
        "│          $0.0160 a row, the cap ends it at about 625 rows                    │",
        "│ requests                                              ×  0 a minute, 1 × 429 │",
        "│ tokens                                               █  0 in, 0 out a minute │",
        "│ calls    7 in flight, p50 0.1 s, p95 0.1 s, 1 retried, 30 replies            │",
        "│ ▸ bound by the teacher's time (7 in flight, 0.1 s each)                      │",
        "│   no limit is in the way; a faster model would help                          │",
        "│                                                                              │",
        "│ latest   on May 5th 12 → 2020-05-12                                          │",
        "│          on May 5th 13 → 2020-05-13                                          │",
        "│          on May 5th 14 → 2020-05-14                                          │",
        "│          on May 5th 15 → 2020-05-15                                          │",
        "│          on May 5th 16 → 2020-05-16                                          │",
        "│          on May 5th 17 → 2020-05-17                                          │",
        "│          on May 5th 18 → 2020-05-18                                          │",
        "│          on May 5th 19 → 2020-05-19                                          │",
        "│ notes    chose tiny, on May 5th                                              │",
        "╰─────────────────────────────────────────────────────────────────────── 0:20 ─╯",
    ]


@pytest.mark.parametrize("width", range(1, 14))
def test_a_training_is_drawn_however_narrow_and_whatever_its_loss_is(width: int) -> None:
    losses = (2.0, float("nan"), 1.0, float("inf"), 0.5)
    view = view_after(StageStarted("train", 100), *(Measured("train", "loss", loss) for loss in losses))

    drawn(view, width=width)
    assert view.curves["train"]["loss"].values == [2.0, 1.0, 0.5]


@pytest.mark.parametrize("width", [40, 80, 120, 200])
@pytest.mark.parametrize("height", [8, 16, 24, 60])
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(HOSTILE, id="hostile"),
        pytest.param("日付" * 200, id="wide"),
        pytest.param("e\u0301a\u0308\u0323 ❤\ufe0f" * 60, id="marks"),
        pytest.param("", id="empty"),
    ],
)
def test_a_picture_fits_whatever_is_in_it(width: int, height: int, text: str) -> None:
    view = busy_view(text)
    view.apply(StageStarted(f"stage {text}", unit=text))
    view.apply(StageProgressed(f"stage {text}", 3, facts=((text, text),)))
    view.apply(RowRejected(text))

    lines = drawn(view, width=width, height=height)

    assert len(lines) <= height
    assert max(map(cell_len, lines)) <= width
    assert height < 12 or width < 60 or {cell_len(line) for line in lines} == {width}
    assert not unsafe("".join(lines))


def unsafe(text: str) -> list[str]:
    """What must never reach a terminal from elsewhere."""
    bidi = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029"
    return [letter for letter in text if unicodedata.category(letter) in ("Cc", "Cs") or letter in bidi]


def test_a_stage_that_works_here_cannot_steer_the_terminal_by_its_name() -> None:
    view, idle = view_after(StageStarted(HOSTILE)), replace(figures(binding="CPU"), in_flight=0)

    told = "".join([*drawn(view, shown=idle), standing_told(view, idle)])

    assert "works on this computer" in told
    assert not unsafe(told)


def test_markup_is_drawn_as_it_was_written() -> None:
    lines = drawn(view_after(RowAccepted("[/x] [red]b[/red]", "[link=http://x]d")))

    assert any("[/x] [red]b[/red] → [link=http://x]d" in line for line in lines)


def test_a_real_teacher_bears_no_badge() -> None:
    assert not any("simulated teacher" in line for line in drawn(view_after(simulated=False)))


def test_between_stages_the_last_summary_is_shown() -> None:
    assert any("7 demonstrations" in line for line in drawn(view_after(StageFinished("parse", "7 demonstrations"))))


def test_without_a_cap_no_cap_is_drawn() -> None:
    assert any("$0.01 assumed  " in line for line in drawn(view_after(), shown=figures(cap=None)))


def test_what_was_saved_and_what_stages_have_stands_below_the_money() -> None:
    shares = {"generate": Share(at_most=70 * CENT, charged=30 * CENT), "annotate": Share(kept=20 * CENT, charged=CENT)}
    shown = figures(saved_by_journal=12 * CENT, saved_by_sampling=3 * CENT, shares=shares)

    lines = drawn(view_after(), width=160, shown=shown)

    [at] = [at for at, line in enumerate(lines) if "money" in line]
    assert lines[at + 1].strip("│ ") == (
        "generate $0.30 of $0.70, annotate $0.01 (kept: $0.20), saved $0.12 by the journal, $0.03 by n-sampling"
    )


def test_of_several_models_each_has_its_figures_and_says_if_it_is_not_asked() -> None:
    def model(name: str, standing: str, **given: int) -> ModelStatistics:
        return ModelStatistics(model=name, endpoint="here", standing=standing, cost=0, **given)

    several = (
        model("openai/[x]", "gone", replies=1200, from_journal=4),
        model("anthropic/b", "asked", replies=0, from_journal=0),
    )

    shown = "\n".join(drawn(view_after(), shown=figures(by_model=several)))
    alone = "\n".join(drawn(view_after(), shown=figures(by_model=several[:1])))

    assert "models   openai/[x] 1,204 (gone), anthropic/b 0" in shown
    assert "models" not in alone


def test_of_a_fleet_each_worker_has_a_line_and_those_who_are_gone_are_counted() -> None:
    def worker(number: int, standing: str, *, rate: float) -> WorkerStatistics:
        return WorkerStatistics(
            name=f"w{number:04d}", node="[b]host", standing=standing, replies=9, in_flight=number, waiting=0,
            requests_a_minute=rate, cost=number * CENT,
        )  # fmt: skip

    fleet = (worker(1, "asking", rate=60), worker(2, "alone", rate=1200), worker(3, "gone", rate=0))
    lines = drawn(view_after(), width=100, shown=figures(workers=fleet))

    [at] = [at for at, line in enumerate(lines) if "workers  2, 1 gone" in line]
    assert "w0002    alone, 1,200 a minute, 2 in flight, $0.02 spent, on [b]host" in lines[at + 1]
    assert "w0001    60 a minute, 1 in flight, $0.01 spent" in lines[at + 2]
    many = tuple(worker(number, "asking", rate=number) for number in range(40))
    assert any("and 34 more" in line for line in drawn(view_after(), width=100, shown=figures(workers=many)))


def test_what_is_out_in_batches_is_told_apart_from_what_is_in_flight() -> None:
    told = "\n".join(drawn(busy_view(), shown=figures(binding="batches", in_batches=5)))

    assert "2 of 64 in flight, 5 in batches" in told


def test_what_all_rows_will_cost_is_told_while_they_are_made_and_not_of_a_training() -> None:
    view = busy_view()
    making = "\n".join(drawn(view))
    for event in (StageFinished("generate"), StageStarted("train", total=100), StageProgressed("train", 10)):
        view.apply(event)

    assert "the cap ends it at about 625 rows" in making
    assert "ends it at" not in "\n".join(drawn(view))


def test_without_statistics_there_is_no_money_line() -> None:
    screen = Screenful()
    screen.console().print(render(view_after(), None, width=80, height=24))

    assert "money" not in screen.file.getvalue()


def test_time_left_follows_the_pace_of_the_stage() -> None:
    view = View.of(STAGES, title="t", model="m", simulated=False)
    view.apply(StageStarted("generate", total=100))
    view.apply(StageProgressed("generate", 50))  # resumed: these took no time
    view.tick(5.0)
    view.apply(StageProgressed("generate", 60))
    view.tick(15.0)

    left = view.stage("generate").left(15.0)
    assert left is not None
    assert left.middle == 40.0


def test_a_pause_takes_nothing_from_the_pace() -> None:
    view = View.of(STAGES, title="t", model="m", simulated=False)
    view.apply(StageStarted("generate", total=100))
    view.tick(5.0)
    view.apply(StageProgressed("generate", 10))
    view.tick(15.0)
    before = view.stage("generate").left(15.0)

    for now in (16.0, 40.0, 75.0):
        view.tick(now, paused=True)

    left = view.stage("generate").left(75.0)
    assert left is not None
    assert before is not None
    assert left.middle == before.middle == 90.0


@pytest.mark.parametrize(("over", "told"), [(True, "report: 1 rows accepted, $0.05 spent"), (False, "a second key")])
def test_a_stage_that_counts_nothing_is_told_without_a_number(over: bool, told: str) -> None:
    view = view_after(RowAccepted("in", "out"), StageStarted("report"))
    view.is_over = over

    line = standing_told(view, replace(figures(binding="requests"), spent=5 * CENT, assumed=0, cap=None))

    assert line.startswith("report: 1 rows accepted, $0.05 spent")
    assert told in line


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([StageStarted("generate")], id="no-goal"),
        pytest.param([StageStarted("generate", total=10)], id="no-pace"),
        pytest.param([StageStarted("generate", total=0)], id="nothing-to-do"),
    ],
)
def test_time_left_is_not_guessed(events: list[Event]) -> None:
    assert view_after(*events).stage("generate").left(20.0) is None


def test_a_rate_is_that_of_the_last_ten_seconds() -> None:
    view = View.of((), title="t", model="m", simulated=False)
    for second in range(60):
        view.tick(float(second))
        for _ in range(5 if second < 40 else 2):
            view.apply(REPLY)

    view.tick(60.0)

    assert view.traffic.rates(60.0).replies == pytest.approx(120.0)


def test_replies_from_the_journal_are_not_traffic() -> None:
    view = view_after(ReplyReceived("t", 0, 1, 1, 0.0, from_journal=True), REPLY)

    assert (view.traffic.replies, view.traffic.from_journal) == (1, 1)


def test_only_attempts_that_are_tried_again_are_retries() -> None:
    assert view_after(AttemptFailed("t", "auth", None), AttemptFailed("t", "overload", 1.0)).traffic.retries == 1


def test_a_stage_that_nobody_announced_is_drawn_too() -> None:
    assert any("● surprise" in line for line in drawn(view_after(StageStarted("surprise"))))


def test_the_same_events_make_the_same_view() -> None:
    assert busy_view() == busy_view()


@settings(max_examples=300)
@given(text=st.text(alphabet=st.characters(), max_size=60), limit=st.integers(1, 30))
def test_a_clean_text_cannot_steer_a_terminal(text: str, limit: int) -> None:
    """No control, no bidi override, no lone surrogate, no line break; within the limit; cleaning again is idle."""
    shown = clean(text, limit)

    assert not unsafe(shown)
    assert len(shown) <= limit
    assert shown == shown.strip()
    assert clean(shown, limit) == shown
    shown.encode("utf-8")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("two\r\nlines\tand  more ", "two lines and more", id="blanks"),
        pytest.param("\x1b[31mred\x1b[0m", "[31mred[0m", id="escape"),
        pytest.param("abc\u202edef\u200b", "abcdef", id="bidi"),
        pytest.param("exactly20charactersxx"[:20], "exactly20charactersx", id="at-the-limit"),
        pytest.param("a text that is too long", "a text that is too…", id="cut-after-a-word"),
        pytest.param("日本語", "日本語", id="wide"),
    ],
)
def test_what_cleaning_leaves(text: str, shown: str) -> None:
    assert clean(text, 20) == shown


@settings(max_examples=300)
@given(text=st.text(alphabet=st.characters() | st.sampled_from(" a"), max_size=40), limit=st.integers(1, 30))
def test_what_is_clean_already_is_cleaned_as_anything_else(text: str, limit: int) -> None:
    """It is told by a glance: what cannot be seen, put in front, has it gone through letter by letter."""
    assert clean(text, limit) == clean(f"\0{text}", limit)


def events_of_any_kind() -> Iterator[st.SearchStrategy[Event]]:
    words, number = st.text(max_size=12), st.integers(0, 10**6)
    yield st.builds(StageStarted, words, st.none() | number, words)
    yield st.builds(StageProgressed, words, number, st.none() | number, st.tuples(st.tuples(words, words)))
    yield st.builds(StageFinished, words, words)
    yield st.builds(RowAccepted, words, words)
    yield st.builds(RowRejected, words)
    yield st.builds(Noted, words)
    yield st.builds(Measured, words, words, st.floats(allow_nan=False, allow_infinity=False, width=32), st.booleans())
    part = st.tuples(words, number, st.floats(0, 1e6))
    yield st.builds(Weighed, words, words, st.lists(part, max_size=3).map(tuple))


def wire_events() -> Iterator[st.SearchStrategy[Event]]:
    number, seconds = st.integers(0, 1000), st.floats(0, 60)
    yield st.builds(RequestSent, st.just("t"))
    yield st.builds(ReplyReceived, st.just("t"), st.just(1), number, number, seconds, from_journal=st.booleans())
    yield st.builds(AttemptFailed, st.just("t"), st.sampled_from(["rate", "server"]), st.none() | seconds)


@settings(max_examples=60, deadline=None)
@given(events=st.lists(st.one_of(*events_of_any_kind(), *wire_events()), max_size=40))
def test_many_at_once_are_taken_note_of_as_one_by_one(events: list[Event]) -> None:
    at_once, one_by_one = view_after(), view_after()

    at_once.apply(*events)
    for event in events:
        one_by_one.apply(event)

    assert at_once == one_by_one


@settings(max_examples=60, deadline=None)
@given(
    events=st.lists(st.one_of(*events_of_any_kind()), max_size=20),
    width=st.integers(20, 200),
    height=st.integers(3, 60),
)
def test_any_events_can_be_drawn_and_told(events: list[Event], width: int, height: int) -> None:
    view, lines = view_after(*events), PlainLines()

    picture = drawn(view, width=width, height=height)
    told = [lines.line(event, view, figures()) or "" for event in events]

    assert len(picture) <= height
    assert not unsafe("".join(picture) + "".join(told))


@pytest.mark.parametrize(("seconds", "words"), [(0, "0:00"), (59.6, "1:00"), (754, "12:34"), (11045, "3:04:05")])
def test_time_in_words(seconds: float, words: str) -> None:
    assert clock_time(seconds) == words


def test_rejections_by_frequency_then_name() -> None:
    assert rejections({"b": 1, "c": 5, "a": 1}) == "c 5, a 1, b 1"
