"""Asking the teacher for new inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from agents.asks import Asks, attempt, question_of
from agents.chance import chance
from agents.lists import quoted, read_inputs
from agents.plan import Target
from agents.prompts import fill, opening
from agents.records import Draft, Provenance, RejectReason, Spec
from engine.errors import ContentFiltered, RequestFailed, SmeltError
from engine.messages import Reply, Request

__all__ = ["Assignment", "Generated", "build_request", "draw_seeds", "generate", "most_inputs", "provenance"]

LEAST_TOKENS_EACH, MOST_TOKENS_EACH = 64, 1024
TOKENS_AROUND = 128
MOST_TOKENS = 8192  # above what some models may answer with at all; the list is then cut, and its whole items kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What one generating request is to say; `number` counts the requests of a run from 0."""

    number: int
    count: int
    target: Target | None = None
    seeds: tuple[str, ...] = ()
    temperature: float | None = None  # None: the endpoint takes none
    attributes: tuple[str, ...] = ()  # what the inputs are asked to be, where it takes none


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
        inputs="\n".join(quoted(seed) for seed in assignment.seeds),
        count=str(assignment.count),
        target="\n".join(filter(None, [_target_line(assignment.target), _so_line(assignment.attributes)])),
    )
    return Request.user(
        prompt,
        max_tokens=_tokens_needed(assignment),
        temperature=assignment.temperature,
        tag="generate",
        stable=len(opening("generate", instruction=spec.instruction)),
    )


def _target_line(target: Target | None) -> str:
    if target is None:
        return ""
    return fill("generate_other" if target.negated else "generate_target", target=target.answer)


def _so_line(attributes: Sequence[str]) -> str:
    return fill("generate_so", attributes="; ".join(attributes)) if attributes else ""


def most_inputs(seeds: Sequence[str]) -> int:
    """How many inputs, as long as those shown, one reply has room for."""
    return max(1, (MOST_TOKENS - TOKENS_AROUND) // _tokens_each(seeds))


def _tokens_needed(assignment: Assignment) -> int:
    return min(MOST_TOKENS, TOKENS_AROUND + assignment.count * _tokens_each(assignment.seeds))


def _tokens_each(seeds: Sequence[str]) -> int:
    # A token is hardly ever less than a byte, so this leaves room for inputs some times as long as those shown.
    longest = max((len(seed.encode("utf-8", "surrogatepass")) for seed in seeds), default=LEAST_TOKENS_EACH)
    return min(MOST_TOKENS_EACH, max(LEAST_TOKENS_EACH, longest))


async def generate(asks: Asks, request: Request, assignment: Assignment) -> Generated:
    """Ask for inputs. Whatever goes wrong comes back as a reason or, when it ends more than this request, an error."""
    outcome = await attempt(asks, request)
    match outcome.error:
        case None:
            return _read_reply(outcome.unwrap(), request, assignment)
        case ContentFiltered() as error:
            return Generated(reason="refusal", detail=str(error))
        case RequestFailed() as error:
            return Generated(reason="failed", detail=f"{type(error).__name__}: {error}")
        case error:
            return Generated(error=error)


def _read_reply(reply: Reply, request: Request, assignment: Assignment) -> Generated:
    listing = read_inputs(reply.text)
    if not listing.inputs:
        refused = reply.finish_reasons[0] in ("refusal", "filtered")
        return Generated(reason="refusal" if refused else "unreadable", detail=listing.problem)
    # More than asked for is padding or a runaway; the first ones are those that were asked for.
    inputs = listing.inputs[: assignment.count]
    told = partial(replace, model=reply.model, question=question_of(request), cost_usd=reply.paid_usd / len(inputs))
    return Generated(drafts=tuple(Draft(text, told(provenance(assignment, at))) for at, text in enumerate(inputs)))


def provenance(assignment: Assignment, position: int = 0) -> Provenance:
    """Where the draft at a position of an assignment's reply comes from."""
    return Provenance(
        request=assignment.number,
        position=position,
        temperature=assignment.temperature,
        target=None if assignment.target is None else str(assignment.target),
        seeds=assignment.seeds,
        attributes=assignment.attributes,
    )
