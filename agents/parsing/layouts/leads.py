"""The words and marks that people put between a prompt and the input it is for; none of them is the input's own.

They are taken off only behind a prompt: in a text alone, "Question:" may be what the text begins with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from agents.parsing.layouts.found import unquote
from agents.parsing.layouts.markers import stem
from agents.parsing.layouts.words import HANDING_OVER, INPUT_NAMES, OUTPUT_NAMES, PLEASE, YOUR_TURN

__all__ = ["without_leads", "without_wrapping"]

_NAMES = (INPUT_NAMES - OUTPUT_NAMES) - {"context", "premise", "name", "in", "given", "x", "src", "before", "incorrect"}
"""What an input as a whole is called; what only a part of one is called ("Context:") stays with it."""

_VERBS = frozenset(
    ("answer", "classify", "complete", "continue", "convert", "do", "handle", "label", "predict", "process", "solve")
)
_LEAD = re.compile(r"[*_#>\- \t]{0,6}(?P<lead>[^\n:：.?。？]{2,80})(?:[:：][*_]{0,2}(?=\s)|：)\s*(?=\S)")
_MOST_LEAD_WORDS = 9
_STEM = 5  # letters that two forms of a word share
_UNSPACED = "\u0590"  # from here on, scripts put no blanks between words, or glue particles to them
_LABEL = re.compile(
    r"[*_`\[#>\- \t]{0,8}(?P<name>[^\W\d_][\w'’-]{0,24}(?:[ \t][\w'’-]{1,24}){0,2}?)[*_`\] \t]{0,4}"
    r"[:：][*_`]{0,3}(?!\d)"
)
_HEADING = re.compile(r"[ \t]*(?:#{1,6}[ \t]*|\*\*|__)(?P<name>[^\W\d_][\w '’-]{0,40}?)[*_#: \t]*\n")
_THING = r"(?:[ \t]+[^\W\d_]+){1,2}"
_SENTENCE = re.compile(
    r"[*_#>\- \t]{0,6}(?:(?:ok|okay|now|and|then|next|finally|so),?[ \t]+)?(?:"
    r"next(?:[ \t]+one)?"
    r"|(?:it['’]s[ \t]+)?your[ \t]+turn"
    r"|(?:please[ \t]+)?(?P<verb>[^\W\d_]+)(?:[ \t]+(?:for|to|on|with))?[ \t]+"
    rf"(?:(?:this|these)(?:{_THING})?|(?:the|my)[ \t]+(?:following|next|new){_THING})"
    r"|please[ \t]+(?P<bare_verb>[^\W\d_]+)"
    rf"|(?:what|how)[ \t]+about(?:[ \t]+(?:this|the)(?:{_THING})?)"
    rf"|here(?:['’]s|[ \t]+is)[ \t]+(?:the|my)(?:[ \t]+(?:new|next))?{_THING}"
    rf"|the[ \t]+(?:following|next){_THING}"
    r")[ \t]*[:：?][*_]{0,3}(?=\s)",
    re.IGNORECASE,
)
_FENCE = re.compile(r"(?P<fence>`{3,}|~{3,})[\w+-]{0,20}[ \t]*\n(?P<inner>.*?)\n?[ \t]*(?P=fence)", re.DOTALL)
_QUALITIES = frozenset(
    ("new", "next", "current", "actual", "my", "the", "this", "following", "user", "customer", "support")
)


def without_leads(text: str, *, prompt: str, own: str, inputs: Sequence[str], labelled: bool = False) -> str:
    """The text without a sentence that hands it over ("Please classify:") and without a name ("Message:").

    `prompt` is what it stands behind, `own` the prompt's own name for an input, `inputs` the demonstrated ones: what
    one of them begins with stays. `labelled` says that the name is off already; an input may begin with another.
    """
    bare = text.strip()
    if labelled:
        return bare
    sentence = _SENTENCE.match(bare)
    if sentence and _hands_over(sentence, prompt) and not any(_SENTENCE.match(shown.strip()) for shown in inputs):
        bare = bare[sentence.end() :].strip() or bare
    elif (lead := _foreign_lead(bare, prompt)) and not any(_foreign_lead(shown.strip(), prompt) for shown in inputs):
        bare = bare[lead:].strip() or bare
    return _without_name(bare, own=own, inputs=inputs)


def _foreign_lead(text: str, prompt: str) -> int:
    """How much of the text is a sentence in another language than English that hands it over; 0 if nothing is.

    It ends in a colon, and says "the following" or "please" with a word of the prompt, or that it is one's turn.
    """
    match = _LEAD.match(text)
    if match is None or len(match["lead"].split()) > _MOST_LEAD_WORDS:
        return 0
    said = f" {' '.join(re.sub('[,!]', ' ', match['lead'].casefold()).split())} "
    if said.strip() in YOUR_TURN:
        return match.end()
    hands = any(word in said if word[0] >= _UNSPACED else f" {word} " in said for word in HANDING_OVER | PLEASE)
    return match.end() if hands and _shares_a_word(said, prompt.casefold()) else 0


def _shares_a_word(said: str, prompt: str) -> bool:
    """Whether a word of both begins alike; in scripts without blanks, two neighbouring letters that are no grammar."""
    if any(len(word) >= _STEM and re.search(rf"\b{re.escape(word[:_STEM])}", prompt) for word in said.split()):
        return True
    for word in HANDING_OVER | PLEASE:
        said = said.replace(word, " ") if word[0] >= _UNSPACED else said
    bare = [said[at : at + 2] for at in range(len(said) - 1)]
    return any(pair.strip() == pair and min(pair) >= _UNSPACED and pair in prompt for pair in bare)


def _hands_over(sentence: re.Match[str], prompt: str) -> bool:
    """Whether the verb, if there is one, is the prompt's or a common one for a task: "Please note:" is no task."""
    verb = (sentence["verb"] or sentence["bare_verb"] or "").casefold()
    return not verb or verb in _VERBS or bool(re.search(rf"\b{re.escape(verb)}", prompt.casefold()))


def _without_name(text: str, *, own: str, inputs: Sequence[str]) -> str:
    match = _HEADING.match(text) or _LABEL.match(text)
    if match is None or not (stem(match["name"]) == stem(own) or _is_name(match["name"])):
        return text
    rest = text[match.end() :].strip()
    shown = [stem(label["name"]) for given in inputs if (label := _LABEL.match(given.strip()))]
    inner = _LABEL.match(rest)
    if stem(match["name"]) in shown or (2 * len(shown) > len(inputs) and not inner):
        return text
    if any(_LABEL.match(line) for line in rest.split("\n")) and not (inner and stem(inner["name"]) in shown):
        return text  # one of several fields of the input
    return rest or text


def _is_name(name: str) -> bool:
    words = name.casefold().split()
    named = stem(name) in _NAMES or words[-1] in _NAMES
    return named and all(word in _QUALITIES | _NAMES for word in words[:-1])


def without_wrapping(text: str, *, own: str, inputs: Sequence[str], quoted: bool) -> str:
    """The text out of its code fence or JSON object, and with `quoted` out of quotation marks.

    What a demonstrated input begins with, too, stays.
    """
    bare = text.strip()
    if any(shown.lstrip()[:1] == bare[:1] for shown in inputs):
        return bare
    fence = _FENCE.fullmatch(bare)
    if fence:
        return fence["inner"].strip() or bare
    return (_out_of_json(bare, own=own) or (_out_of_quotes(bare) if quoted else None) or bare).strip()


def _out_of_json(text: str, *, own: str) -> str | None:
    """The value of the only filled field of a JSON object, where its name is one for inputs."""
    if not text.startswith("{"):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    filled = [(name, inner) for name, inner in value.items() if inner not in (None, "")]
    if len(filled) != 1 or not isinstance(filled[0][1], str):
        return None
    name, inner = filled[0]
    return inner if stem(name) == stem(own) or _is_name(name or "?") else None


def _out_of_quotes(text: str) -> str | None:
    inner = unquote(text)
    return inner if inner and inner.strip() and not {text[0], text[-1]} & set(inner) else None
