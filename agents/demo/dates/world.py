"""A simulated teacher that knows dates: the bundled task, and temporal expressions in dated posts.

Which of the two is asked, it reads from the messages. `python -m agents.demo.dates.world` writes test.jsonl anew.
"""

from __future__ import annotations

from typing import Final

from agents.demo.conversation import Annotate, AnnotateMany, Conversation, Generate, Split
from agents.demo.dates.posts import Posts
from agents.demo.dates.snippets import Snippets
from agents.demo.held_out import held_out, print_rows
from agents.demo.subject import Subject
from agents.demo.teacher import Teacher
from agents.demo.vices import USUAL_VICES, Vices

__all__ = ["World"]

_SNIPPETS: Final = Snippets()
_POSTS: Final = Posts()

_HELD_OUT_ROWS: Final = 500


class World(Teacher):
    """Knows two tasks: a date in a short text to ISO form, and "expression == value" lines for a dated post."""

    def __init__(self, seed: int = 0, *, vices: Vices = USUAL_VICES) -> None:
        super().__init__("dates", seed=seed, vices=vices, subject_of=_subject_of)


def _subject_of(asked: Conversation) -> Subject | None:
    """Posts when posts or "==" lines are seen, snippets when the task speaks of dates, else nothing we know."""
    if isinstance(asked, Split):
        return None
    if "[Posted:" in asked.task or any("[Posted:" in text for text in _inputs_seen(asked)):
        return _POSTS
    if isinstance(asked, Annotate | AnnotateMany) and any(" == " in pair.output for pair in asked.demonstrations):
        return _POSTS
    return _SNIPPETS if "date" in asked.task.lower() else None


def _inputs_seen(asked: Conversation) -> tuple[str, ...]:
    if isinstance(asked, Generate):
        return asked.shown
    if isinstance(asked, Annotate | AnnotateMany):
        return tuple(pair.input for pair in asked.demonstrations)
    return ()


if __name__ == "__main__":
    print_rows(held_out(_SNIPPETS, count=_HELD_OUT_ROWS))
