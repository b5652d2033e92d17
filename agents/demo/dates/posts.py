"""The task "Temporal Expression Normalization": a dated post in, "expression == value" lines out, or "N/A"."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from random import Random
from typing import Final

from agents.demo.dates.calendar import MONTHS, WEEKDAYS, write
from agents.demo.dates.expressions import AMBIGUOUS, HOLIDAYS, NUMBER_WORDS, Expression, read_post
from agents.demo.dates.snippets import NOTHING
from agents.demo.teacher import chance_hardness, favourite, nudge

__all__ = ["Posts"]

_SOMETHING: Final = "an expression"
_READ_AT_MOST: Final = 4_000

_WHO: Final = (
    "The company", "We", "The council", "My sister", "The museum", "Our team", "The airline", "Her publisher",
    "The band", "The ministry", "The club", "The owner", "They", "The university", "Our neighbours", "The bank",
)  # fmt: skip
_DONE: Final = (
    "opened a new office", "raised the fees again", "signed the contract", "published the results", "met the investors",
    "moved to a larger building", "cancelled the concert", "hired forty people", "replaced the heating", "cut 300 jobs",
    "sold the old house", "paid the last bill", "repaired the bridge", "changed the menu", "won the cup",
    "reported a loss of $12 million", "started a podcast", "closed the pool", "planted 50 trees", "bought a boat",
)  # fmt: skip
_PLANNED: Final = (
    "will open a new office", "will raise the fees again", "will sign the contract", "will publish the results",
    "will meet the investors", "will move to a larger building", "will play here again", "will hire forty people",
    "will replace the heating", "will cut 300 jobs", "will sell the old house", "will pay the last bill",
    "will repair the bridge", "will change the menu", "will leave the league", "will launch the product",
    "will start a podcast", "will close the pool", "will plant 50 trees", "will buy a boat",
)  # fmt: skip

# When it was, and when it will be, the most common first.
_PAST: Final = (
    "yesterday", "last year", "last month", "last {weekday}", "in {past_year}", "{n} days ago", "on {past_day}",
    "{n} years ago", "in {month} {past_year}", "{n} weeks ago", "on {month} {d}", "last {month}", "{n} months ago",
    "last Christmas", "a week ago", "at the end of last month", "the day before yesterday", "in {month}",
    "at the start of the year", "on {holiday}",
)  # fmt: skip
_FUTURE: Final = (
    "tomorrow", "next month", "next year", "on {weekday}", "next {weekday}", "in {n} days", "in {n} weeks",
    "on {future_day}", "in {n} months", "at the end of the month", "in {future_year}", "at the end of next month",
    "by the end of the year", "on {month} {d}", "this {weekday}", "the day after tomorrow", "in {n} years", "tonight",
    "in {month} {future_year}", "next {month}",
)  # fmt: skip
# The same, such that nobody can tell the date.
_VAGUE_PAST: Final = (
    "last week", "a few days ago", "a couple of weeks ago", "in early {month}", "last weekend", "the other day",
    "in mid-{month}", "over several months", "in the first quarter of last year", "in the past few years",
)  # fmt: skip
_VAGUE_FUTURE: Final = (
    "next week", "in a few days", "some day", "in the first quarter of next year", "in late {month}", "this weekend",
    "in the next few months", "late next year", "in the second half of the year", "one of these days",
)  # fmt: skip

_DATED: Final = (
    "{who} {done} {past}.",
    "{who} {planned} {future}.",
    "{who} {planned} {future}, as promised.",
    "{who} {done} {past}, and nobody noticed.",
    "{who} {done} {past} and {planned} {future}.",
    "{name}: {who_small} {planned} {future}!",
    "So much has changed since {who_small} {done} {past}.",
    "Who is coming? {who} {planned} {future}",
    "{thing} of the day, found by {name}!",
    "I can't believe {who_small} {done} {past} #news",
)
_DATELESS: Final = (
    "{who} {done}.",
    "{who} {planned} {vague_future}.",
    "{who} {done} {vague_past}.",
    "{who} {planned} soon, says {name}.",
    "Good {thing_small}, bad {other_thing}.",
    "@{name} haha yes, exactly the {thing_small}!",
    "{who} {done}, down from 400 before.",
    "Why is nobody here? {who} {done}!",
    "Shares of {name} Corp. rose {d}% to ${d}.50.",
    "{who} {done} after all #proud",
    "Never trust {name} with your {thing_small}.",
    "RT if you agree that {who_small} {done}",
)
_WHENS: Final = {"past": _PAST, "future": _FUTURE, "vague_past": _VAGUE_PAST, "vague_future": _VAGUE_FUTURE}
_NAMES: Final = ("Ames", "mara", "Tolbert", "ines_k", "Brandt", "Okoye", "lou", "Vega")
_THINGS: Final = ("Coffee", "Music", "Quote", "Photo", "Bike", "Soup", "Phone", "Song", "Cat", "Idea", "Film", "Cake")
_DAY_STYLES: Final = ("{month} {d}, {year}", "{mon}. {d}, {year}", "{d} {month} {year}", "{month} {nth}, {year}")


class Posts:
    """Posts with their date in front, four in ten of them with nothing to find or nothing certain."""

    kinds: Final[Mapping[str, float]] = {_SOMETHING: 0.6, NOTHING: 0.4}
    prior: Final[Mapping[str, float]] = {_SOMETHING: 0.97, NOTHING: 0.03}
    about: Final[Mapping[str, str]] = {
        "model": "A sequence-to-sequence model for temporal expression normalization in English. It reads a sentence "
        "from the news or from social media with its posting date, finds expressions such as last year or three days "
        "ago, and writes each with the date it refers to. Trained on annotated news and tweets.",
        "dataset": "English sentences from newswire and tweets, each with its posting date, annotated with temporal "
        "expressions and the calendar dates, months or years they refer to, in the manner of TimeML. Sentences without "
        "such expressions are marked. Annotated by people.",
    }

    def write(self, kind: str, rng: Random, *, temperature: float) -> str:
        """A post with one or two expressions, or one without."""
        template = favourite(_DATELESS if kind == NOTHING else _DATED, rng, temperature=temperature)
        posted = date(rng.randint(1988, 2023), 1, 1) + timedelta(days=rng.randrange(365))
        slots = _slots(posted, rng)
        whens = {
            name: favourite(options, rng, temperature=temperature).format_map(slots)
            for name, options in _WHENS.items()
            if f"{{{name}}}" in template
        }
        sentence = template.format_map({**slots, **whens})
        return f"[Posted: {posted}] {sentence}"

    def nudge(self, text: str, rng: Random) -> str:
        """The same sentence with a word or a mark more; its date stays in front."""
        head, bracket, sentence = text.partition("] ")
        if not bracket:
            return text
        return f"{head}{bracket}{nudge(sentence, rng, before=('Well, ', 'BREAKING: ', 'RT '))}"

    def right(self, text: str) -> str:
        """Each expression with its value; N/A when there is none, or one that is ambiguous."""
        return _answer(read_post(text[:_READ_AT_MOST]))

    def wrong(self, text: str, rng: Random) -> str:
        """A value that is off, an expression overlooked, a vague one taken for certain, one that is none."""
        found = list(read_post(text[:_READ_AT_MOST]))
        if _answer(found) == NOTHING:
            return _invented(text, found, rng)
        if rng.random() < 0.3:
            found.pop(rng.randrange(len(found)))
        else:
            at = rng.randrange(len(found))
            found[at] = Expression(found[at].text, _shifted(found[at].value, rng))
        return _answer(found)

    def hardness(self, text: str) -> float:
        """Reckoning is harder than copying; what is ambiguous is hardest."""
        found = read_post(text[:_READ_AT_MOST])
        if any(each.value == AMBIGUOUS for each in found):
            return chance_hardness(text) * 2.4
        reckoned = sum(each.text[-4:] != each.value[:4] for each in found)
        return chance_hardness(text) * (0.6 + 0.8 * reckoned)


def _answer(found: list[Expression] | tuple[Expression, ...]) -> str:
    if not found or any(each.value == AMBIGUOUS for each in found):
        return NOTHING
    return " | ".join(f"{each.text} == {each.value}" for each in found)


def _slots(posted: date, rng: Random) -> dict[str, str]:
    before = posted - timedelta(days=rng.randint(30, 4000))
    after = posted + timedelta(days=rng.randint(30, 2000))
    style = rng.choice(_DAY_STYLES)
    n = rng.randint(2, 12)
    who, thing = rng.choice(_WHO), rng.choice(_THINGS)
    return {
        "who": who, "who_small": who[0].lower() + who[1:], "done": rng.choice(_DONE), "planned": rng.choice(_PLANNED),
        "name": rng.choice(_NAMES), "thing": thing, "thing_small": thing.lower(),
        "other_thing": rng.choice(_THINGS).lower(),
        "past_day": write(before, style), "future_day": write(after, style), "past_year": str(before.year),
        "future_year": str(after.year), "month": rng.choice(MONTHS), "weekday": rng.choice(WEEKDAYS),
        "d": rng.choice(("{}", "{}th")).format(rng.randint(4, 20)), "holiday": rng.choice(list(HOLIDAYS)),
        "n": NUMBER_WORDS[n - 1] if rng.random() < 0.6 else str(n),
    }  # fmt: skip


def _shifted(value: str, rng: Random) -> str:
    """The value, one or two of its smallest units away."""
    by = rng.choice((-2, -1, 1, 2))
    if len(value) == 4:
        return f"{int(value) + by:04}"
    if len(value) == 7:
        return f"{value[:5]}{(int(value[5:]) - 1 + by) % 12 + 1:02}"
    return f"{value[:8]}{(int(value[8:]) - 1 + by) % 28 + 1:02}"


def _invented(text: str, found: list[Expression], rng: Random) -> str:
    posted = text[9:19] if text.startswith("[Posted: ") else "2020-01-01"
    if not found:
        word = rng.choice(text.partition("] ")[2].split() or ["now"])
        return f"{word} == {posted}"
    value = posted[: rng.choice((4, 7, 10))]
    return " | ".join(f"{each.text} == {each.value or value}" for each in found)
