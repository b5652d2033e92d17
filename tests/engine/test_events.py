"""Who is told of what has happened, and that a listener that fails harms nobody."""

from __future__ import annotations

from engine.events import Event, Events, Noted, RowAccepted, RowRejected

TOLD = Noted("a note"), RowAccepted("in", "out"), RowRejected("empty"), Noted("another")


def emit_all(events: Events) -> None:
    for event in TOLD:
        events.emit(event)


def test_a_listener_to_some_kinds_is_told_of_no_others() -> None:
    events, all_of_them, notes = Events(), list[Event](), list[Event]()
    events.subscribe(all_of_them.append)
    events.subscribe(notes.append, kinds={Noted})

    emit_all(events)

    assert all_of_them == list(TOLD)
    assert notes == [TOLD[0], TOLD[3]]


def test_whoever_comes_late_is_told_of_what_comes_later_and_nothing_after_it_has_left() -> None:
    events, early, late = Events(), list[Event](), list[Event]()
    leave = events.subscribe(early.append)
    events.emit(TOLD[0])
    events.subscribe(late.append)
    leave()
    leave()
    events.emit(TOLD[3])

    assert (early, late) == ([TOLD[0]], [TOLD[3]])


def test_one_that_fails_is_dropped_and_the_others_are_told() -> None:
    events, heard = Events(), list[Event]()
    asked: list[Event] = []

    def fail(event: Event) -> None:
        asked.append(event)
        raise RuntimeError("no")

    events.subscribe(fail)
    events.subscribe(heard.append)
    emit_all(events)

    assert heard == list(TOLD)
    assert asked == [TOLD[0]]
