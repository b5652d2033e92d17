"""A batch is followed to its end, one step after the other. The awaits; what to do is `course`'s to say."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import replace
from typing import Final

from engine.attempt import Attempts, Ending, failed
from engine.batches.course import (
    CREATED,
    CREATING,
    MOST_FAILURES,
    NEVER_CREATED,
    UPLOADED,
    Step,
    Timing,
    after_finding,
    gone,
    next_step,
    on_line_missing,
    on_not_run,
    should_fetch_again,
    should_give_up,
)
from engine.batches.lines import Line, Shipment
from engine.clock import Clock
from engine.errors import ConfigurationRefused, ProviderRefused
from engine.events import Noted, RequestSent
from engine.providers.batches import BatchEndpoint, CallFailed, LineReply
from engine.providers.foreign import trimmed
from engine.verdict import Verdict

__all__ = ["Pace", "Voyages", "paced"]

AT_ONCE: Final = 256  # lines that are settled together: a commit or two
SKEW_S: Final = 86_400.0  # between our clock and the provider's, at the most
TOLD_AFTER: Final = frozenset({3, 30, 300})  # failures in a row

Pace = AbstractAsyncContextManager[object]


def paced(calls_a_second: int) -> Pace:
    """So many calls a second at most, whatever the number of batches: they are rare, and their limits low."""
    from asyncio_throttle import Throttler

    pace: Pace = Throttler(rate_limit=calls_a_second, period=1.0, retry_interval=0.1)
    return pace


class Voyages:
    """Takes batches from step to step. `forget` is told of every line that has ended.

    Nothing is created that is not durable in the journal before.
    """

    def __init__(
        self,
        attempts: Attempts,
        endpoint: BatchEndpoint,
        *,
        clock: Clock,
        timing: Timing,
        forget: Callable[[Line], None],
    ) -> None:
        self.creations: set[asyncio.Task[None]] = set()
        self._attempts = attempts
        self._endpoint = endpoint
        self._clock = clock
        self._timing = timing
        self._pace = paced(timing.calls_a_second)
        self._forget = forget

    async def follow(self, shipment: Shipment) -> None:
        """Until each of its lines has ended. Raises ProviderRefused where nothing more can be told: it stays out."""
        while (step := next_step(shipment.progress, open_lines=len(shipment.lines))) is not Step.DONE:
            try:
                await self._steps[step](self, shipment)
                shipment.failures = 0
            except CallFailed as failure:
                await self._bear(shipment, step, failure)

    # -- steps

    async def _upload(self, shipment: Shipment) -> None:
        async with self._pace:
            file = await self._endpoint.upload(self._payload(shipment), name=shipment.name)
        await self._attempts.journal.note_batch(shipment.name, UPLOADED, {"file": file})
        shipment.progress = replace(shipment.progress, file=file)

    async def _create(self, shipment: Shipment) -> None:
        """Who cancels us leaves a creation to come to its end, so that its id is known."""
        async with self._pace:
            creation = asyncio.get_running_loop().create_task(self._create_and_note(shipment))
            self.creations.add(creation)
            creation.add_done_callback(self._notify_created)
            await asyncio.shield(creation)

    def _notify_created(self, creation: asyncio.Task[None]) -> None:
        self.creations.discard(creation)
        if not creation.cancelled():
            creation.exception()  # perhaps nobody waits for it any more

    async def _create_and_note(self, shipment: Shipment) -> None:
        if self._attempts.stopped() is not None:
            shipment.progress = replace(shipment.progress, refusal=NEVER_CREATED)
            return
        name, now = shipment.name, self._clock.time()
        await self._attempts.journal.note_batch(name, CREATING, {"at": now})
        shipment.progress = replace(shipment.progress, creating_since=now)
        payload = () if self._endpoint.uploads else self._payload(shipment)
        try:
            batch = await self._endpoint.create(name=name, file=shipment.progress.file, lines=payload)
        except CallFailed as failure:
            if failure.verdict.billed is False:  # it surely did not happen
                shipment.progress = replace(shipment.progress, creating_since=None)
            raise
        await self._note_created(shipment, batch)
        self._emit_sent(shipment)

    async def _note_created(self, shipment: Shipment, batch: str) -> None:
        await self._attempts.journal.note_batch(shipment.name, CREATED, {"batch": batch})
        shipment.progress = replace(shipment.progress, batch=batch, creating_since=None)
        self.note(f"batch {batch}: {len(shipment.attempts):,} requests are with {self._attempts.provider.name}")

    async def _find(self, shipment: Shipment) -> None:
        since = (shipment.progress.creating_since or shipment.since) - SKEW_S
        async with self._pace:
            found = await self._endpoint.find(name=shipment.name, lines=len(shipment.attempts), since=since)
        progress = after_finding(shipment.progress, found, now=self._clock.time(), grace_s=self._timing.grace_s)
        if progress.batch is not None:
            await self._note_created(shipment, progress.batch)
        elif progress is shipment.progress:
            await self._wait_for_look(shipment)
        else:
            shipment.progress = progress

    async def _look(self, shipment: Shipment) -> None:
        if shipment.looks or not shipment.is_adopted:
            await self._wait_for_look(shipment)
        async with self._pace:
            look = await self._endpoint.look(shipment.progress.batch or "")
        shipment.looks += 1
        shipment.progress = replace(shipment.progress, look=look)

    async def _wait_for_look(self, shipment: Shipment) -> None:
        await self._clock.sleep(self._timing.until_look_s(max(0.0, self._clock.time() - shipment.since)))

    async def _fetch(self, shipment: Shipment) -> None:
        look = shipment.progress.look
        if look is None:
            raise AssertionError("unreachable")
        ran, chunk = 0, dict[int, Ending]()
        try:
            async with aclosing(self._endpoint.results(shipment.progress.batch or "", look)) as results:
                async for reply in results:
                    ran += reply.ran
                    if (named := shipment.line_named(reply.ident)) is not None:
                        attempt, line = named
                        chunk.setdefault(attempt, self._judge(shipment, line, reply))
                    if len(chunk) >= AT_ONCE:
                        await self._close(shipment, chunk)
                        chunk = {}
        except CallFailed:  # perhaps the rest never comes; what has come was paid for
            await self._close(shipment, chunk)
            raise
        await self._close(shipment, chunk)
        missing = on_line_missing(look, ran=ran)
        if shipment.lines and should_fetch_again(missing, failures=shipment.failures):
            raise CallFailed(missing)
        self.note(f"batch {shipment.progress.batch} has ended ({look.word}): {shipment.answered:,} answers")
        await self._give_back(shipment, lambda _: missing)

    async def _give_back_unrun(self, shipment: Shipment) -> None:
        progress, first = shipment.progress, shipment.attempts.start
        await self._give_back(shipment, lambda attempt: on_not_run(progress, attempt - first + 1))

    async def _give_back(self, shipment: Shipment, verdict: Callable[[int], Verdict]) -> None:
        """End every line that is left, without a reply."""
        left = list(shipment.lines.items())
        for start in range(0, len(left), AT_ONCE):
            some = left[start : start + AT_ONCE]
            endings = {number: failed(line.reservation.amount, verdict(number), raw=None) for number, line in some}
            await self._close(shipment, endings)

    _steps: Final[Mapping[Step, Callable[[Voyages, Shipment], Awaitable[None]]]] = {
        Step.UPLOAD: _upload,
        Step.CREATE: _create,
        Step.FIND: _find,
        Step.LOOK: _look,
        Step.FETCH: _fetch,
        Step.GIVE_BACK: _give_back_unrun,
    }

    # -- failures of calls

    async def _bear(self, shipment: Shipment, step: Step, failure: CallFailed) -> None:
        """A call failed: try again later, give the batch back, or leave it out where it is."""
        verdict = failure.verdict
        shipment.failures += 1
        begins = step in (Step.UPLOAD, Step.CREATE)
        if begins and shipment.progress.creating_since is None:
            if should_give_up(verdict, failures=shipment.failures):
                shipment.progress = replace(shipment.progress, refusal=replace(verdict, billed=False))
                return
        elif failure.is_missing and step in (Step.LOOK, Step.FETCH):
            lost = self._lost(shipment, failure)
            if lost is not None and not should_fetch_again(lost, failures=shipment.failures - 1):  # this one apart
                await self._give_back(shipment, lambda _: lost)
                return
        elif not begins and not verdict.may_retry:
            error = verdict.error()
            raise error if isinstance(error, ProviderRefused) else ConfigurationRefused(str(error))
        if shipment.failures in TOLD_AFTER:
            self.note(f"no answer about a batch: {verdict.message}; trying again")
        await self._clock.sleep(self._timing.until_retry_s(shipment.failures, verdict))

    def _lost(self, shipment: Shipment, failure: CallFailed) -> Verdict | None:
        """What it means for its lines that it is not there; None while another look may find it."""
        look, age_s = shipment.progress.look, self._clock.time() - shipment.since
        has_ended = look is not None and look.state == "ended"
        verdict = gone(age_s=age_s, kept_s=self._timing.kept_s, has_ended=has_ended)
        if verdict is None and shipment.failures > MOST_FAILURES:
            raise ConfigurationRefused(
                f"batch {shipment.progress.batch} is not there ({failure}); use the key of the account that made it"
            )
        return verdict

    # -- lines

    def _payload(self, shipment: Shipment) -> list[bytes]:
        lines = shipment.lines.items()
        return [trimmed(self._endpoint.line(line.request, ident=shipment.ident(number))) for number, line in lines]

    def _judge(self, shipment: Shipment, line: Line, reply: LineReply) -> Ending:
        bound = line.reservation.amount
        if reply.raw is None:
            verdict = reply.verdict or NEVER_CREATED
            # The provider has spoken, so it is no silence, and the next batch has a wait of its own.
            return failed(bound, replace(verdict, delay_s=verdict.delay_s or 0.0), raw=None)
        raw = replace(reply.raw, latency_s=max(0.0, self._clock.time() - shipment.since))
        return self._attempts.judge(line.request, raw, bound=bound, is_fitted=line.is_fitted)

    async def _close(self, shipment: Shipment, endings: Mapping[int, Ending]) -> None:
        """Make them durable, in a commit or two; then whoever waits may see them."""
        async with asyncio.TaskGroup() as tasks:
            for attempt, ending in endings.items():
                tasks.create_task(self._close_line(shipment, attempt, ending))

    async def _close_line(self, shipment: Shipment, attempt: int, ending: Ending) -> None:
        line = shipment.lines.pop(attempt)
        question = line.question
        question.was_cut = question.was_cut or ending.is_cut
        if ending.reading is not None:
            self._attempts.learn(line.request, ending.reading, input_bound=question.input_bound)
        try:
            await self._attempts.settle(question, attempt, line.reservation, ending)
        except Exception as error:  # noqa: BLE001 - the disk failed: whoever waits must hear of it
            self.fail(line, error)
            return
        shipment.answered += ending.answers
        self._forget(line)
        if not line.finish.done():
            line.finish.set_result(ending)

    def fail(self, line: Line, error: Exception) -> None:
        """It ends with an error, for this process."""
        self._forget(line)
        if not line.finish.done():
            line.finish.set_exception(error)
            line.finish.exception()  # perhaps nobody waits for it: then nobody need be told of that either

    # -- small things

    def _emit_sent(self, shipment: Shipment) -> None:
        if (events := self._attempts.events) is not None:
            for line in shipment.lines.values():
                events.emit(RequestSent(line.request.tag))

    def note(self, text: str) -> None:
        """Tell whoever looks on."""
        if self._attempts.events is not None:
            self._attempts.events.emit(Noted(text))
