"""Asking the teacher for new inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from agents.asks import Asks, attempt, question_of
from agents.chance import chance
from agents.filtering.filter import declines
from agents.making.hard_cases import Case
from agents.making.plan import Target
from agents.parsing.language import language_asked
from agents.prompts import fill, opening
from agents.reading.passages import Passage
from agents.records import Draft, Pair, Provenance, RejectReason, Spec
from agents.voting.lists import quoted, quoted_pair, read_inputs, read_pairs
from engine.errors import ContentFiltered, RequestFailed, SmeltError
from engine.messages import Reply, Request

__all__ = ["Assignment", "Generated", "build_request", "draw_seeds", "generate", "most_inputs", "provenance"]

LEAST_TOKENS_EACH, MOST_TOKENS_EACH = 64, 1024
TOKENS_AROUND = 128
MOST_TOKENS = 8192  # above what some models may answer with at all; the list is then cut, and its whole items kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What one generating request is to say; `number` counts the requests of a run from 0.

    `count` inputs are asked for in each of so many `completions`. With `rows`, the answers are asked for too, and these
    rows are shown in place of bare inputs.
    """

    number: int
    count: int
    target: Target | None = None
    attributes: tuple[str, ...] = ()  # what the inputs are asked to be
    case: Case | None = None  # the kind of hard case
    passage: Passage | None = None  # what they are to be written from
    seeds: tuple[str, ...] = ()
    rows: tuple[Pair, ...] | None = None
    completions: int = 1
    temperature: float | None = None  # None: the endpoint takes none

    @property
    def inputs(self) -> int:
        """How many inputs are asked for in all."""
        return self.count * self.completions


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """What came of an assignment: drafts, or a reason and a detail, and the error if one ended it; what it was paid."""

    drafts: tuple[Draft, ...] = ()
    reason: RejectReason | None = None
    detail: str = ""
    error: SmeltError | None = None
    cost_usd: float = 0.0


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
    return Request.user(
        _prompt(spec, assignment),
        max_tokens=_tokens_needed(spec, assignment),
        temperature=assignment.temperature,
        n=assignment.completions,
        tag="generate",
        stable=len(opening(_template(assignment), instruction=spec.asked)),
    )


def _template(assignment: Assignment) -> str:
    return "generate" if assignment.rows is None else "generate_rows"


def _prompt(spec: Spec, assignment: Assignment) -> str:
    wishes = (
        _passage_block(assignment.passage),
        _target_line(assignment.target),
        _case_line(assignment.case),
        _so_line(assignment.attributes),
        _language_line(spec),
    )
    common = {
        "instruction": spec.asked,
        "count": str(assignment.count),
        "target": "\n".join(filter(None, wishes)),
    }
    if assignment.rows is None:
        return fill("generate", inputs="\n".join(quoted(seed) for seed in assignment.seeds), **common)
    return fill("generate_rows", rows="\n".join(map(quoted_pair, assignment.rows)), **common)


def _target_line(target: Target | None) -> str:
    if target is None:
        return ""
    return fill("generate_other" if target.negated else "generate_target", target=target.answer)


def _case_line(case: Case | None) -> str:
    if case is None:
        return ""
    return fill(f"generate_{case.name}", **({} if case.other is None else {"other": quoted(case.other)}))


def _language_line(spec: Spec) -> str:
    name = language_asked(spec.language, instruction=spec.asked)
    return "" if name is None else fill("generate_language", language=name)


def _passage_block(passage: Passage | None) -> str:
    """The passage as a JSON string in which no tag of ours can be closed, whatever is in it."""
    if passage is None:
        return ""
    return fill("generate_from", passage=quoted(passage.text).replace("</", "<\\/"))


def _so_line(attributes: Sequence[str]) -> str:
    return fill("generate_so", attributes="; ".join(attributes)) if attributes else ""


def most_inputs(seeds: Sequence[str]) -> int:
    """How many inputs, as long as those shown, one reply has room for."""
    return max(1, (MOST_TOKENS - TOKENS_AROUND) // _tokens_each(seeds))


def _tokens_needed(spec: Spec, assignment: Assignment) -> int:
    shown = list(assignment.seeds)
    if assignment.rows is not None:
        shown = [f"{row.input} {row.output}" for row in assignment.rows]
    if spec.extractive and assignment.passage is not None:
        shown.append(assignment.passage.text)  # what an answer is taken from is taken from there
    return min(MOST_TOKENS, TOKENS_AROUND + assignment.count * _tokens_each(shown))


def _tokens_each(seeds: Sequence[str]) -> int:
    # A token is hardly ever less than a byte, so this leaves room for inputs some times as long as those shown.
    longest = max((len(seed.encode("utf-8", "surrogatepass")) for seed in seeds), default=LEAST_TOKENS_EACH)
    return min(MOST_TOKENS_EACH, max(LEAST_TOKENS_EACH, longest))


async def generate(asks: Asks, request: Request, assignment: Assignment) -> Generated:
    """Ask for inputs. Whatever goes wrong comes back as a reason or, when it ends more than this request, an error."""
    outcome = await attempt(asks, request)
    match outcome.error:
        case None:
            reply = outcome.unwrap()
            return replace(_read_reply(reply, request, assignment), cost_usd=reply.paid_usd)
        case ContentFiltered() as error:
            return Generated(reason="refusal", detail=str(error))
        case RequestFailed() as error:
            return Generated(reason="failed", detail=f"{type(error).__name__}: {error}")
        case error:
            return Generated(error=error)


def _read_reply(reply: Reply, request: Request, assignment: Assignment) -> Generated:
    if assignment.rows is not None:
        return _read_rows(reply, request, assignment)
    listing = read_inputs(reply.text)
    if not listing.inputs:
        refused = reply.finish_reasons[0] in ("refusal", "filtered") or declines(reply.text)
        return Generated(reason="refusal" if refused else "unreadable", detail=listing.problem)
    # More than asked for is padding or a runaway; the first ones are those that were asked for.
    inputs = listing.inputs[: assignment.count]
    told = partial(replace, model=reply.model, question=question_of(request), cost_usd=reply.paid_usd / len(inputs))
    return Generated(drafts=tuple(Draft(text, told(provenance(assignment, at))) for at, text in enumerate(inputs)))


def _read_rows(reply: Reply, request: Request, assignment: Assignment) -> Generated:
    """The rows of all completions, each of which may be cut to what was asked for."""
    pairings = [read_pairs(text) for text in reply.texts]
    pairs = [pair for pairing in pairings for pair in pairing.pairs[: assignment.count]]
    if not pairs:
        return Generated(reason="unreadable", detail=pairings[0].problem)
    told = partial(replace, model=reply.model, question=question_of(request), cost_usd=reply.paid_usd / len(pairs))
    drafts = (Draft(text, told(provenance(assignment, at)), output) for at, (text, output) in enumerate(pairs))
    return Generated(drafts=tuple(drafts))


def provenance(assignment: Assignment, position: int = 0) -> Provenance:
    """Where the draft at a position of an assignment's reply comes from."""
    return Provenance(
        request=assignment.number,
        position=position,
        temperature=assignment.temperature,
        target=None if assignment.target is None else str(assignment.target),
        seeds=assignment.seeds,
        attributes=assignment.attributes,
        case=None if assignment.case is None else str(assignment.case),
        document=None if assignment.passage is None else assignment.passage.place,
    )
