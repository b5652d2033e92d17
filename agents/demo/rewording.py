"""The same thing said again in other words around it, and what is left when those words are taken away."""

from __future__ import annotations

import re
from random import Random
from typing import Final

__all__ = ["gist", "leave_blank", "reworded"]

_BEFORE: Final = (
    "Hi, ", "Hello, ", "Hey, ", "Well, ", "By the way, ", "So, ", "Just so you know, ", "For the record, ",
    "As I said, ",
    "To be clear, ", "Again, ", "Honestly, ", "Oh, and ", "One more thing: ", "Quick note: ", "FYI, ", "You see, ",
    "Not sure if it helps, but ", "If I remember well, ", "As you may know, ", "Good morning, ", "Good evening, ",
)  # fmt: skip
_AFTER: Final = (
    " Thanks.", " Thank you!", " Many thanks in advance.", " Best regards.", " That is all.", " Really.",
    " Just saying.",
    " More soon.", " Hope that is clear.", " Let me know.", " Please confirm.", " Cheers.", " Have a nice day.",
    " Sorry.",
    " I mean it.", " No rush.", " It is what it is.", " Talk soon.", " Kind regards.", " Take care.", " As always.",
    " What do you think?",
)  # fmt: skip
_BLANKS: Final = ("[name]", "[insert name here]", "[place]", "<date>", "[N/A]", "____", "[your answer]")
_MARKS = re.compile(r"[\W_]+")


def reworded(text: str, rng: Random) -> str:
    """The text with other words around it: some 2,000 ways, all of which `gist` takes for one."""
    text = rng.choice(("", *_BEFORE)) + text + rng.choice(("", *_AFTER))
    way = rng.randrange(4)
    if way == 0:
        return text.lower()
    if way == 1:
        return text.replace(",", "")
    return text.rstrip(".!") if way == 2 else text


def gist(text: str) -> str:
    """What two texts have in common when one is only the other, reworded."""
    plain = _plain(text)
    while (less := _less(plain)) != plain:
        plain = less
    return plain


def _less(plain: str) -> str:
    for word in _BEFORE_PLAIN:
        plain = plain.removeprefix(word)
    for word in _AFTER_PLAIN:
        plain = plain.removesuffix(word)
    return plain


def _plain(text: str) -> str:
    return " ".join(_MARKS.sub(" ", text.casefold()).split())


_BEFORE_PLAIN = tuple(f"{_plain(each)} " for each in _BEFORE)
_AFTER_PLAIN = tuple(f" {_plain(each)}" for each in _AFTER)


def leave_blank(text: str, rng: Random) -> str:
    """The text with one of its longer words still to be filled in."""
    words = list(re.finditer(r"\w{5,}", text))
    if not words:
        return text
    word = rng.choice(words)
    return text[: word.start()] + rng.choice(_BLANKS) + text[word.end() :]
