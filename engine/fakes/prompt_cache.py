"""Prompts that a service keeps, so that whatever begins the same is cheaper: what is read, what is written. Pure.

A beginning can be read once the answer to whoever wrote it is out, and until it has not been read for its lifetime.
Whoever comes while it is still being written writes it again, and pays for that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from engine.messages import Message
from engine.providers.shapes import prompt_tokens, tokens_in

__all__ = ["NOT_CACHED", "Cached", "Cut", "PromptCache", "cuts_at", "cuts_every"]

_BYTES_A_TOKEN: Final = 4
_MOST_KEPT: Final = 100_000


Owner: TypeAlias = tuple[str | None, str]
"""Whose cache it is: that of a key, by its fingerprint, and a model."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A beginning of a prompt: how many tokens it has, what it says (as a digest), how long it is kept unread.

    Some services bill what they write, some do not.
    """

    tokens: int
    digest: bytes
    kept_s: float
    is_billed: bool


@dataclass(frozen=True, slots=True)
class Cached:
    """How much of a prompt was read from the cache, and how much was written to it; nothing is both."""

    read: int = 0
    written: int = 0


NOT_CACHED: Final = Cached()


class PromptCache:
    """What is kept for whom, from when until when. `now` only moves forward."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Owner, bytes], tuple[float, float]] = {}  # readable from, until

    def __repr__(self) -> str:
        return f"<PromptCache [{len(self._kept)} beginnings]>"

    def use(self, owner: Owner, cuts: Sequence[Cut], *, now: float) -> Cached:
        """Read the longest beginning that is kept; what the longest has beyond it will be written."""
        read = max((cut.tokens for cut in cuts if self._is_readable(owner, cut, now)), default=0)
        longest = max((cut.tokens for cut in cuts if cut.is_billed), default=0)
        return Cached(read, max(0, longest - read))

    def keep(self, owner: Owner, cuts: Sequence[Cut], *, now: float, answered_at: float) -> None:
        """The request is answered then: what it read lives on, what it wrote can be read from then on."""
        if len(self._kept) > _MOST_KEPT:
            self._kept = {name: span for name, span in self._kept.items() if span[1] > now}
        for cut in cuts:
            begins, ends = self._kept.get((owner, cut.digest), (answered_at, 0.0))
            if ends <= now:  # gone, or never there
                begins = answered_at
            self._kept[owner, cut.digest] = min(begins, answered_at), max(now, begins) + cut.kept_s

    def _is_readable(self, owner: Owner, cut: Cut, now: float) -> bool:
        begins, ends = self._kept.get((owner, cut.digest), (0.0, -1.0))
        return begins <= now < ends


def _cut_after(messages: Sequence[Message], *, kept_s: float) -> Cut:
    """The cut at the end of these messages, the last of which may itself be cut short."""
    hashed = hashlib.blake2b(digest_size=16)
    for message in messages:
        hashed.update(f"\0{message.role}\0".encode())
        hashed.update(message.content.encode("utf-8", "surrogatepass"))
    return Cut(prompt_tokens(messages), hashed.digest(), kept_s, is_billed=True)


def cuts_at(
    messages: Sequence[Message], marks: Sequence[tuple[int, int]], *, least: int, kept_s: float
) -> tuple[Cut, ...]:
    """The cuts that were asked for: after so many characters of the message at a place. What is too short is no cut."""
    cuts = (
        _cut_after([*messages[:place], replace(messages[place], content=messages[place].content[:end])], kept_s=kept_s)
        for place, end in marks
    )
    return tuple(cut for cut in cuts if cut.tokens >= least)


def cuts_every(messages: Sequence[Message], *, tokens: int, least: int, kept_s: float) -> tuple[Cut, ...]:
    """The cuts that a service makes by itself, unbilled: after `least` tokens, and then after every so many."""
    if prompt_tokens(messages) < least:
        return ()
    return tuple(
        Cut(at, digest, kept_s, is_billed=False) for at, digest in _beginnings(messages, tokens=tokens, least=least)
    )


def _beginnings(messages: Sequence[Message], *, tokens: int, least: int) -> Iterator[tuple[int, bytes]]:
    hashed = hashlib.blake2b(digest_size=16)
    passed, wanted = 0, least
    for message in messages:
        hashed.update(f"\0{message.role}\0".encode())
        content, taken = message.content.encode("utf-8", "surrogatepass"), 0
        while wanted <= passed + tokens_in(message.content):
            end = (wanted - passed) * _BYTES_A_TOKEN
            hashed.update(content[taken:end])
            taken = end
            yield wanted, hashed.digest()
            wanted += tokens
        hashed.update(content[taken:])
        passed += tokens_in(message.content)
