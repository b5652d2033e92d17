"""Countries as people name them, and which one a sentence is about: the truth of the countries world."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["ALIASES", "NOTHING", "code_of", "named_in"]

NOTHING: Final = "N/A"

# {code: name, adjective, capital, one more large town, and what else people say}
ALIASES: Final = {
    "AR": ("Argentina", "Argentinian", "Buenos Aires", "Rosario"),
    "AT": ("Austria", "Austrian", "Vienna", "Graz"),
    "AU": ("Australia", "Australian", "Canberra", "Sydney", "Down Under"),
    "BE": ("Belgium", "Belgian", "Brussels", "Antwerp"),
    "BR": ("Brazil", "Brazilian", "Brasília", "São Paulo", "Rio de Janeiro"),
    "CA": ("Canada", "Canadian", "Ottawa", "Toronto"),
    "CH": ("Switzerland", "Swiss", "Bern", "Zurich"),
    "CL": ("Chile", "Chilean", "Santiago", "Valparaíso"),
    "CN": ("China", "Chinese", "Beijing", "Shanghai", "the Middle Kingdom"),
    "CO": ("Colombia", "Colombian", "Bogotá", "Medellín"),
    "CZ": ("Czechia", "Czech", "Prague", "Brno"),
    "DE": ("Germany", "German", "Berlin", "Hamburg", "the Federal Republic"),
    "DK": ("Denmark", "Danish", "Copenhagen", "Aarhus"),
    "EG": ("Egypt", "Egyptian", "Cairo", "Alexandria"),
    "ES": ("Spain", "Spanish", "Madrid", "Seville"),
    "FI": ("Finland", "Finnish", "Helsinki", "Tampere", "the land of a thousand lakes"),
    "FR": ("France", "French", "Paris", "Lyon", "the Hexagon"),
    "GB": ("the United Kingdom", "British", "London", "Manchester", "Britain"),
    "GR": ("Greece", "Greek", "Athens", "Patras"),
    "HU": ("Hungary", "Hungarian", "Budapest", "Szeged"),
    "IE": ("Ireland", "Irish", "Dublin", "Cork", "the Emerald Isle"),
    "IN": ("India", "Indian", "New Delhi", "Mumbai"),
    "IS": ("Iceland", "Icelandic", "Reykjavik", "Akureyri"),
    "IT": ("Italy", "Italian", "Rome", "Milan"),
    "JP": ("Japan", "Japanese", "Tokyo", "Osaka", "the Land of the Rising Sun"),
    "KE": ("Kenya", "Kenyan", "Nairobi", "Mombasa"),
    "MA": ("Morocco", "Moroccan", "Rabat", "Casablanca"),
    "MX": ("Mexico", "Mexican", "Guadalajara", "Monterrey"),
    "NG": ("Nigeria", "Nigerian", "Abuja", "Lagos"),
    "NL": ("the Netherlands", "Dutch", "Amsterdam", "Rotterdam", "Holland"),
    "NO": ("Norway", "Norwegian", "Oslo", "Bergen"),
    "NZ": ("New Zealand", "New Zealander", "Wellington", "Auckland", "Aotearoa"),
    "PE": ("Peru", "Peruvian", "Lima", "Cusco"),
    "PL": ("Poland", "Polish", "Warsaw", "Kraków"),
    "PT": ("Portugal", "Portuguese", "Lisbon", "Porto"),
    "RO": ("Romania", "Romanian", "Bucharest", "Cluj"),
    "SE": ("Sweden", "Swedish", "Stockholm", "Gothenburg"),
    "TH": ("Thailand", "Thai", "Bangkok", "Chiang Mai", "Siam"),
    "TR": ("Turkey", "Turkish", "Ankara", "Istanbul"),
    "US": ("the United States", "American", "Washington", "Chicago", "the States"),
    "VN": ("Vietnam", "Vietnamese", "Hanoi", "Da Nang"),
    "ZA": ("South Africa", "South African", "Pretoria", "Cape Town", "the Rainbow Nation"),
}

_CODES: Final = {alias.casefold(): code for code, aliases in ALIASES.items() for alias in aliases}
# The longest first, so that a New Zealander is no stray Zealander.
_ANY: Final = re.compile(
    r"\b(?:" + "|".join(re.escape(alias) for alias in sorted(_CODES, key=len, reverse=True)) + r")(?:'s|s)?\b",
    re.IGNORECASE,
)
_READ_AT_MOST: Final = 2_000


def named_in(text: str) -> list[str]:
    """The codes of the countries that a text names, each once, in order."""
    found = (match[0].casefold() for match in _ANY.finditer(text[:_READ_AT_MOST]))
    return list(dict.fromkeys(_CODES.get(name) or _CODES[name.removesuffix("s").removesuffix("'")] for name in found))


def code_of(text: str) -> str:
    """The one country that a text is about, or N/A when it names none, or several."""
    named = named_in(text)
    return named[0] if len(named) == 1 else NOTHING
