"""A simulated teacher that writes as a real one was seen to write: few ideas, slips of form, by temperature.

What it says when labels are asked for alone is the plain `Teacher`'s: of that, nothing was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Protocol

from agents.demo.breakage import break_label
from agents.demo.conversation import Conversation, Generate
from agents.demo.measured import WRITING, between
from agents.demo.rewording import leave_blank
from agents.demo.subject import Subject
from agents.demo.teacher import Teacher
from agents.demo.vices import Vices

__all__ = ["Author", "Written"]


class Written(Subject, Protocol):
    """A subject whose inputs can also be reworded, spoiled, and answered in a form of one's own."""

    @property
    def axes(self) -> Mapping[str, Sequence[str]]:
        """What real inputs differ in, each with values, as somebody says who is asked."""
        ...

    @property
    def nothing(self) -> str | None:
        """The answer where there is nothing to find, if the task has one."""
        ...

    def gist(self, text: str) -> str:
        """What two inputs have in common when one is only a rewording of the other."""
        ...

    def spoil(self, text: str, rng: Random) -> str:
        """The input without what it asks about; its right answer is then the empty text, for there is none."""
        ...

    def slip(self, text: str, rng: Random) -> str:
        """That there is nothing to find in the input, in a form that nobody asked for."""
        ...


class Author(Teacher):
    """A teacher whose inputs come from a list of ideas, the popular ones again and again.

    Ideas for one value of its own axes are others than those for another: it is assumed that whoever is told where to
    look finds something else there, and overlooks it at times. How few ideas come up in one place is what was measured.
    """

    def __init__(
        self,
        name: str,
        *,
        seed: int,
        vices: Vices,
        subject_of: Callable[[Conversation], Written | None],
    ) -> None:
        super().__init__(name, seed=seed, vices=vices, subject_of=subject_of)
        self._written_of = subject_of

    def gist(self, asked: Conversation, text: str) -> str:
        """What an input has in common with its rewordings."""
        subject = self._written_of(asked)
        return text if subject is None else subject.gist(text)

    def _input(
        self,
        asked: Generate,
        subject: Subject,
        rng: Random,
        *,
        written: Sequence[str],  # noqa: ARG002  # it does not look back
        temperature: float,
    ) -> str:
        own = self._known(asked)
        kind = self._aim(asked, subject, rng)
        known = {value for values in own.axes.values() for value in values}
        heard = [each for each in asked.attributes if each in known and rng.random() >= WRITING.overlooked]
        idea = WRITING.ideas.draw(rng, temperature=temperature)
        text = own.write(kind, Random(f"{kind}|{heard}|{idea}"), temperature=1.0)
        if rng.random() >= between(WRITING.verbatim, temperature):
            text = own.nudge(text, rng)
        if rng.random() < between(WRITING.spoiled, temperature):
            text = own.spoil(text, rng)
        return leave_blank(text, rng) if rng.random() < between(WRITING.blank, temperature) else text

    def _axes(self, subject: Subject) -> Mapping[str, Sequence[str]]:
        return getattr(subject, "axes", {})

    def _own_label(self, asked: Generate, text: str, subject: Subject, rng: Random, *, temperature: float) -> str:
        """The label that comes with an input: the slips of form are those that were seen."""
        own = self._known(asked)
        if own.nothing == own.right(text) and rng.random() < between(WRITING.slipped, temperature):
            return own.slip(text, rng)
        label = super()._own_label(asked, text, subject, rng, temperature=temperature)
        return break_label(label, rng) if rng.random() < between(WRITING.shapeless, temperature) else label

    def _known(self, asked: Generate) -> Written:
        subject = self._written_of(asked)
        if subject is None:
            raise AssertionError("unreachable: only what is known is written about")
        return subject
