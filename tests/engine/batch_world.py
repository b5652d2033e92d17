"""A batch endpoint that is nothing but its books, and everything a depot needs, on the virtual clock."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson

from engine.admission import Admission
from engine.attempt import Attempts, Ending
from engine.batches import Timing, open_depot
from engine.batches.depot import Depot
from engine.budget import Budget
from engine.clock import SystemClock
from engine.concurrency import Crowd
from engine.errors import SmeltError
from engine.events import Event, Events, Noted
from engine.journal import Journal
from engine.ledger import Ledger
from engine.limiter import Limiter
from engine.messages import RawReply, Request, Usage
from engine.prices import Price
from engine.providers import Capabilities, Reading
from engine.providers.batches import CallFailed, FileLimits, Found, LineReply, Look
from engine.statistics import Tally
from engine.throttle import Sizes
from engine.verdict import Kind, Verdict

EPOCH = 1_700_000_000.0
PRICE = Price(input=1, output=2, batch="0.5")  # of requests that go alone
USAGE = Usage(10, 5)
COST = 10  # micro-dollars of one answer, at half the price
PICO = 10**6

REFUSED = CallFailed(Verdict(kind=Kind.TRANSIENT, message="503: try again", billed=False))
UNHEARD = CallFailed(Verdict(kind=Kind.TRANSIENT, message="no connection", billed=False, unreached=True))
CUT_OFF = CallFailed(Verdict(kind=Kind.TRANSIENT, message="the connection broke"))
WRONG_KEY = CallFailed(Verdict(kind=Kind.AUTH, message="401: wrong key", billed=False, everywhere=True))
NOT_THERE = CallFailed(Verdict(kind=Kind.CONFIG, message="404", billed=False, everywhere=True), is_missing=True)

TIMING = Timing(quiet_s=2.0, patience_s=60.0, calls_a_second=10**6)


class Clock(SystemClock):
    """The virtual loop's time, for the calendar too."""

    def time(self) -> float:
        return EPOCH + asyncio.get_running_loop().time()


class Plain:
    """Reads what the endpoint below answers, and is never asked alone."""

    name, endpoint, simulated, capabilities = "test/model", "nowhere", True, Capabilities()

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:
        raise AssertionError(f"{request} went alone, with {timeout_s} s")

    def read(self, request: Request, raw: RawReply) -> Reading:  # noqa: ARG002 - the reply says it all
        return Reading((raw.body.decode(),), ("stop",), USAGE, "model-1")

    async def aclose(self) -> None:
        """Nothing is open."""


Fate = Callable[[str, int], LineReply | None]
"""What becomes of a text the so-manieth time that it is run; None says nothing about it, though it was run."""


def answered(ident: str, text: str) -> LineReply:
    return LineReply(ident=ident, raw=RawReply(200, {}, text.upper().encode(), 0.0))


@dataclass
class Job:
    name: str
    lines: dict[str, str]  # ident: text
    ends_at: float


@dataclass
class Books:
    """The endpoint's side: what was created, what was run, and what each call is to meet."""

    seconds: float = 100.0
    uploads: bool = True
    limits: FileLimits = field(default_factory=lambda: FileLimits(lines=1000, bytes=10**6))
    fate: Callable[[str, str, int], LineReply | None] = lambda ident, text, _: answered(ident, text)
    looks: list[Look] = field(default_factory=list)  # what the next looks say instead
    meets: dict[str, list[CallFailed | None]] = field(default_factory=dict)  # call: what it meets, in turn
    lost: int = 0  # creations that succeed without anybody hearing of it
    hidden_until: float = 0.0  # nothing is found before
    jobs: dict[str, Job] = field(default_factory=dict)
    files: dict[str, Sequence[bytes]] = field(default_factory=dict)
    runs: Counter[str] = field(default_factory=Counter)  # by text
    calls: Counter[str] = field(default_factory=Counter)
    word: str = "completed"

    def line(self, request: Request, *, ident: str) -> bytes:
        return orjson.dumps([ident, request.messages[-1].content])

    async def upload(self, lines: Sequence[bytes], *, name: str) -> str:
        self._meet("upload")
        self.files[name] = list(lines)
        return name

    async def create(self, *, name: str, file: str | None, lines: Sequence[bytes]) -> str:
        self._meet("create")
        told = self.files[file] if file is not None else lines
        ident = f"batch-{len(self.jobs)}"
        ends_at = asyncio.get_running_loop().time() + self.seconds
        self.jobs[ident] = Job(name, dict(orjson.loads(line) for line in told), ends_at)
        assert len(told) <= self.limits.lines
        if self.lost:
            self.lost -= 1
            raise CUT_OFF
        return ident

    async def find(self, *, name: str, lines: int, since: float) -> Found:
        self._meet("find")
        if asyncio.get_running_loop().time() < self.hidden_until:
            return Found(None, is_sure=False)
        assert since <= EPOCH + asyncio.get_running_loop().time()
        found = [ident for ident, job in self.jobs.items() if job.name == name and len(job.lines) == lines]
        return Found(found[0] if found else None, is_sure=True)

    async def look(self, batch: str) -> Look:
        self._meet("look")
        if self.looks:
            return self.looks.pop(0)
        job = self.jobs[batch]
        total = len(job.lines)
        if asyncio.get_running_loop().time() < job.ends_at:
            return Look(state="running", word="in_progress", total=total)
        return Look(state="ended", word=self.word, ended=total, total=total, files=("results",))

    async def results(self, batch: str, look: Look) -> AsyncGenerator[LineReply, None]:  # noqa: ARG002
        self._meet("results")
        for place, (ident, text) in enumerate(reversed(self.jobs[batch].lines.items())):
            self._meet(f"line {place}")
            self.runs[f"{batch} {text}"] += 1
            reply = self.fate(ident, text, sum(each.endswith(f" {text}") for each in self.runs))
            if reply is not None:
                yield reply

    async def aclose(self) -> None:
        """Nothing is open."""

    def _meet(self, call: str) -> None:
        self.calls[call] += 1
        met = self.meets.get(call, [])
        if met and (failure := met.pop(0)) is not None:
            raise failure

    @property
    def batches(self) -> int:
        return len(self.jobs)


@dataclass
class Post:
    """A depot on a journal, and what it stopped for."""

    journal: Journal
    ledger: Ledger
    attempts: Attempts
    depot: Depot
    stopped: list[SmeltError]
    notes: list[str]

    def question(self, request: Request) -> object:
        key = request.identity(asked_of=self.attempts.asked_of)
        return self.attempts.question(request, key, Tally())

    async def send(self, request: Request) -> Ending:
        """One attempt."""
        key = request.identity(asked_of=self.attempts.asked_of)
        question = self.attempts.question(request, key, Tally())
        return await self.depot.carry(question, funded=lambda: None)

    async def ask(self, request: Request, *, most: int = 6) -> Ending:
        """Attempts, until one answers."""
        for _ in range(most):
            ending = await self.send(request)
            if ending.verdict is None or not ending.verdict.may_retry:
                break
        return ending


@asynccontextmanager
async def post(
    books: Books, *, journal: Journal | None = None, budget: Budget | None = None, timing: Timing = TIMING
) -> AsyncIterator[Post]:
    """A depot at work, on a journal of its own unless one is given; that is not closed."""
    clock = Clock()
    own = journal is None
    journal = await Journal.open(None) if journal is None else journal
    cap = (budget or Budget(usd=1)).cap
    ledger = Ledger(cap, spent=journal.spent, assumed=journal.assumed)
    stopped: list[SmeltError] = []
    notes: list[str] = []
    events = Events()

    def listen(event: Event) -> None:
        if isinstance(event, Noted):
            notes.append(event.text)

    events.subscribe(listen)
    attempts = Attempts(
        provider=Plain(),
        asked_of="test/model at nowhere",
        price=PRICE,
        ledger=ledger,
        admission=Admission(limiter=Limiter(clock=clock), crowd=Crowd(fixed=None), clock=clock),
        journal=journal,
        sizes=Sizes(),
        clock=clock,
        timeout_s=60.0,
        deadline_s=900.0,
        events=events,
        stopped=lambda: stopped[0] if stopped else None,
    )
    depot = open_depot(
        attempts, lambda: books, gathers=True, timing=timing, stop=stopped.append, tally=lambda _: Tally()
    )
    assert depot is not None
    try:
        yield Post(journal, ledger, attempts, depot, stopped, notes)
    finally:
        await depot.aclose()
        if own:
            await journal.aclose()


def requests(count: int, *, max_tokens: int = 20) -> list[Request]:
    return [Request.user(f"text {number}", max_tokens=max_tokens) for number in range(count)]
