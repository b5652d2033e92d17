"""The loop that makes rows: ask for inputs, label them by vote, keep what passes; the same bytes whoever was first.

Groups run at the same time: one generating request each, and the votes on what it brought. What they bring is applied
strictly in the order of their numbers, and a group is built in one synchronous step from what was applied up to then:
few-shots, temperature, target, even whether it is started at all. So nothing depends on the order of arrival. At most
`Settings.lag` groups are under way, and the lag follows from the target alone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace

from agents.asks import Asks
from agents.filtering.filter import Candidate, Finding, judge_input, judge_reply, judge_row
from agents.judging.judge import Judge, judged
from agents.making.generate import generate
from agents.making.groups import Brought, Group
from agents.making.label_money import LabelMoney, Purse
from agents.making.steering import Steering
from agents.making.synthesis import Labelling, Settings, StopReason, Synthesis
from agents.records import Draft, Example, Reject, Spec, Vote
from agents.voting.annotate import Annotation, annotate_all
from agents.voting.vote import normaliser, tally
from engine.events import Events, Noted

__all__ = ["Labelling", "Settings", "StopReason", "Synthesis", "synthesize"]


async def synthesize(
    asks: Asks,
    spec: Spec,
    *,
    settings: Settings,
    events: Events,
    withheld: tuple[str, ...] = (),
    purse: Purse | None = None,
    judge: Judge | None = None,
    found: Sequence[Example] = (),
    most_groups: int | None = None,
    heard: Callable[[Brought], None] = lambda _: None,
) -> Synthesis:
    """Make labelled rows for a task until there are enough, or nothing new comes, or the money or the access ends.

    `withheld` are inputs that must not become rows, such as those of a test file; the demonstrations never do.
    When the money ends, what is under way is still brought home: every row that was paid for in full counts. With a
    `purse`, money is kept in it for the labels of inputs that are under way. What a `judge` refuses is left out. Rows
    that were `found` elsewhere are rows of this run from the start: they count, are shown, and are not made again.

    With `most_groups` it ends after so many: they say what those of the whole would, word for word, so their replies
    are the whole's too. `heard` is told of each group, in their order, before it is taken in.
    """
    label_money = None if purse is None else LabelMoney(purse, tags=("annotate", "judge") if judge else ("annotate",))
    steering = Steering(spec, settings, withheld, found)
    under_way: deque[asyncio.Task[Brought]] = deque()
    begun = 0
    async with asyncio.TaskGroup() as groups:
        while True:
            for group in steering.build()[: None if most_groups is None else most_groups - begun]:
                begun += 1
                under_way.append(groups.create_task(_run(asks, group, label_money, judge)))
            if steering.is_over or not under_way:
                break
            heard(brought := await under_way.popleft())
            for event in steering.apply(brought):
                events.emit(event)
        for task in under_way:
            task.cancel()
    result = steering.result()
    if begun == most_groups and result.stop == "nothing new":
        result = replace(result, stop="pilot", why=f"a pilot of {begun} requests: {len(result.examples)} rows")
    events.emit(Noted(result.calls))
    if result.stop != "target":
        events.emit(Noted(result.why))
    return result


async def _run(asks: Asks, group: Group, label_money: LabelMoney | None, judge: Judge | None) -> Brought:
    generated = await generate(asks, group.request, group.assignment)
    refused = _reject_at_sight(generated.drafts, group)
    if group.assignment.rows is not None:
        drafts = _with_own_labels(generated.drafts, refused, group)
        return await _judged(asks, Brought(group=group, generated=generated, drafts=drafts), judge)
    good = [draft.input for draft, reject in zip(generated.drafts, refused, strict=True) if reject is None]
    with nullcontext() if label_money is None else label_money.labelling(len(good)):
        annotations = iter(await annotate_all(asks, group.spec, good, group.voting))
        drafts = tuple(
            (draft, reject or next(annotations)) for draft, reject in zip(generated.drafts, refused, strict=True)
        )
        return await _judged(asks, Brought(group=group, generated=generated, drafts=drafts), judge)


async def _judged(asks: Asks, brought: Brought, judge: Judge | None) -> Brought:
    """The same with what a judge says of the rows that nothing else speaks against, by what is known to their group."""
    known = brought.group.known

    def is_asked(each: Annotation) -> bool:
        return each.vote is not None and judge_row(Candidate.voted(each.input, each.vote), known) is None

    annotations = iter(await judged(asks, judge, brought.annotations, is_asked=is_asked))
    drafts = ((draft, ended if isinstance(ended, Reject) else next(annotations)) for draft, ended in brought.drafts)
    return replace(brought, drafts=tuple(drafts))


def _with_own_labels(
    drafts: Sequence[Draft], refused: Sequence[Reject | None], group: Group
) -> tuple[tuple[Draft, Reject | Annotation], ...]:
    """Drafts that came with their answers: each is the one vote on its input."""
    normalise = normaliser(group.spec) if group.known.filtered else str.strip
    votes = [_own_vote(draft, normalise) for draft in drafts]
    return tuple(
        (draft, reject or Annotation(input=draft.input, asked=0, vote=vote, first=vote.winner))
        for draft, vote, reject in zip(drafts, votes, refused, strict=True)
    )


def _own_vote(draft: Draft, normalise: Callable[[str], str]) -> Vote:
    """The label that came with an input, as a vote of whoever wrote it, paid with the input."""
    source = draft.provenance
    return replace(tally([draft.output or ""], normalise), models=(source.model,), questions=(source.question,))


def _reject_at_sight(drafts: Sequence[Draft], group: Group) -> list[Reject | None]:
    """Why drafts are not worth a label, judged by what was known when their group was built."""
    whole = judge_reply([draft.input for draft in drafts], group.known)
    return [_reject_one(draft, drafts[:at], whole, group) for at, draft in enumerate(drafts)]


def _reject_one(draft: Draft, earlier: Sequence[Draft], whole: Finding | None, group: Group) -> Reject | None:
    if (finding := judge_input(draft.input, group.known) or whole) is not None:
        return Reject(draft.input, None, finding.reason, draft.provenance, finding.detail)
    if group.known.key(draft.input) in {group.known.key(other.input) for other in earlier}:
        return Reject(draft.input, None, "duplicate", draft.provenance, "twice in one reply")
    return None
