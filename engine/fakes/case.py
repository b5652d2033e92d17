"""The nouns of a mishap: the request that it meets, what is sent, and how the bytes leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.fakes.dialect import Dialect

__all__ = ["Case", "Ending", "Mishap", "Pace", "Refused", "Served", "Spoilt", "Unread"]

Ending = Literal["whole", "reset", "truncated", "declared_longer", "declared_shorter", "hang", "breaks_when_reused"]
"""How a connection ends:

whole               as it should
reset               before any byte of an answer
truncated           closed in the middle of the body
declared_longer     closed after a body that is shorter than its content-length
declared_shorter    after a body that is longer than its content-length
hang                never: nothing comes, for as long as the client waits
breaks_when_reused  well, and yet whatever is sent on it afterwards meets a closed door
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How slowly the body comes, and what stands before it: `Pace(byte_s=0.1)` is one byte every tenth of a second."""

    after_head_s: float = 0.0
    byte_s: float = 0.0
    blanks: int = 0  # bytes of white space before the body


@dataclass(frozen=True, slots=True)
class Served:
    """What to send, after how many seconds, how fast, and how the connection then ends."""

    status: int
    headers: dict[str, str]
    body: bytes
    delay_s: float = 0.0
    ending: Ending = "whole"
    pace: Pace | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A request that meets a mishap. `settings` are the mishap's own, as the rule has them."""

    dialect: Dialect
    model: str
    body: bytes
    output_allowed: int  # tokens of all completions; 0 where no answer is asked for
    number: int
    key: str  # as services show one: its ends
    headers: Mapping[str, str]  # of any reply to it
    wall: float  # seconds since 1970
    settings: Mapping[str, Any]

    @property
    def is_anthropic(self) -> bool:
        return self.dialect.name == "anthropic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishap:
    """Something that happens to a request: what a client meets, and the settings there are with their defaults.

    `needs_answer`: it is about what a model says, so calls that ask for no answer never meet it.
    """

    about: str
    settings: Mapping[str, float | int | str] = field(default_factory=dict, hash=False)
    needs_answer: bool = False

    @property
    def settings_in_words(self) -> str:
        """As a rule has them; without a default, the name alone."""
        return " ".join(name if value == "" else f"{name}={value}" for name, value in self.settings.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread(Mishap):
    """It happens before the request is read, so nothing is known of it; not billed."""

    closes_the_door: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused(Mishap):
    """Something else is said in place of an answer; not billed."""

    say: Callable[[Case], Served]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoilt(Mishap):
    """The work is done and billed, and what comes of it is spoilt."""

    spoil: Callable[[Case, Served], Served]
