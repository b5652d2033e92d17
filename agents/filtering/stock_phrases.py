"""What teachers say instead of a row, or around it: refusals, templates not filled in, words of the conversation.

Narrow on purpose: "I can't log in" is a good input, and "I cannot wait" is a good sentence. Repetitions are bounded, so
that no text takes long.
"""

from __future__ import annotations

import re

__all__ = ["BOILERPLATE", "PLACEHOLDERS", "REFUSALS"]

REFUSALS = (
    re.compile(r"\bas an (?:AI|artificial intelligence)\b(?: language)?(?: model)?", re.IGNORECASE),
    re.compile(
        r"^\W*(?:i['’]?m|i am) (?:very |so )?sorry,? (?:but )?(?:i|as)\b.{0,200}?"
        r"\b(?:can(?:no|['’])?t|unable|not able|won['’]t)\b.{0,200}?"
        r"\b(?:assist|help|provide|fulfil|comply|answer|generate|create|produce|do that|with that)",
        re.IGNORECASE | re.DOTALL,
    ),
    re.compile(
        r"^\W*i (?:can(?:no|['’])?t|am unable to|['’]m unable to|won['’]t) "
        r"(?:(?:assist|help) with|comply|fulfil|generate|produce|provide (?:an?|any|the|this|that)"
        r"|answer (?:this|that))\b",
        re.IGNORECASE,
    ),
)

# Templates that nobody filled in, in the forms that teachers leave behind.
PLACEHOLDERS = (
    re.compile(
        r"(?<![\w)\](\[])[\[<{](?:insert|your|enter|add|example|sample|placeholder)[ _-][^\]>}\n]{1,40}[\]>}]",
        re.IGNORECASE,
    ),
    re.compile(
        r"(?<![\w)\](\[])[\[<{]{1,2}\s?(?:(?:new|some|full|first|last|current|related|the|company|person|inventor|city|prime"
        r" minister|president)(?:['’]s)?[ _-]){0,2}"
        r"(?:name|date|time|year|month|day|city|country|location|place|company|product|number|amount|email|address|phone"
        r"|question|answer|context|passage|input|output|text|placeholder|xx|xxx)(?: ?(?:\d{1,2}|text|passage|here))?"
        r"\s?[\]>}]{1,2}",
        re.IGNORECASE,
    ),
    re.compile(r"(?<![\w)\](\[])\[X\](?=\W|$)"),
    re.compile(r"\blorem ipsum\b", re.IGNORECASE),
    re.compile(r"_{4,}"),
)

# What is said to whoever asked for a row, in front of it. A closing "let me know if you need more" is left alone:
# letters end so, and answers to customers.
BOILERPLATE = (
    re.compile(
        r"^\W*(?:sure|certainly|of course|absolutely|okay)\b[!,.:]?(?: thing[!,.:]?)? here (?:is|are)\b", re.IGNORECASE
    ),
    re.compile(
        r"^\W*here (?:is|are) (?:an?|the|some|your|\d+|another) (?:\w+ ){0,3}?"
        r"(?:examples?|inputs?|outputs?|rows?|samples?)\b[^\n]{0,40}:",
        re.IGNORECASE,
    ),
)
