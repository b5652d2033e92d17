"""Find the bare input in a request that still carries the prompt: a student was trained on inputs alone.

People send a task to a model in four ways, and the student's server takes all of them:
1. the whole prompt in front of the input, in one message, with the field names around it or without;
2. the prompt as the system message, the input as the user's;
3. the demonstrations as turns of a chat, the input as the last one;
4. the input alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agents import layouts
from agents.layouts.found import Found, unquote
from agents.layouts.markers import stem
from agents.layouts.tail import EXAMPLE_HEADING, is_closing
from agents.layouts.words import INPUT_NAMES, OUTPUT_NAMES, PARTNERS
from agents.records import Pair, Spec
from engine.errors import UserError
from engine.messages import Message

__all__ = ["bare_input"]

_LONGEST_GLUE = 400  # characters between two demonstrations, or between an input and its output
_NAME = r"[*_`\[#>\- \t]{0,8}(?P<name>[^\W\d_][^\n:：=*`\[\]<>]{0,40}?)[*_`\] \t]{0,4}"
_OPENING = re.compile(rf"\s*{_NAME}(?:[:：]|=(?!=))[*_`]{{0,3}}(?P<blank>[ ]?|\s*\n)")
_ENDING = re.compile(rf"(?:\n|[ \t]){_NAME}(?:[:：]|=(?!=))[*_`]{{0,3}}\s*\Z")
_TAGGED = re.compile(r"\s*<(?P<name>[A-Za-z_][\w-]{0,30})>(?P<inner>.*)</(?P=name)>\s*(?:<[A-Za-z_][\w-]{0,30}>\s*)?\Z", re.DOTALL)
_ARROW_ENDING = re.compile(r"\s*(?:-{1,3}>|={1,3}>|→|⇒)\s*\Z")


def bare_input(spec: Spec, prompt: str, messages: Sequence[Message]) -> str:
    """The input that a request is about, without the instruction and the demonstrations in front of it.

    `prompt` is the original prompt's text. Raises UserError when no message is the user's or no input is left.
    """
    said = next((message.content for message in reversed(messages) if message.role == "user"), None)
    if said is None:
        raise UserError("the request has no message of the user's; put the input into the last one")
    text = _plain(said)
    prompt = _plain(prompt)
    found = layouts.find(prompt) if prompt.strip() else None
    rest = _without_prompt(text, spec=spec, prompt=prompt, found=found)
    bare = _without_names(rest if rest is not None else text, found=found, carried=rest is not None)
    if not bare.strip():
        raise UserError("the request holds the prompt and no input; put the input below the prompt")
    return bare


def _plain(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _without_prompt(text: str, *, spec: Spec, prompt: str, found: Found | None) -> str | None:
    """What the text holds beside the prompt; None when it does not carry it.

    In front of the input stands the whole prompt, or its instruction and any of its demonstrations in any layout; or
    the instruction stands below the input.
    """
    whole = _skip(text, prompt.strip(), 0)
    if whole is not None:
        return text[whole:]
    template = _between(text, prompt, found)
    if template is not None:
        return template
    start = _skip(text, spec.instruction, 0)
    if start is not None:
        end = _skip_demonstrations(text, start, spec.demonstrations)
        return _without_words_of(text[end:], prompt, spec)
    above = _above(text, spec.instruction)
    return above


def _between(text: str, prompt: str, found: Found | None) -> str | None:
    """The input where the prompt has its own place for it below the demonstrations, with words after it."""
    if found is None or not prompt[found.end :].strip():
        return None
    start = _skip(text, prompt[: found.end].strip(), 0)
    if start is None:
        return None
    return text[start:] if not _same(text[start:], prompt[found.end :]) else None


def _same(one: str, other: str) -> bool:
    return one.split() == other.split()


def _skip(text: str, piece: str, start: int) -> int | None:
    """Where `text` goes on when it begins with `piece` at `start`, blanks aside; None when it does not."""
    position = start
    for word in piece.split():
        while position < len(text) and text[position].isspace():
            position += 1
        if not text.startswith(word, position):
            return None
        position += len(word)
    return position if piece.strip() else None


def _above(text: str, instruction: str) -> str | None:
    """What stands above the instruction, where the text ends with it."""
    words = instruction.split()
    position = len(text.rstrip())
    for word in reversed(words):
        if not text.endswith(word, 0, position):
            return None
        position = len(text[: position - len(word)].rstrip())
    return text[:position] if words else None


def _skip_demonstrations(text: str, start: int, pairs: Sequence[Pair]) -> int:
    """Where the text goes on behind the demonstrations it shows, in whatever order and layout; each counts once."""
    position = start
    left = list(pairs)
    while left:
        places = [(place, pair) for pair in left if (place := _place(text, position, pair)) is not None]
        if not places:
            break
        (_, position), pair = min(places, key=lambda item: item[0])
        left.remove(pair)
    return position


def _place(text: str, start: int, pair: Pair) -> tuple[int, int] | None:
    """Where a demonstration begins and ends, if it comes next."""
    given, output = pair.input.strip(), pair.output.strip()
    begin = text.find(given, start, start + _LONGEST_GLUE + len(given))
    if begin < 0:
        return None
    middle = begin + len(given)
    answer = text.find(output, middle, middle + _LONGEST_GLUE + len(output))
    return (begin, answer + len(output)) if answer >= 0 else None


def _without_words_of(text: str, prompt: str, spec: Spec) -> str:
    """The text without the lines at its ends that the prompt has outside its instruction and demonstrations."""
    data = {line.strip() for pair in spec.demonstrations for line in (pair.input + "\n" + pair.output).split("\n")}
    glue = {line.strip() for line in prompt.split("\n")} - data - {""}
    lines = text.split("\n")
    while lines and (not lines[0].strip() or lines[0].strip() in glue or _leads_over(lines[0])):
        lines.pop(0)
    while lines and (not lines[-1].strip() or lines[-1].strip() in glue):
        if _ENDING.search("\n" + lines[-1]):
            break
        lines.pop()
    return "\n".join(lines)


def _leads_over(line: str) -> bool:
    return bool(EXAMPLE_HEADING.fullmatch(line)) or (is_closing(line) and line.rstrip().endswith((":", "：")) and not _OPENING.match(line))
