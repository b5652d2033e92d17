"""What values of options can mean: each check raises a UserError that names the option, the value and the way out."""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation

from engine.errors import UserError
from engine.text import meant

__all__ = [
    "MOST_SEED",
    "check_writable",
    "decimal",
    "flag",
    "formers",
    "names",
    "one_of",
    "part",
    "places",
    "positive",
    "within",
]

MOST_SEED = 2**32 - 1  # the most that numpy takes


def within(name: str, value: int | None, least: int, most: int) -> None:
    if value is not None and not least <= value <= most:
        raise UserError(f"{flag(name)} must be a whole number from {least} to {most:,} (got {value})")


def check_writable(name: str, text: str) -> None:
    """Refuse a text that no file can hold: a path of bytes that are not UTF-8. Raises UserError, naming it."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"{name} is not UTF-8 text and could not be written down (got {text!r}); rename it") from error


def positive(name: str, value: float | None) -> None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise UserError(f"{flag(name)} must be above 0 (got {value})")


def part(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise UserError(f"{flag(name)} must be from 0 to 1 (got {value})")


def names(name: str, told: object) -> tuple[str, ...]:
    """One name or several, as a file or a flag gives them. Raises UserError for what is none."""
    several = [told] if isinstance(told, str) else told
    if not isinstance(several, list | tuple) or not several or not all(isinstance(one, str) and one for one in several):
        raise UserError(f"option {name!r} must be a name or a list of names (got {told!r})")
    return tuple(several)


def places(told: object) -> str | tuple[str, ...] | None:
    """One base URL or several, as a file or a flag gives them; one in a list is that one. None for none."""
    if told is None:
        return None
    several = names("base_url", told)
    return several[0] if len(several) == 1 else several


def decimal(name: str, value: str | None, *, above_zero: bool, unit: str = " USD") -> None:
    if value is None:
        return
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise UserError(f"{name} must be a number{' of' if unit else ''}{unit} (got {value!r})") from error
    if not number.is_finite() or number < 0 or (above_zero and number == 0):
        raise UserError(f"{name} must be {'above' if above_zero else 'at least'} 0{unit} (got {value})")


def one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        hint = meant(value, choices) or f"; one of: {', '.join(choices)}"
        raise UserError(f"{flag(name)}: unknown value {value!r}{hint}")


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def formers(told: object) -> tuple[str, ...]:
    """Whom a run asked before, as its journal names them. Raises UserError for what names nobody."""
    from engine.providers.former import formers_of

    if not isinstance(told, list) or not all(isinstance(each, str) for each in told):
        raise UserError(f"formers must be a list of texts (got {told!r})")
    return tuple(former.asked_of for former in formers_of(told))
