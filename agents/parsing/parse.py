"""Understand the prompt: its instruction, its demonstrations, and what every answer must look like.

`parse` decides alone and always the same; `parse_with_teacher` asks a model only where the text itself leaves doubt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from agents import prompts
from agents.asks import Asks, coldest
from agents.parsing import layouts
from agents.parsing.derive import derive
from agents.parsing.doubts import SURE
from agents.parsing.input_form import places_in
from agents.parsing.label_sets import plain
from agents.parsing.layouts import wording
from agents.parsing.specs import spec_in
from agents.records import Pair, Spec
from engine.errors import RequestFailed, UserError
from engine.messages import Request
from engine.text import encoding_of, meant_path

__all__ = ["MOST_BYTES", "SURE", "clean", "parse", "parse_with_teacher", "read_prompt", "too_long", "wants_teacher"]

_SHAPE = '{"instruction": "...", "demonstrations": [{"input": "...", "output": "..."}]}'
_LABELS = '{"labels": ["...", "..."]}'
_LONGEST_PROMPT = 5_000_000  # characters; the largest context windows hold a fraction of it
MOST_BYTES = 4 * _LONGEST_PROMPT + 5  # a character has four at most, and one more is too many
_LONGEST_SPLIT = 8_000  # tokens of the teacher's answer; it repeats the prompt
_HIDDEN_DEMONSTRATIONS = 0.5  # the words announce examples, and no layout finds any


def read_prompt(path: Path) -> str:
    """The text of a prompt file; raises UserError when it cannot be read as text."""
    try:
        size = path.stat().st_size
        if size >= MOST_BYTES:
            raise UserError(f"{path}: {too_long(f'{size:,} bytes')}")
        raw = path.read_bytes()
    except FileNotFoundError:
        near = meant_path(path)
        raise UserError(
            f"{path}: there is no such file{near}; give the path of a text file that holds the prompt"
        ) from None
    except IsADirectoryError:
        raise UserError(f"{path}: this is a folder; give the path of a text file that holds the prompt") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    encoding = encoding_of(raw)
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: not a text file in {encoding.upper()} (byte {error.start}); save the prompt as UTF-8 text"
        ) from None
    try:
        return clean(text)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def clean(text: str) -> str:
    """The prompt with plain line ends and no byte order mark; raises UserError for what is no text."""
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in plain:
        raise UserError("the prompt is binary: it holds a NUL character; give a text file in UTF-8")
    try:
        plain.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UserError(
            f"the prompt holds a character that is none (at {error.start}); save it as UTF-8 text and try again"
        ) from None
    if len(plain) > _LONGEST_PROMPT:
        raise UserError(too_long(f"{len(plain):,} characters"))
    if not plain.strip():
        raise UserError("the prompt is empty; write what the model shall do, best with a few examples")
    return plain


def too_long(size: str) -> str:
    """What is wrong with a prompt of this size, and the way out."""
    return (
        f"the prompt has {size}, more than any model reads ({_LONGEST_PROMPT:,} characters); "
        "give rows of data as a file of their own, and the prompt alone"
    )


def parse(text: str) -> Spec:
    """Split a prompt into its instruction and its demonstrations, derive what follows, and say what is not sure.

    A spec that was written and perhaps edited is taken as it says. Pure: the same text gives the same spec, in time
    proportional to its length. Raises UserError for a text without a recognisable instruction.
    """
    text = clean(text)
    if (written := spec_in(text)) is not None:
        return written
    text = layouts.unwrapped(text)
    found = layouts.find(text)
    if found is None and (found := layouts.find(other := layouts.rewritten(text))) is not None:
        text = other
    if found is None:
        instruction = layouts.instruction_of(text, None)
        announced = layouts.announces_examples(text)
        return _spec(
            instruction,
            (),
            layout="plain",
            confidence=_HIDDEN_DEMONSTRATIONS if announced else 1.0,
            places=layouts.fields_at_hand(text) or places_in(text[len(instruction) :]),
        )
    instruction = layouts.instruction_of(text, found)
    return _spec(instruction, found.pairs, layout=found.layout, confidence=found.certainty)


def _spec(
    instruction: str, pairs: tuple[Pair, ...], *, layout: str, confidence: float, places: tuple[str, ...] = ()
) -> Spec:
    if pairs and not wording.says_something(instruction):
        raise UserError("the prompt holds only examples; add a sentence above them that says what shall be done")
    if not pairs and not wording.asks_for_something(instruction):
        raise UserError("the prompt holds no instruction; write in words what the model shall do with an input")
    if any(map(_is_broken, (instruction, *(side for pair in pairs for side in (pair.input, pair.output))))):
        raise UserError("the prompt's JSON holds half of a surrogate pair (such as \\ud800); write the whole character")
    return derive(instruction, pairs, layout=layout, confidence=round(confidence, 2), places=places)


def _is_broken(text: str) -> bool:
    """Whether the text cannot be written: JSON may spell half a character, which no file can hold."""
    return any("\ud800" <= char <= "\udfff" for char in text)


def wants_teacher(spec: Spec, text: str) -> bool:
    """Whether there is something in the prompt that the teacher is asked about. Never in a spec that was written."""
    return (spec.confidence < SURE or any(doubt.about == "labels" for doubt in spec.doubts)) and spec_in(text) is None


async def parse_with_teacher(asks: Asks, text: str) -> Spec:
    """Understand a prompt, asking the teacher only for what its text leaves open: the split, and then the labels.

    What the teacher says counts only if every part of it stands in the prompt word for word; else, and when the teacher
    fails, what the text alone gives stands. What contradicts itself is not asked: nobody but its author knows. Of a
    spec that was written nothing is asked.
    """
    text = clean(text)
    spec = parse(text)
    if not wants_teacher(spec, text):
        return spec
    if spec.confidence < SURE:
        most = len(text) // 2 + 500
        spec = _read_split(await _asked(asks, "parse", text=text, shape=_SHAPE, most=most), text=text) or spec
    if any(doubt.about == "labels" for doubt in spec.doubts):
        spec = (
            _read_labels(await _asked(asks, "parse_labels", text=text, shape=_LABELS, most=2_000), spec, text) or spec
        )
    return spec


async def _asked(asks: Asks, prompt: str, *, text: str, shape: str, most: int) -> str:
    """The teacher's answer; nothing when it fails."""
    filled = prompts.fill(prompt, prompt=text.strip(), shape=shape)
    request = Request.user(
        filled, max_tokens=min(most, _LONGEST_SPLIT), temperature=coldest(asks, tag="parse"), tag="parse"
    )
    try:
        return (await asks.ask(request)).text
    except RequestFailed:
        return ""


def _read_labels(answer: str, spec: Spec, text: str) -> Spec | None:
    """The spec with the teacher's labels; None when they are unreadable, not the text's, or not the demonstrations'."""
    labels = (_first_object(answer) or {}).get("labels")
    if not isinstance(labels, list) or not all(isinstance(label, str) and label.strip() for label in labels):
        return None
    words = " ".join(text.split())
    told = tuple(dict.fromkeys(" ".join(label.split()) for label in labels))
    known = {plain(label) for label in told}
    answers = [pair.output for pair in spec.demonstrations if pair.output.strip() != spec.empty_answer]
    if (
        len(known) < 2
        or not all(label in words for label in told)
        or not all(plain(given) in known for given in answers)
    ):
        return None
    return derive(
        spec.instruction,
        spec.demonstrations,
        layout=spec.layout,
        confidence=spec.confidence,
        places=spec.fields,
        told=told,
    )


def _read_split(answer: str, *, text: str) -> Spec | None:
    """The teacher's split of `text`; None when it is unreadable or says what the text does not."""
    split = _first_object(answer)
    if split is None:
        return None
    instruction, rows = split.get("instruction"), split.get("demonstrations", [])
    if not isinstance(instruction, str) or not isinstance(rows, list):
        return None
    pairs = [_pair(row) for row in rows]
    words = " ".join(text.split())
    parts = [instruction, *(part for pair in pairs if pair for part in (pair.input, pair.output))]
    if None in pairs or not all(part.strip() and " ".join(part.split()) in words for part in parts):
        return None
    try:
        return _spec(instruction.strip(), tuple(pair for pair in pairs if pair), layout="teacher", confidence=0.9)
    except UserError:
        return None  # the teacher found no instruction; the text's own split says what is wrong


def _first_object(answer: str) -> Mapping[str, object] | None:
    start = answer.find("{")
    try:
        value, _ = json.JSONDecoder().raw_decode(answer, max(start, 0))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _pair(row: object) -> Pair | None:
    if not isinstance(row, dict):
        return None
    given, output = row.get("input"), row.get("output")
    return Pair(given, output) if isinstance(given, str) and isinstance(output, str) else None
