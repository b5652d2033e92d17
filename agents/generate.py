"""Asking the teacher for new inputs, and reading its answer as a list of them, however it was written down."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agents.asks import Asks, attempt
from agents.chance import chance
from agents.plan import Target
from agents.prompts import fill
from agents.records import Draft, Provenance, RejectReason, Spec
from engine.errors import ContentFiltered, RequestFailed, SmeltError
from engine.messages import Reply, Request

__all__ = ["Assignment", "Generated", "Listing", "build_request", "draw_seeds", "generate", "provenance", "read_inputs"]

LEAST_TOKENS_EACH, MOST_TOKENS_EACH = 64, 1024
MOST_TOKENS = 8192  # above what some models may answer with at all; the list is then cut, and its whole items kept
ARRAYS_TRIED = 50  # opening brackets looked at before a reply counts as no array

_DECODER = json.JSONDecoder(strict=False)  # raw line breaks inside strings are common
_BULLET = re.compile(r"\s*(?:[-*•]|\(?\d{1,4}[.):])\s+(\S.*)")
_SINGLE_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'(?=\s*[,\]])", re.DOTALL)  # as Python writes lists
_SPACE_OR_COMMA = re.compile(r"[\s,]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What one generating request is to say; `number` counts the requests of a run from 0."""

    number: int
    count: int
    target: Target | None = None
    seeds: tuple[str, ...] = ()
    temperature: float | None = None  # None: the endpoint takes none


@dataclass(frozen=True, slots=True)
class Listing:
    """The inputs found in a reply; when there are none, `problem` says why."""

    inputs: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """What came of an assignment: drafts, or a reason and a detail, and the error if one ended it."""

    drafts: tuple[Draft, ...] = ()
    reason: RejectReason | None = None
    detail: str = ""
    error: SmeltError | None = None


def draw_seeds(
    anchors: Sequence[str], accepted: Sequence[str], *, count: int, seed: int, number: int
) -> tuple[str, ...]:
    """A random few-shot mix for request `number`: half anchors and half accepted inputs, as far as there are any.

    The same seed and number draw the same mix from the same rows.
    """
    draw = chance(seed, "seeds", number)
    accepted_count = min(len(accepted), max(count // 2, count - len(anchors)))
    mix = draw.sample(accepted, accepted_count) + draw.sample(anchors, min(len(anchors), count - accepted_count))
    draw.shuffle(mix)
    return tuple(mix)


def build_request(spec: Spec, assignment: Assignment) -> Request:
    """The request for an assignment; its max_tokens follow from how long the shown inputs are."""
    prompt = fill(
        "generate",
        instruction=spec.instruction,
        inputs="\n".join(json.dumps(seed, ensure_ascii=False) for seed in assignment.seeds),
        count=str(assignment.count),
        target=_target_line(assignment.target),
    )
    return Request.user(
        prompt,
        max_tokens=_tokens_needed(assignment),
        temperature=assignment.temperature,
        tag="generate",
    )


def _target_line(target: Target | None) -> str:
    if target is None:
        return ""
    return fill("generate_other" if target.negated else "generate_target", target=target.answer)


def _tokens_needed(assignment: Assignment) -> int:
    # A token is hardly ever less than a byte, so this leaves room for inputs some times as long as those shown.
    longest = max((len(seed.encode("utf-8", "surrogatepass")) for seed in assignment.seeds), default=LEAST_TOKENS_EACH)
    each = min(MOST_TOKENS_EACH, max(LEAST_TOKENS_EACH, longest))
    return min(MOST_TOKENS, 128 + assignment.count * each)


async def generate(asks: Asks, request: Request, assignment: Assignment) -> Generated:
    """Ask for inputs. Whatever goes wrong comes back as a reason or, when it ends more than this request, an error."""
    outcome = await attempt(asks, request)
    match outcome.error:
        case None:
            return _read_reply(outcome.unwrap(), assignment)
        case ContentFiltered() as error:
            return Generated(reason="refusal", detail=str(error))
        case RequestFailed() as error:
            return Generated(reason="failed", detail=f"{type(error).__name__}: {error}")
        case error:
            return Generated(error=error)


def _read_reply(reply: Reply, assignment: Assignment) -> Generated:
    listing = read_inputs(reply.text)
    if not listing.inputs:
        refused = reply.finish_reasons[0] in ("refusal", "filtered")
        return Generated(reason="refusal" if refused else "unreadable", detail=listing.problem)
    # More than asked for is padding or a runaway; the first ones are those that were asked for.
    inputs = listing.inputs[: assignment.count]
    return Generated(drafts=tuple(Draft(text, provenance(assignment, at)) for at, text in enumerate(inputs)))


def provenance(assignment: Assignment, position: int = 0) -> Provenance:
    """Where the draft at a position of an assignment's reply comes from."""
    return Provenance(
        request=assignment.number,
        position=position,
        temperature=assignment.temperature,
        target=None if assignment.target is None else str(assignment.target),
        seeds=assignment.seeds,
    )


def read_inputs(text: str) -> Listing:
    """The inputs in a reply that should be a JSON array of strings. Never raises.

    Read in this order: a JSON array (in a fence, with prose around it, with a comma too many, in single quotes, of
    objects with one text each; a cut one gives its whole items), one JSON string a line, a numbered or bulleted list.
    """
    if not text.strip():
        return Listing(problem="the reply is empty")
    for read in (_read_array, _read_lines, _read_bullets):
        inputs = tuple(item.strip() for item in read(text))
        if any(inputs):
            return Listing(inputs)
    return Listing(problem=f"no list in the reply: {text.strip()[:200]!r}")


def _read_array(text: str) -> list[str]:
    starts = (match.end() for match, _ in zip(re.finditer(r"\[", text), range(ARRAYS_TRIED), strict=False))
    return next(filter(None, (list(_items_from(text, start)) for start in starts)), [])


def _items_from(text: str, position: int) -> Iterator[str]:
    """The items after an opening bracket, up to the closing one or to the first that is not whole."""
    while True:
        position = _match_end(_SPACE_OR_COMMA, text, position)
        if single := _SINGLE_QUOTED.match(text, position):
            position = single.end()
            yield single[1].replace("\\'", "'")
            continue
        if text[position : position + 1] not in ('"', "{"):
            return
        try:
            item, position = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError):
            return
        if (found := _text_of(item)) is not None:
            yield found


def _match_end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


def _text_of(item: object) -> str | None:
    """A string, or the one text of an object such as {"input": "..."}."""
    if isinstance(item, str):
        return item
    texts = [value for value in item.values() if isinstance(value, str)] if isinstance(item, dict) else []
    if isinstance(item, dict) and isinstance(item.get("input"), str):
        return str(item["input"])
    return texts[0] if len(texts) == 1 else None


def _read_lines(text: str) -> list[str]:
    found = (_json_string(line.strip().rstrip(",")) for line in text.splitlines())
    return [line for line in found if line is not None]


def _json_string(line: str) -> str | None:
    if not (len(line) >= 2 and line[0] == line[-1] == '"'):
        return None
    try:
        value = json.loads(line, strict=False)
    except ValueError:
        return None
    return value if isinstance(value, str) else None


def _read_bullets(text: str) -> list[str]:
    matches = (_BULLET.fullmatch(line) for line in text.splitlines())
    items = (match[1].strip().rstrip(",") for match in matches if match)
    return [_json_string(item) or item for item in items]
