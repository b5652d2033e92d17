"""Which request meets what: rules, decided by a seed and by the request, so that a run can be repeated.

    {"do": "429-requests", "when": {"share": 0.01}, "with": {"retry_after": "2.5"}}
    {"do": "hang", "when": {"contains": "Paris", "sighting": 1}}
    {"do": "gzip_bomb", "when": {"nth": 50}, "with": {"megabytes": 10}}
    {"do": "reset", "when": {"method": "POST", "path": "/v1/batches", "first": 1}}

The first rule that holds decides. What there is to `do`, and `with` what, `engine.fakes.mishaps` knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final, Literal

from engine.errors import UserError
from engine.fakes.case import Mishap, Unread
from engine.fakes.chance import Sightings, chance
from engine.fakes.connection_faults import CONNECTION_FAULTS, UNREAD
from engine.fakes.mishaps import MISHAPS
from engine.text import meant

__all__ = ["Judge", "Rule", "Seen", "When", "counts", "fits"]

_SHOWN: Final = ("contains", "model", "dialect", "sighting")  # by the request itself, so known only once it was read
_MOST: Final = 1_000_000  # seconds, megabytes, digits: more is a slip


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """When a rule holds: all that is said here must be so. Nothing said: always.

    When(share=0.01)                   # one request in a hundred, drawn from the seed and the request
    When(sighting=1)                   # the first time that this very request comes: its retry is spared
    When(nth=5), When(first=3)         # every fifth that comes to the rule; the first three
    When(contains="Paris")             # in the text of any message
    When(model="gpt-*", dialect="openai")
    When(method="GET", path="/v1/batches/*")    # calls on files, batches, models and counts meet rules as well
    When(from_s=10, until_s=20)        # seconds since the first request, or since the rules were changed

    `share` and `sighting` depend on the request alone, in whatever order requests come; `nth` and `first` count
    arrivals, which many at once may change. Of a call that asks for no answer, `contains` looks through all that was
    sent, and `model` at the one it names.
    """

    share: float | None = None
    nth: int | None = None
    first: int | None = None
    sighting: int | None = None
    contains: str | None = None
    model: str | None = None
    dialect: Literal["openai", "anthropic"] | None = None
    method: Literal["GET", "POST", "DELETE"] | None = None
    path: str | None = None
    from_s: float = 0.0
    until_s: float | None = None

    def __post_init__(self) -> None:
        if self.share is not None and not 0 <= self.share <= 1:
            raise UserError(f"when: share must lie between 0 and 1 (got {self.share})")
        for name in ("nth", "first", "sighting"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"when: {name} must be at least 1 (got {value})")
        if self.from_s < 0 or (self.until_s is not None and self.until_s <= self.from_s):
            raise UserError(f"when: a time from {self.from_s} s until {self.until_s} s never comes")


@dataclass(frozen=True, slots=True)
class Rule:
    """What is done, when, and with which settings: `Rule("drip", When(nth=10), settings={"seconds": 0.5})`.

    `headers` are set on whatever is sent; None takes one away.
    """

    do: str
    when: When = field(default_factory=When)
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    headers: Mapping[str, str | None] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.do not in MISHAPS:
            raise UserError(f"there is nothing to do by the name {self.do!r}{meant(self.do, MISHAPS)}")
        for name, value in self.settings.items():
            _check_setting(self.do, name, value, defaults=self.mishap.settings)
        for name, text in self.headers.items():
            _check_header(name, text)
        told = [name for name in _SHOWN if getattr(self.when, name) is not None]
        if told and isinstance(self.mishap, Unread):
            raise UserError(f"{self.do} comes before the request is read, so it cannot depend on {' and '.join(told)}")

    @property
    def mishap(self) -> Mishap:
        return MISHAPS[self.do]

    @property
    def all_settings(self) -> dict[str, Any]:
        """The settings, with defaults where nothing is said."""
        return {**self.mishap.settings, **self.settings}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What of a request matters to rules, as far as it was read. `answers`: it asks for an answer of a model's."""

    method: str = "POST"
    path: str = ""
    dialect: str = ""
    body: bytes = b""
    texts: Sequence[str] = ()
    model: str = ""
    answers: bool = True

    @property
    def name(self) -> bytes:
        """What it is known by, and chance is drawn from."""
        return self.body if self.answers else f"{self.method} {self.path}\n".encode() + self.body


class Judge:
    """Says which rule a request meets. What it remembers is how many came to each rule, and how often each was seen.

    `decides` says whether there is any rule for requests that were read, `watches` whether any is about connections:
    plain attributes, since nearly every request meets neither.
    """

    def __init__(self, rules: Sequence[Rule], *, seed: int) -> None:
        numbered = list(enumerate(rules))
        self._unread = [pair for pair in numbered if isinstance(pair[1].mishap, Unread)]
        self._read = [pair for pair in numbered if not isinstance(pair[1].mishap, Unread)]
        self._seed = seed
        self.decides = bool(self._read)
        self.watches = any(rule.do in CONNECTION_FAULTS or rule.do in UNREAD for rule in rules)
        self._came = [0] * len(rules)
        self._sightings = Sightings()
        self._arrivals = 0
        self._began: float | None = None

    def met_unread(self, seen: Seen, *, elapsed: float) -> Rule | None:
        """The rule that a request meets before anything is known of it but that it comes, and where to."""
        self._arrivals += 1
        return self._first(self._unread, seen, elapsed=elapsed, sighting=1, draw=b"%d" % self._arrivals)

    def met(self, seen: Seen, *, elapsed: float) -> Rule | None:
        """The rule that a request meets."""
        sighting = self._sightings.count(seen.name)
        return self._first(self._read, seen, elapsed=elapsed, sighting=sighting, draw=seen.name)

    def _first(
        self, rules: Sequence[tuple[int, Rule]], seen: Seen, *, elapsed: float, sighting: int, draw: bytes
    ) -> Rule | None:
        self._began = elapsed if self._began is None else self._began
        since = elapsed - self._began
        for place, rule in rules:
            if _may_meet(rule, seen) and fits(rule.when, seen, since=since, sighting=sighting):
                self._came[place] += 1
                key = f"{self._seed}/{place}/{sighting}"
                if counts(rule.when, self._came[place]) and _is_drawn(rule.when, draw, key=key):
                    return rule
        return None


def _may_meet(rule: Rule, seen: Seen) -> bool:
    return seen.answers or not rule.mishap.needs_answer


def fits(when: When, seen: Seen, *, since: float, sighting: int) -> bool:
    """Whether the conditions hold that need no memory and no chance, `since` seconds from the first request on."""
    return (
        when.from_s <= since
        and (when.until_s is None or since < when.until_s)
        and when.dialect in (None, seen.dialect)
        and when.method in (None, seen.method)
        and when.sighting in (None, sighting)
        and (when.path is None or fnmatchcase(seen.path, when.path))
        and (when.model is None or fnmatchcase(seen.model, when.model))
        and (when.contains is None or any(when.contains in text for text in seen.texts))
    )


def counts(when: When, came: int) -> bool:
    """Whether the one that came as number `came` is among those that are meant."""
    return (when.nth is None or came % when.nth == 0) and (when.first is None or came <= when.first)


def _is_drawn(when: When, draw: bytes, *, key: str) -> bool:
    return when.share is None or chance(draw, key) < when.share


def _check_setting(do: str, name: str, value: object, *, defaults: Mapping[str, float | int | str]) -> None:
    if name not in defaults:
        there = ", ".join([*defaults, "headers"])
        raise UserError(f"{do}: no setting {name!r}{meant(name, defaults)} (there are: {there})")
    wanted = type(defaults[name])
    if wanted is str:
        if not isinstance(value, str):
            raise UserError(f"{do}: {name} must be a text (got {value!r})")
        _check_header(name, value)  # texts of settings end in headers and bodies
        return
    kind, words = ((int, float), "a number") if wanted is float else ((int,), "a whole number")
    if isinstance(value, bool) or not isinstance(value, kind) or not 0 <= value <= _MOST:
        raise UserError(f"{do}: {name} must be {words} from 0 to {_MOST:,} (got {value!r})")


def _check_header(name: object, text: object) -> None:
    if not isinstance(name, str) or not name or not name.isascii() or not name.isprintable() or " " in name:
        raise UserError(f"{name!r} cannot be the name of a header")
    if text is not None and (not isinstance(text, str) or not text.isprintable()):
        raise UserError(f"{name}: must be a text of one line (got {text!r})")
