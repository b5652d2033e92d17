"""Where a support message of a parcel company belongs, read from its words: the truth of the intents demo.

A message may touch on several intents; what it comes to last is what the customer wants done, and counts.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

__all__ = ["LABELS", "NONE", "SLIPS", "intents_in", "route"]

NONE: Final = "none of these"

# Slips of the pen that are common enough to read over; any word has one way of being misspelt here.
SLIPS: Final = {
    "address": "adress",
    "account": "acount",
    "collect": "colect",
    "cost": "csot",
    "customs": "cutsoms",
    "damaged": "damged",
    "delivered": "deliverd",
    "late": "laet",
    "locker": "lcoker",
    "missing": "mising",
    "money": "mony",
    "package": "pacakge",
    "parcel": "parcle",
    "password": "pasword",
    "price": "prcie",
    "refund": "refudn",
    "return": "retrun",
    "should": "shoud",
    "still": "stil",
    "tracking": "trakcing",
    "where": "wher",
}

_CUES: Final = {
    "track parcel": r"where(?: exactly)? is|where's|\btrack(?:ing)? (?:number|link|code|my|a|the|it)|\bstatus of"
    r"|on its way|when (?:will|does|is|can) [^.?!]{0,40}(?:arrive|come|be here|get here|reach)|any news|will arrive"
    r"|(?:has|was) [^.?!]{0,25}(?:been sent|shipped|left your)|how far|\beta\b",
    "late delivery": r"\blate\b|overdue|should have (?:arrived|been|come)|still (?:not|waiting|no sign)|delay"
    r"|(?:was|were) (?:due|promised|expected)|supposed to (?:arrive|come|be here)|days? behind|taking so long"
    r"|has not moved|hasn't moved|waiting for \d+ days",
    "missing parcel": r"(?:says|shows|marked|shown|listed)(?: as)? delivered|never (?:got|received|saw|reached)"
    r"|nothing (?:here|arrived|came|was left|in my)|who signed|signature|stolen|\blost\b|disappeared|not in my"
    r"|\bmissing\b",
    "damaged parcel": r"damage|\bbroken?\b|crushed|smashed|\bwet\b|\btorn\b|dented|cracked|in pieces|shattered|soaked"
    r"|leaking",
    "change address": r"(?:change|new|different|wrong|correct|another|update|other)(?: the| my)?(?: delivery)? address"
    r"|address (?:is wrong|has changed)|\bredirect|\bforward\b|house number|(?:bring|send|deliver) it to my"
    r"|to (?:the|our) (?:office|neighbours?) instead|moved (?:house|to)|moving to",
    "change delivery time": r"(?:another|different|other|later|earlier|better) (?:day|time|date|slot)|reschedul"
    r"|(?:not|nobody)(?: be)?(?: is)?(?: at)? home|in the evening|time slot|hold it until|away until|postpone"
    r"|(?:deliver|deliver it|bring it) (?:on|after|before)\b|\bcome (?:after|before)\b",
    "collect parcel": r"pick(?:ing)?(?: it| them| my parcel)?[ -]?up|locker|\bcollect|opening hours|parcel shop"
    r"|how long [^.?!]{0,20}keep|counter",
    "return parcel": r"\breturn|\bsend(?:ing)? (?:it|this|them|the \w+|my \w+|these) back|sent it back|wrong size",
    "refund": r"refund|money back|compensat|reimburs|insured|insurance|\bclaim",
    "customs": r"customs|\bdut(?:y|ies)\b|\bimport|\bvat\b|declaration|outside the eu",
    "price quote": r"how much|\bcosts?\b|\bprices?\b|cheap|\brates?\b|\bquote\b|per kilo|\bcharge\b|postage",
    "account": r"password|log ?in\b|log me out|sign in|\baccount|\bapp\b|e-mail address|newsletter|profile",
}
LABELS: Final = (*_CUES, NONE)

# Where two end at the same place, the later label counts: an e-mail address is no address.
_PATTERNS: Final = tuple((label, re.compile(cues)) for label, cues in _CUES.items())
_SLIP = re.compile(r"\b(?:" + "|".join(SLIPS.values()) + r")\b")
_MEANT: Final = {slip: word for word, slip in SLIPS.items()}

# Longer than any message, so that a pasted novel costs no more to read than a page.
_READ_AT_MOST: Final = 2_000


def route(text: str) -> str:
    """The intent that the message comes to last, or "none of these"."""
    found = intents_in(text)
    return found[-1] if found else NONE


def intents_in(text: str) -> list[str]:
    """The intents that the message touches on, in the order in which it comes to each last."""
    return list(_intents_in(text[:_READ_AT_MOST]))


@lru_cache(maxsize=4096)
def _intents_in(text: str) -> tuple[str, ...]:
    # Whoever answers looks at the same text several times: for its right answer, a wrong one, and how hard it is.
    plain = _SLIP.sub(lambda slip: _MEANT[slip[0]], text.lower().replace("\u2019", "'"))
    ends = {label: _last_end(pattern, plain) for label, pattern in _PATTERNS}
    return tuple(sorted((label for label in ends if ends[label] >= 0), key=ends.__getitem__))


def _last_end(pattern: re.Pattern[str], text: str) -> int:
    """Where the pattern's last match ends, or -1."""
    return max((match.end() for match in pattern.finditer(text)), default=-1)
