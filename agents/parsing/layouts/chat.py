"""Demonstrations as a chat transcript with a model's own marks: `<|im_start|>user`, `[INST] … [/INST]`, and others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from os.path import commonprefix

from agents.parsing.layouts.found import Found
from agents.parsing.layouts.wording import asks_for_something
from agents.records import Pair

__all__ = ["find"]

_ROLE = r"(?P<role>system|developer|user|human|assistant|model|gpt|bot)"
_TURN = re.compile(
    rf"<\|im_start\|>[ \t]*{_ROLE}[ \t]*\n?"
    rf"|<\|start_header_id\|>[ \t]*{_ROLE.replace('role', 'header')}[ \t]*<\|end_header_id\|>\n*"
    rf"|<start_of_turn>[ \t]*{_ROLE.replace('role', 'start')}[ \t]*\n?"
    rf"|<[|｜]{_ROLE.replace('role', 'bar')}[|｜]>[ \t]*\n?",
    re.IGNORECASE,
)
_END = re.compile(
    r"<｜end▁of▁sentence｜>|<\|im_end\|>|<\|eot_id\|>|<end_of_turn>|<\|end\|>|<\|endoftext\|>|<\|end_of_text\|>|</s>|<s>"
)
_NOISE = re.compile(r"<｜begin▁of▁sentence｜>|<\|begin_of_text\|>|<s>|<bos>")
_INST = re.compile(r"\[INST\]|\[/INST\]|</s>|<s>")
_SYSTEM = re.compile(r"\s*<<SYS>>(?P<system>.*?)<</SYS>>\s*", re.DOTALL)
_OPENED = 0.9  # how certain it is where one turn holds both instruction and input
_SYSTEMS = frozenset(("system", "developer"))
_OF_INST = {"[INST]": "user", "[/INST]": "assistant"}
_ASKERS, _REPLIERS = frozenset(("user", "human")), frozenset(("assistant", "model", "gpt", "bot"))


def find(text: str) -> Found | None:
    """The turns of a transcript, each pair of them a demonstration, and its system turn as the instruction."""
    return _of_turns(text) or _of_inst(text)


def _of_turns(text: str) -> Found | None:
    marks = list(_TURN.finditer(text))
    turns: list[tuple[str, str]] = []
    for number, mark in enumerate(marks):
        stop = marks[number + 1].start() if number + 1 < len(marks) else len(text)
        end = _END.search(text, mark.end(), stop)
        role = next(group for group in mark.groups() if group).casefold()
        turns.append((role, text[mark.end() : end.start() if end else stop].strip()))
    above = _NOISE.sub("", text[: marks[0].start()]).strip() if marks else ""
    # Below an instruction, a system turn is none: it may be what somebody wrote into an example.
    system = "" if above else "\n\n".join(said for role, said in turns if role in _SYSTEMS and said)
    return _found(text, turns, start=marks[0].start() if marks else 0, above=above, system=system)


def _of_inst(text: str) -> Found | None:
    """Of the dialect whose system turn stands inside the first user's."""
    if "[/INST]" not in text:
        return None
    marks = list(_INST.finditer(text))
    turns: list[tuple[str, str]] = []
    for number, mark in enumerate(marks):
        stop = marks[number + 1].start() if number + 1 < len(marks) else len(text)
        if mark[0] in _OF_INST:
            turns.append((_OF_INST[mark[0]], text[mark.end() : stop].strip()))
    start = next((mark.start() for mark in marks if mark[0] == "[INST]"), len(text))
    system = ""
    if turns and (inner := _SYSTEM.match(turns[0][1])) is not None:
        system = inner["system"].strip()
        turns[0] = (turns[0][0], turns[0][1][inner.end() :].strip())
    above = _NOISE.sub("", text[:start]).strip()
    return _found(text, turns, start=start, above=above, system=system)


def _found(text: str, turns: Sequence[tuple[str, str]], *, start: int, above: str, system: str) -> Found | None:
    """What stands above the transcript is the instruction, or else the system turn, or how the first turn begins."""
    opening = ""
    if not (above or system):
        opening, turns = _opening(turns)
    pairs = tuple(
        Pair(given, answer)
        for (role, given), (next_role, answer) in pairwise(turns)
        if role in _ASKERS and next_role in _REPLIERS and given and answer
    )
    if not pairs or not (above or system or opening):
        return None
    return Found(
        layout="chat",
        pairs=pairs,
        start=start,
        end=len(text),
        certainty=_OPENED if opening else 1.0,
        instruction=None if above else system or opening,
    )


def _opening(turns: Sequence[tuple[str, str]]) -> tuple[str, Sequence[tuple[str, str]]]:
    """The instruction that the first turn begins with, where models know no system turn, and the turns without it.

    Every asker may repeat it; else the first one's last paragraph is the input, or as many lines as others' inputs.
    """
    asked = [said for role, said in turns if role in _ASKERS]
    if not asked:
        return "", turns
    told = (_repeated(asked), _above_input(asked[0], others=asked[1:]))
    instruction = next(filter(asks_for_something, told), "")
    if not instruction:
        return "", turns
    return instruction, [
        (role, said.removeprefix(instruction).strip() if role in _ASKERS else said) for role, said in turns
    ]


def _repeated(asked: Sequence[str]) -> str:
    """What all of several inputs begin with: whole lines, or in one line up to a colon."""
    shared = commonprefix(asked) if len(asked) > 1 else ""  # noqa: RUF071  # of texts, not of paths
    end = shared.rfind("\n") if "\n" in shared else max(shared.rfind(":"), shared.rfind("：")) + 1
    return shared[:end].strip()


def _above_input(first: str, *, others: Sequence[str]) -> str:
    above, parted, _ = first.rpartition("\n\n")
    if parted:
        return above.strip()
    most = max((other.count("\n") + 1 for other in others), default=1)
    return "\n".join(first.split("\n")[:-most]).strip()
