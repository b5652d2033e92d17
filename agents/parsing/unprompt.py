"""Find the bare input in a request that still carries the prompt: a student was trained on inputs alone.

People send a task to a model in four ways, and a student's server takes all of them:
1. the prompt and then the input in one message, with the field names around the input or without;
2. the prompt as the system message, the input as the user's;
3. the demonstrations as turns of a chat, the input as the last one;
4. the input alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agents.parsing import layouts
from agents.parsing.layouts import leads
from agents.parsing.layouts.found import Found, unquote
from agents.parsing.layouts.frame import announces
from agents.parsing.layouts.markers import stem
from agents.parsing.layouts.tail import EMPTY_LINES, EXAMPLE_HEADING, is_closing
from agents.parsing.layouts.words import PARTNERS
from agents.records import Pair, Spec
from engine.errors import UserError
from engine.messages import Message

__all__ = ["bare_input"]

_LONGEST_GLUE = 200  # characters of names, marks and announcements between two parts of a prompt
_LONGEST_NAME = 80
_MOST_NAME_WORDS = 4  # words between an input and its output: "Output:", "->", "should give"

_NAME = r"[*_`\[#>\- \t]{0,8}(?P<name>[^\W\d_][^\n:：=*`\[\]<>]{0,40}?)[*_`\] \t]{0,4}"
_OPENING = re.compile(rf"{_NAME}(?:[:：]|=(?!=))[*_`]{{0,3}}")
_OPENING_LINE = re.compile(rf"{_NAME}[ \t]*\n")
_ENDING = re.compile(
    rf"(?:(?:\A|\n|(?P<inline>[ \t,;|])){_NAME}[:：=][*_`]{{0,3}}"
    r"|\n[ \t]*#{1,6}[ \t]*(?P<heading>\w[\w ]{0,30}))\s*\Z"
)
_TAG = r"</?[A-Za-z_][\w-]{0,30}>\s*"
_TAGS = re.compile(
    rf"(?:{_TAG})?<(?P<name>[A-Za-z_][\w-]{{0,30}})>(?P<inner>.*?)</(?P=name)>\s*(?:{_TAG}){{0,2}}", re.DOTALL
)
_ARROW_ENDING = re.compile(r"\s*(?:-{1,3}>|={1,3}>|→|⇒)\s*\Z")
_MARKS = re.compile(r"\A[\"'”’»」`]?[.,;]?(?=\s|\Z)")  # what may close a demonstration that stands in a sentence

_ASKED = frozenset().union(*(inputs for inputs, _ in PARTNERS))
_INPUT_WORDS = PARTNERS[0][0] - {"in", "given"}
_TOLD = frozenset().union(*(outputs for _, outputs in PARTNERS))


def bare_input(spec: Spec, prompt: str, messages: Sequence[Message]) -> str:
    """The input that a request is about, without the prompt around it and without blanks at its ends.

    `prompt` is the original prompt. Raises UserError when no message is the user's, or when nothing but the prompt is
    in it.
    """
    said = next((message.content for message in reversed(messages) if message.role == "user"), None)
    if said is None:
        raise UserError("the request has no message from the user; put the input into the last one")
    text, prompt = _plain(said), _plain(prompt)
    found = layouts.find(prompt) if prompt else None
    rest = _beside_prompt(text, prompt=prompt, spec=spec)
    bare = _without_names(
        text if rest is None else rest, spec=spec, prompt=prompt, found=found, carried=rest is not None
    )
    if bare and (rest is not None or _is_told(messages, prompt=prompt, spec=spec)):
        bare = _handed_over(
            bare, text if rest is None else rest, spec=spec, prompt=prompt, found=found, carried=rest is not None
        )
    if not bare:
        raise UserError("the request holds a prompt and no input; put the input below the prompt")
    return bare


def _plain(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").strip()


def _is_told(messages: Sequence[Message], *, prompt: str, spec: Spec) -> bool:
    """Whether another message carries the prompt, or one of its demonstrations as a turn."""
    shown = {pair.input.strip() for pair in spec.demonstrations}
    last = max(at for at, message in enumerate(messages) if message.role == "user")
    return any(
        (text := _plain(message.content)) in shown or _beside_prompt(text, prompt=prompt, spec=spec) is not None
        for message in messages[:last]
    )


def _handed_over(bare: str, text: str, *, spec: Spec, prompt: str, found: Found | None, carried: bool) -> str:
    """The input without the words and marks that people put between any prompt and its input."""
    own = found.names[0] if found and found.names else "input"
    inputs = [pair.input for pair in spec.demonstrations]
    if not any(_ARROW_ENDING.search(shown) for shown in inputs):
        bare = _ARROW_ENDING.sub("", bare) or bare
    labelled = not text.strip().startswith(bare)
    led = leads.without_leads(bare, prompt=f"{spec.instruction} {prompt}", own=own, inputs=inputs, labelled=labelled)
    # A message or a field of its own has no need of quotation marks around it, so there they are the input's.
    return leads.without_wrapping(led, own=own, inputs=inputs, quoted=carried and not labelled)


def _beside_prompt(text: str, *, prompt: str, spec: Spec) -> str | None:
    """What the text holds beside the prompt; None when it does not carry it."""
    whole = _skip(text, prompt, 0)
    if whole is not None:
        return _without_glue(text[whole:], prompt=prompt, spec=spec)
    end = _skip_parts(text, prompt=prompt, spec=spec)
    if end:
        return _without_glue(text[end:], prompt=prompt, spec=spec)
    above = _above(text, spec.instruction)
    return None if above is None else _without_glue(above, prompt=prompt, spec=spec)


def _skip(text: str, piece: str, start: int) -> int | None:
    """Where `text` goes on when `piece` stands at `start`, blanks aside; None when it does not."""
    position = start
    for word in piece.split():
        while position < len(text) and text[position].isspace():
            position += 1
        if not text.startswith(word, position):
            return None
        position += len(word)
    return position if position > start else None


def _above(text: str, instruction: str) -> str | None:
    """What stands above the instruction, where the text ends with it."""
    position = len(text)
    for word in reversed(instruction.split()):
        while position > 0 and text[position - 1].isspace():
            position -= 1
        if not text.endswith(word, 0, position):
            return None
        position -= len(word)
    return text[:position].strip()


def _skip_parts(text: str, *, prompt: str, spec: Spec) -> int:
    """Where the text goes on behind the parts of the prompt at its front, in whatever order and layout.

    The parts are the instruction's paragraphs and the demonstrations; each counts once, so that an input that repeats
    a demonstration is still an input.
    """
    glue = _glue(prompt, spec)
    paragraphs = [part for part in EMPTY_LINES.split(spec.instruction) if part.strip()]
    pairs = list(spec.demonstrations)
    position = 0
    while True:
        ends = {part: end for part in paragraphs if (end := _skip(text, part, position)) is not None}
        if ends:
            part = max(ends, key=lambda one: ends[one])
            paragraphs.remove(part)
            position = ends[part]
            continue
        places = [(end, pair) for pair in pairs if (end := _skip_pair(text, position, pair, glue=glue)) is not None]
        if not places:
            return position
        position, pair = min(places, key=lambda place: place[0])
        pairs.remove(pair)


def _skip_pair(text: str, start: int, pair: Pair, *, glue: frozenset[str]) -> int | None:
    """Where the text goes on when a demonstration comes next, with nothing but layout around its two sides."""
    given, output = pair.input.strip(), pair.output.strip()
    begin = text.find(given, start, start + _LONGEST_GLUE + len(given))
    if begin < 0 or not _is_layout(text[start:begin], glue=glue):
        return None
    middle = begin + len(given)
    answer = text.find(output, middle, middle + _LONGEST_GLUE + len(output))
    if answer < 0 or len(text[middle:answer].split()) > _MOST_NAME_WORDS:
        return None
    end = answer + len(output)
    following = text[end : end + 1]
    return None if following.isalnum() and following.isascii() else end


def _is_layout(text: str, *, glue: frozenset[str]) -> bool:
    """Whether these are only names, marks, headings and announcements of examples."""
    lines = [line.strip().strip("\"'“”.,;") for line in text.split("\n")]
    return all(
        not line or line in glue or EXAMPLE_HEADING.fullmatch(line) or announces(line) or len(line.split()) <= 2
        for line in lines
    )


def _glue(prompt: str, spec: Spec) -> frozenset[str]:
    """The lines of the prompt that are neither instruction nor demonstration."""
    data = {line for pair in spec.demonstrations for side in (pair.input, pair.output) for line in side.split("\n")}
    shown = [line.strip() for line in data if line.strip()]
    told = {line.strip() for line in spec.instruction.split("\n")}
    lines = {line.strip() for line in prompt.split("\n")} - told - {""}
    return frozenset(line for line in lines if not any(part in line for part in shown))


def _without_glue(text: str, *, prompt: str, spec: Spec) -> str:
    """The text without the lines at its ends that only lead over, in the prompt's own words or in common ones."""
    glue = _glue(prompt, spec)
    lines = _MARKS.sub("", text, count=1).strip().split("\n")
    fences = {line for line in lines if line.lstrip().startswith(("```", "~~~"))}
    if sum(line in fences for line in lines) % 2:
        fences = set()  # one alone is left over from the prompt; two are around the input
    while (
        _holds_more(lines[1:])
        and lines[0] not in fences
        and (not lines[0].strip() or lines[0].strip() in glue or _leads_over(lines[0]))
    ):
        lines.pop(0)
    while (
        lines
        and lines[-1] not in fences
        and (not lines[-1].strip() or lines[-1].strip() in glue)
        and not _is_answer_name(lines[-1])
    ):
        lines.pop()
    return "\n".join(lines).strip()


def _holds_more(lines: Sequence[str]) -> bool:
    return any(line.strip() and not _is_answer_name(line) for line in lines)


def _leads_over(line: str) -> bool:
    name = _OPENING.fullmatch(line.strip())
    closing = is_closing(line) and line.rstrip().endswith((":", "：")) and not (name and stem(name["name"]) in _ASKED)
    return bool(EXAMPLE_HEADING.fullmatch(line)) or closing or announces(line)


def _is_answer_name(line: str) -> bool:
    match = _ENDING.fullmatch(line.strip())
    return bool(match and line.strip() and stem(match["name"] or match["heading"]) in _TOLD)


def _without_names(text: str, *, spec: Spec, prompt: str, found: Found | None, carried: bool) -> str:
    """The input without the field names, tags, arrows and quotation marks that the prompt's layout puts around it."""
    names = found.names if found and found.names else ("input", "output")
    bare = text.strip()
    tags = _TAGS.fullmatch(bare)
    if tags and stem(tags["name"]) in _ASKED | {stem(names[0])}:
        return tags["inner"].strip()
    bare, ended = _without_ending(bare, names=names, carried=carried)
    if found and found.layout.startswith("arrow"):
        bare, ended = _ARROW_ENDING.sub("", bare), ended or bool(_ARROW_ENDING.search(bare))
    opened = _without_opening(bare, spec=spec, names=names, ended=ended)
    bare = bare if opened is None else opened
    if (opened is not None or carried or ended) and _quotes_inputs(spec, prompt):
        bare = unquote(bare) or bare
    return bare.strip() or (text.strip() if not carried else "")


def _without_ending(text: str, *, names: tuple[str, str], carried: bool) -> tuple[str, bool]:
    """The text without the answer's name at its end ("Output:"), and whether it was there."""
    match = _ENDING.search(text, max(0, text.rfind("\n"), len(text) - _LONGEST_NAME))
    if match is None or (match["inline"] and not _OPENING.match(text)):
        return text, False
    name = stem(match["name"] or match["heading"])
    if name not in {names[1], stem(names[1])} and not (name in _TOLD and (len(name) > 1 or carried)):
        return text, False
    return text[: match.start()].rstrip(), True


def _without_opening(text: str, *, spec: Spec, names: tuple[str, str], ended: bool) -> str | None:
    """The text without the input's name at its start ("Input:"); None when there is none.

    A name that the demonstrated inputs begin with, too, belongs to the input.
    """
    match = _OPENING.match(text) or (_OPENING_LINE.match(text) if ended else None)
    if match is None:
        return None
    name = stem(match["name"])
    own = name in {names[0], stem(names[0])} or name in _INPUT_WORDS
    if not own and not (name in _ASKED and ended):
        return None
    if spec.demonstrations and all(_begins_with(pair.input, name) for pair in spec.demonstrations):
        return None
    return text[match.end() :]


def _begins_with(text: str, name: str) -> bool:
    match = _OPENING.match(text.strip())
    return bool(match and stem(match["name"]) == name)


def _quotes_inputs(spec: Spec, prompt: str) -> bool:
    """Whether the prompt shows its inputs in quotation marks that are no part of them."""
    return bool(spec.demonstrations) and all(
        re.search(rf"[\"“”'«„「`]{re.escape(pair.input)}[\"“”'»「」`]", prompt) for pair in spec.demonstrations[:3]
    )
