"""One completion on its way: what it has been asked, what it has said, and why it ended. Knows no tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from engine.messages import FinishReason
from engine.providers.shapes import Completion

if TYPE_CHECKING:
    from engine.providers.local.grammar import Matcher
    from engine.providers.local.sampling import Chance

__all__ = ["Row", "ended_by"]

Decode = Callable[[Sequence[int]], str]

_BEFORE_A_STOP: Final = 8  # tokens looked at with those that a stop may span: a character may take several


@dataclass(slots=True, eq=False)
class Row:
    """A prompt, and the tokens that follow it.

    `most` is how many those may be. `started` makes the row's chance and grammar anew, so that a row which has to
    begin again says the same again.
    """

    prompt: tuple[int, ...]
    most: int
    temperature: float
    stop: tuple[str, ...]
    start: Callable[[], tuple[Chance, Matcher | None]]
    decode: Decode
    ends: frozenset[int]  # tokens that end an answer
    tokens: list[int] = field(default_factory=list)
    finish: FinishReason | None = None
    given_up: bool = False  # set by another thread; looked at between two tokens
    chance: Chance = field(init=False)
    matcher: Matcher | None = field(init=False)

    def __post_init__(self) -> None:
        self.chance, self.matcher = self.start()

    @property
    def width(self) -> int:
        """The most tokens it may come to."""
        return len(self.prompt) + self.most

    @property
    def is_over(self) -> bool:
        return self.finish is not None or self.given_up

    def begin_again(self) -> None:
        self.tokens.clear()
        self.finish = None
        self.chance, self.matcher = self.start()

    def add(self, token: int) -> None:
        """Go on with this token, or end."""
        self.tokens.append(token)
        if token in self.ends:
            self.finish = "stop"
            return
        is_whole = self.matcher is not None and self.matcher.consume(token)
        if is_whole or (self.stop and self._meets_a_stop()):
            self.finish = "stop"
        elif len(self.tokens) >= self.most:
            self.finish = "length"

    def completion(self) -> Completion:
        """What was said; the mark that ended it counts as a token and is not shown."""
        said = self.tokens[:-1] if self.tokens and self.tokens[-1] in self.ends else self.tokens
        text = self.decode(said)
        end = ended_by(text, self.stop)
        if end is not None:
            text = text[: text.index(end)]
        return Completion(text, self.finish or "other", len(self.tokens), end)

    def _meets_a_stop(self) -> bool:
        window = max(len(stop.encode()) for stop in self.stop) + _BEFORE_A_STOP
        if ended_by(self.decode(self.tokens[-window:]), self.stop) is None:
            return False
        return ended_by(self.decode(self.tokens), self.stop) is not None


def ended_by(text: str, stops: Sequence[str]) -> str | None:
    """The stop that comes first in a text."""
    met = [(place, stop) for stop in stops if stop and (place := text.find(stop)) >= 0]
    return min(met)[1] if met else None
