"""When the next request may leave under every limit at once, told, learnt from headers or found by trying.

Only arithmetic lives here: what was taken, what came of it, and when the next may go. Nothing waits and nothing knows
a clock; the time is an argument. Who waits, and in which order, is `engine.admission`'s business.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

from engine.headers import LimitHint, limit_hints
from engine.throttle.bucket import BURST_OF_REQUESTS_S, WINDOW_S, Bucket, bucket_of
from engine.throttle.limits import (
    DAILY_REQUESTS,
    DAILY_TOKENS,
    DAY_S,
    DIMENSIONS,
    INPUT,
    MINUTE_S,
    OUTPUT,
    REQUESTS,
    Demand,
    Limits,
    cost_of,
)  # fmt: skip
from engine.throttle.luck import FASTER, Luck
from engine.throttle.recent import Recent
from engine.throttle.windows import ROUNDED_S, Windows

__all__ = ["Pace"]

DAILY: Final = {REQUESTS: DAILY_REQUESTS, 1: DAILY_TOKENS}

BINDING: Final = 0.7  # a limit that was used less than this was not the one that refused

# Were everybody to wait for a second each time, a refusal in a thousand would cost a twentieth of a limit of a hundred
# a second.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0

TRIAL_S: Final = 2 * WINDOW_S  # what counts in seconds has counted one of them by then

HEADERS_EVERY_S: Final = 0.02  # nothing is learnt from reading them more often


class Pace:
    """Every limit of one account.

    Limits that are told hold from the start. Those that headers tell are approached within a second. Where there is
    neither, the first refusal says where trouble begins, and from there a governor finds the rate.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._buckets: dict[int, Bucket] = {}
        self._part = 1.0
        self._held_until = -math.inf
        self._is_resting = False  # nothing has left since
        self._answered_at = -math.inf  # of what was answered, when the last left
        self._asked_at = math.inf  # what left then was asked to wait for so long
        self._recent = Recent()
        self._cut_at = -math.inf  # what was let in before is no news any more
        self._luck = Luck()
        self._pause_s = FIRST_PAUSE_S  # after the next cut; longer while no answer comes between them
        self._windows = Windows()
        self._read_at = -math.inf  # headers were
        self._heard_from = -math.inf  # those that told of limits belonged to what was let in then
        self.tell(limits or Limits())

    def __repr__(self) -> str:
        limits = ", ".join(
            f"{b.limit:g} {DIMENSIONS[i]}{'' if b.is_daily else f'/{b.period_s:g} s' if b.is_of_seconds else '/min'}"
            for i, b in self._known()
            if b.limit is not None
        )
        return f"<Pace [{limits or 'no limit known'}]>"

    def tell(self, limits: Limits, *, now: float = 0.0) -> None:
        """From now on these are what the user has told; what was told before and is not any more is learnt again."""
        for i, value in enumerate(limits.by_name().values()):
            bucket = self._buckets.get(i)
            if value is None:
                if bucket is not None and bucket.told:
                    del self._buckets[i]
            elif bucket is None or bucket.is_of_seconds:
                self._buckets[i] = bucket_of(i, limit=value, told=True, part=self._part)
            else:
                bucket.adopt(value, now=now)
                bucket.told = True

    def take_part(self, part: float, *, now: float) -> None:
        """From now on so much of every limit a minute, above 0 and at most 1, is ours: others have the rest of it.

        A day's allowance is not divided.
        """
        if not 0 < part <= 1:
            raise ValueError(f"a part must lie above 0 and be at most 1 (got {part})")
        self._part = part
        for bucket in self._buckets.values():
            bucket.take_part(part, now=now)

    def use(self, *, now: float) -> float:
        """How much of the limit a minute that is used most was used of late, 0 to 1; 0 where none is known."""
        known = [(i, bucket.limit / bucket.period_s) for i, bucket in self._known() if bucket.limit is not None]
        return max((self._recent.rate(i, now) / rate for i, rate in known if i < DAILY_REQUESTS), default=0.0)

    @property
    def limits(self) -> Limits:
        """The limits in force: told, learnt, or as far as trying has found them."""
        found: dict[str, float | None] = {}
        for i, name in enumerate(Limits().by_name()):
            bucket = self._buckets.get(i)
            if bucket is None or bucket.is_of_seconds:  # which has no name among them
                continue
            ceiling = None if bucket.governor is None else round(bucket.governor.ceiling * MINUTE_S, 1)
            found[name] = bucket.limit or ceiling or None
        return Limits(**found)

    @property
    def knows_limits(self) -> bool:
        """Whether a limit per minute or less was told by the user or the provider: then that sets the speed."""
        return any(bucket.limit is not None and not bucket.is_daily for bucket in self._buckets.values())

    # -- who may leave

    def ready_at(self, demand: Demand, *, now: float) -> float:
        """The earliest moment at which the demand may be taken; in the past when it may be taken now."""
        ready = self._held_until
        for i, bucket in self._buckets.items():
            at = bucket.ready_at(cost_of(i, demand), now=now)
            if at > ready:
                ready = at
        requests = self._buckets.get(REQUESTS)
        return ready if requests is None else max(ready, self._window_opens_at(requests, now))

    def shut_until(self, demand: Demand, *, now: float) -> float:
        """Until when the provider lets nobody in by its own word: a wait that it asked for, or a day that is used up.

        What the user has told is no word of the provider's.
        """
        until = self._held_until
        for i, bucket in self._buckets.items():
            if bucket.is_daily and not bucket.told:
                until = max(until, bucket.ready_at(cost_of(i, demand), now=now))
        return until

    def _window_opens_at(self, requests: Bucket, now: float) -> float:
        count, seconds = requests.window(now)
        left_at = self._recent.left_at(count) if count > 1 else None
        return -math.inf if left_at is None else left_at + seconds

    def binding(self, demand: Demand, *, now: float) -> str:
        """What the demand would wait for longest: a dimension, or `provider weather` while it asked us to wait."""
        waits = {i: bucket.ready_at(cost_of(i, demand), now=now) for i, bucket in self._known()}
        longest = max(waits, key=lambda i: waits[i], default=None)
        return "provider weather" if longest is None or self._held_until > now else DIMENSIONS[longest]

    def never_fits(self, demand: Demand) -> str | None:
        """Why the demand can never be admitted, naming limit and need; None when it can.

        Only of tokens: half a request a minute is one in two minutes.
        """
        for i, bucket in self._buckets.items():
            cost = cost_of(i, demand)
            if bucket.limit is not None and cost > max(bucket.limit, demand.requests):
                name, per = DIMENSIONS[i], "" if bucket.is_daily else " per minute"
                need = f"needs about {cost:.0f} {name} but the limit is {bucket.limit:g} {name}{per}"
                return f"{need}; shorten it, or lower max_tokens"
        return None

    def take(self, demand: Demand, *, now: float) -> None:
        if self._is_resting:
            self._end_rest(now)
        due = self._due_at(now)
        for i, bucket in self._buckets.items():
            bucket.take(cost_of(i, demand), now=now, due=due)
        self._recent.take(demand, now=now)

    def _due_at(self, now: float) -> float:
        """When a window let the next one leave; only governors want to know."""
        requests = self._buckets.get(REQUESTS)
        if requests is None or all(bucket.governor is None for bucket in self._buckets.values()):
            return -math.inf
        return self._window_opens_at(requests, now)

    def _end_rest(self, now: float) -> None:
        self._is_resting = False
        for bucket in self._buckets.values():
            bucket.empty(min(now, self._held_until))

    def give_back(self, demand: Demand, *, taken_at: float, now: float) -> None:
        """The request was not sent after all."""
        for i, bucket in self._buckets.items():
            bucket.give_back(cost_of(i, demand), now=now)
        self._recent.give_back(demand, taken_at=taken_at)

    # -- what came of it

    def settle(self, demand: Demand, *, input_tokens: int, output_tokens: int, now: float) -> None:
        """Correct what was taken by what the request turned out to need.

        Only where input and output are counted apart, and by the day. A common limit a minute (OpenAI's) is charged
        when a request is admitted, by the length of the prompt and the largest answer allowed, and what was not used
        is not given back.
        """
        likely = demand.input_tokens + demand.output_tokens
        for i, over in (
            (INPUT, demand.input_tokens - input_tokens),
            (OUTPUT, demand.output_tokens - output_tokens),
            (DAILY_TOKENS, likely - input_tokens - output_tokens),
        ):
            if i in self._buckets:
                self._buckets[i].give_back(over, now=now)

    def hold_until(self, moment: float, *, sent_at: float = math.inf) -> None:
        """Nothing leaves before; a shorter wait does not end a longer one, and it is not made up for.

        `sent_at` is when the request left whose answer asked for it. An answer to one that left no earlier ends it.
        """
        if moment > self._held_until and sent_at > self._answered_at:
            self._held_until, self._asked_at, self._is_resting = moment, sent_at, True

    def learn(
        self, headers: Mapping[str, str], *, sent_at: float, now: float, wall: float, served: Demand | None = None
    ) -> None:
        """Adopt limits that were not told, and correct our count by what is said to remain.

        `sent_at` is when the request was let in that they answer, `now` our clock, `wall` seconds since 1970, `served`
        what the request took if it was answered. What is older than what is known already is stale, and not read.
        """
        if sent_at < self._heard_from or now < self._read_at + HEADERS_EVERY_S:
            return
        self._read_at = now
        for hint in limit_hints(headers, now=wall):
            self._heard_from = sent_at
            if served is None or cost_of(DIMENSIONS.index(hint.dimension), served) <= hint.limit:
                self._hear(hint, age_s=now - sent_at, now=now)  # else more than the limit was let in: it is none

    def _hear(self, hint: LimitHint, *, age_s: float, now: float) -> None:
        i = self._place_of(hint, now=now)
        if i is None:
            return
        bucket = self._buckets.get(i)
        if bucket is None:
            bucket = self._buckets[i] = bucket_of(i, part=self._part)
        if not bucket.told and bucket.limit != hint.limit:
            bucket.approach(hint.limit, now=now, used=self._recent.rate(i, now))
        bucket.is_sure = bucket.is_sure or hint.period_s == bucket.period_s
        if hint.remaining is not None:
            bucket.believe(limit=hint.limit, remaining=hint.remaining, reset_s=hint.reset_s, age_s=age_s, now=now)

    def _place_of(self, hint: LimitHint, *, now: float) -> int | None:
        """Which dimension is meant: that of a minute or that of a day. None: neither, and then we know of none."""
        i = DIMENSIONS.index(hint.dimension)
        if hint.is_told:
            return DAILY.get(i) if hint.period_s == DAY_S else i
        minute = self._buckets.get(i)
        if not (minute is not None and minute.told) and self._windows.count_seconds(hint, now=now):
            self._keep_to_seconds(i, hint, now=now)
            return None
        if minute is not None and minute.is_of_seconds:
            del self._buckets[i]
            minute = None
        if hint.period_s == DAY_S and not (minute is not None and minute.is_sure):
            if minute is not None and not minute.told:
                del self._buckets[i]
            return DAILY.get(i)
        return i

    def _keep_to_seconds(self, i: int, hint: LimitHint, *, now: float) -> None:
        """So many requests in as many seconds as were ever left of a window: evenly, none of them holds more.

        Of tokens no window is kept to: we count them otherwise than the service, and a request may have more of them
        than a short window has.
        """
        known = self._buckets.get(i)
        period_s = self._windows.period_s(hint)
        if known is not None and known.is_of_seconds and (known.limit, known.period_s) == (hint.limit, period_s):
            return
        if i == REQUESTS:
            self._buckets[i] = Bucket(
                limit=hint.limit, told=False, period_s=period_s, burst_s=BURST_OF_REQUESTS_S, part=self._part
            )
            self._buckets[i].take(1.0, now=now)  # nothing is saved up
        elif known is not None and known.limit is not None:
            del self._buckets[i]

    def notify_answer(self, *, sent_at: float) -> None:
        """What was let in then was not refused."""
        if sent_at > self._cut_at:
            self._pause_s = FIRST_PAUSE_S
        self._answered_at = max(self._answered_at, sent_at)
        if sent_at >= self._asked_at:  # it was meant for one request, not for the account
            self._held_until, self._asked_at, self._is_resting = -math.inf, math.inf, False

    def notify_overload(self, demand: Demand, *, sent_at: float) -> None:
        """What was let in then was turned away for another reason: it tells nothing of how much is let in."""
        self._recent.refuse(demand, sent_at=sent_at)

    def notify_refusal(self, demand: Demand, *, sent_at: float, now: float, delay_s: float | None) -> None:
        """What was let in then was refused for being too much; `delay_s` is what the provider asked to wait.

        All refusals of what was let in before we slowed down are one piece of news.
        """
        self._recent.refuse(demand, sent_at=sent_at)
        self._recent.reach_back(now - sent_at)
        if sent_at > self._cut_at:
            news = self._luck.notify_refusal(self._recent.number_of(sent_at), may_end=sent_at > self._cut_at + TRIAL_S)
            if news == "luck":
                return
            if news == "not too fast":
                self._speed_up(now)
                if all(bucket.governor is None for _, bucket in self._known()):
                    self._luck.end_trial()
                return
            self._slow_down(self._refuser(sent_at), demand, sent_at=sent_at, now=now)
        if delay_s is not None and delay_s > ROUNDED_S:
            self.hold_until(now + delay_s, sent_at=sent_at)

    def _refuser(self, sent_at: float) -> int:
        """Of the known limits, the one that was used most has refused us; if none was, one that nobody told of.

        What was let in is judged as of `sent_at`: refusals come back at once, so of what left before it is known.
        """
        rates = {i: self._recent.rate(i, sent_at) for i, bucket in self._known() if not bucket.is_daily}
        use = {i: rate / self._buckets[i].full_rate for i, rate in rates.items()}
        i = max(use, key=lambda i: use[i], default=REQUESTS)
        if use.get(i, 0.0) < BINDING:
            i = REQUESTS
        if i not in self._buckets:
            self._buckets[i] = bucket_of(i, part=self._part)
        return i

    def _slow_down(self, i: int, demand: Demand, *, sent_at: float, now: float) -> None:
        bucket = self._buckets[i]
        if self._luck.in_trial:
            self._luck.notify_cut(self._recent.count, is_slow=False, kept=1.0)
            for _, each in self._known():
                each.slow_again(now=now)
        else:
            admitted = self._recent.rate(i, sent_at) if self._recent.was_let_in(self._cut_at, sent_at) else 0.0
            if 0.0 < (seconds := now - self._recent.began_at) < WINDOW_S:
                admitted = self._recent.rate(i, now) * WINDOW_S / seconds
            admitted /= 1.0 - self._luck.share  # so much must leave for it
            is_slow, before = bucket.is_slow(sent_at), bucket.governor
            has_slowed = bucket.slow_down(admitted, cost=cost_of(i, demand), age_s=now - sent_at, now=now)
            if not has_slowed and self._luck.is_in_a_row:
                bucket.deepen(admitted, now=now)
            kept = 1.0 if before is None or bucket.governor is None else bucket.governor.ceiling / before.ceiling
            if has_slowed and self._luck.notify_cut(self._recent.count, is_slow=is_slow, kept=kept) == "try faster":
                self._speed_up(now)
                return
        self._cut_at = now
        if not self._luck.is_in_a_row:
            return
        self.hold_until(now + self._pause_s)
        self._pause_s = min(LONGEST_PAUSE_S, 2 * self._pause_s)

    def _speed_up(self, now: float) -> None:
        self._cut_at = now
        for _, bucket in self._known():
            bucket.speed_up(FASTER, now=now)

    def _known(self) -> Iterator[tuple[int, Bucket]]:
        return iter(sorted(self._buckets.items(), key=lambda item: item[0]))
