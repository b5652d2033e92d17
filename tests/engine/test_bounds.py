"""A bound is true and as tight as can be: answers are allowed less where money is short, and none is lost for it."""

from __future__ import annotations

import asyncio
import json
import unicodedata
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Budget, BudgetReached, Engine, Limits, Price, Request, Statistics, Usage
from engine.bounds import LEAST, TIMES, allowance, input_bound, was_cut
from engine.clock import SystemClock
from engine.fakes import virtual_time
from engine.fakes.worlds import EchoWorld
from engine.journal import Journal
from engine.messages import FinishReason, Message, RawReply
from engine.providers import Reading
from engine.providers.shapes import prompt_tokens
from engine.providers.simulated import Simulated
from tests.engine.asking import MICRO, Given

PRICE = Price(input=0, output=1)  # a token of output is a millionth of a dollar
MAX_TOKENS = 1000
SHORT = 40  # tokens, as nearly all answers are
KNOWN = 30  # replies from which on a kind is known
ALLOWED = TIMES * SHORT


class Talker(Given):
    """Answers with 40 words, or as many as `long` says, cut at what it was allowed; a word is a token."""

    price = PRICE

    def __init__(self, *, long: dict[str, int] | None = None, says_why: bool = True, latency_s: float = 1.0) -> None:
        self.long = long or {}
        self.latency_s = latency_s
        self.says_why = says_why
        self.sent: list[Request] = []
        self.billed = 0

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:  # noqa: ARG002 - it is never slow
        self.sent.append(request)
        await asyncio.sleep(self.latency_s)
        wanted = self.long.get(request.messages[-1].content, SHORT)
        said = min(wanted, request.max_tokens)
        self.billed += said * MICRO
        reason = "length" if wanted > said and self.says_why else "stop"
        return RawReply(200, {}, json.dumps([said, reason]).encode(), 1.0)

    def read(self, request: Request, raw: RawReply) -> Reading:  # noqa: ARG002 - it says the same to everybody
        said, reason = json.loads(raw.body)
        finish: FinishReason = reason
        return Reading((" ".join(["word"] * said),), (finish,), Usage(1, said), "model-1")

    @property
    def allowances(self) -> list[int]:
        return [request.max_tokens for request in self.sent]


def question(text: str) -> Request:
    return Request.user(text, max_tokens=MAX_TOKENS, tag="label")


async def ask_all(engine: Engine, texts: list[str]) -> list[object]:
    return list(await asyncio.gather(*(engine.ask(question(text)) for text in texts), return_exceptions=True))


def engine_over(talker: Talker, *, tokens: int, journal: Path | None = None, at_once: int = 1000) -> Engine:
    """An engine with money for so many tokens."""
    return Engine(talker, budget=Budget(f"{tokens}e-6"), journal=journal, limits=Limits(), concurrency=at_once)


# -- pure


@given(usual=st.none() | st.integers(0, 5000), asked=st.integers(1, 5000))
def test_an_answer_is_never_allowed_more_than_was_asked_for_nor_less_than_it_is_likely_to_need(
    usual: int | None, asked: int
) -> None:
    allowed = allowance(usual=usual, asked=asked)

    assert 1 <= allowed <= asked
    assert allowed == asked or (usual is not None and allowed >= max(LEAST, TIMES * usual))


@pytest.mark.parametrize(
    ("reasons", "usage", "cut"),
    [
        pytest.param(("stop",), Usage(1, 9), False, id="whole"),
        pytest.param(("length",), Usage(1, 9), True, id="cut"),
        pytest.param(("stop", "length"), Usage(1, 9), True, id="one of two"),
        pytest.param(("stop",), Usage(1, 20), True, id="all that was allowed, whatever it says"),
        pytest.param(("stop",), None, False, id="whole, and nobody counted"),
        pytest.param(("length",), None, True, id="cut, and nobody counted"),
    ],
)
def test_what_counts_as_cut(reasons: tuple[FinishReason, ...], usage: Usage | None, cut: bool) -> None:
    sent = Request.user("a", max_tokens=10, n=2)

    assert was_cut(Reading(("x",) * len(reasons), reasons, usage, "m"), sent) is cut


@given(st.text(max_size=300), st.none() | st.integers(0, 2000))
def test_a_count_only_ever_tightens_the_bound(text: str, told: int | None) -> None:
    request = Request.user(text)
    bytes_and_framing = input_bound(request)

    bound = input_bound(request, count=lambda _: told)

    assert bound == (bytes_and_framing if told is None else min(told, bytes_and_framing))
    assert input_bound(request, count=None) == bytes_and_framing


def test_normalising_tokenizers_are_bounded_too() -> None:
    """U+FDFA is three bytes and becomes eighteen characters."""
    ligature = Request.user("\ufdfa" * 20)
    expanded = unicodedata.normalize("NFKC", "\ufdfa" * 20)

    assert input_bound(ligature) >= len(expanded.encode())


@given(st.text(alphabet=st.characters(exclude_categories=())), st.text())
def test_the_bound_covers_every_byte_of_every_text(text: str, system: str) -> None:
    """Lone surrogates included: they are data."""
    request = Request.user(text, system=system)

    assert input_bound(request) >= len(text.encode("utf-8", "surrogatepass")) + len(system.encode())


def test_messages_and_schemas_take_room() -> None:
    short = Request.user("a")
    long = Request(messages=(Message("user", "a"), Message("assistant", ""), Message("user", "")))
    with_schema = Request.user("a", schema={"type": "object", "description": "x" * 1000})

    assert input_bound(short) < input_bound(long)
    assert input_bound(with_schema) > input_bound(short) + 1000


def test_a_simulated_world_says_exactly_what_it_will_count() -> None:
    """So nothing is reserved for tokens that cannot come."""
    world = EchoWorld(price=Price(input=1, output=0))

    async def main() -> Statistics:
        engine = Engine(Simulated(world, SystemClock()), budget=Budget("1"))
        async with engine:
            asking = asyncio.create_task(engine.ask(Request.user("x" * 400)))
            await asyncio.sleep(0)
            reserved = engine.statistics().reserved
            await asking
            assert reserved == engine.statistics().spent == prompt_tokens([Message("user", "x" * 400)]) * MICRO
            return engine.statistics()

    assert virtual_time.run(main()).assumed == 0


# -- where money is short


def test_while_there_is_money_enough_everything_is_allowed_what_was_asked_for() -> None:
    talker = Talker()

    async def main() -> None:
        async with engine_over(talker, tokens=10**6) as engine:
            await ask_all(engine, [f"row {i}" for i in range(200)])

    virtual_time.run(main())
    assert set(talker.allowances) == {MAX_TOKENS}


def test_where_money_is_short_more_fits_into_it_than_whole_bounds_would_allow() -> None:
    """Whole bounds would leave up to 1,000 tokens unused here, of 5,000."""
    talker = Talker()

    async def main() -> tuple[list[object], Statistics]:
        async with engine_over(talker, tokens=5000) as engine:
            ends = await ask_all(engine, [f"row {i}" for i in range(200)])
            return ends, engine.statistics()

    ends, statistics = virtual_time.run(main())
    answered = [end for end in ends if not isinstance(end, BudgetReached)]
    assert len(answered) == (5000 - ALLOWED) // SHORT + 1
    assert talker.billed == statistics.spent == len(answered) * SHORT * MICRO
    assert statistics.cap is not None
    assert statistics.cap - statistics.spent < ALLOWED * MICRO
    assert set(talker.allowances) == {MAX_TOKENS, ALLOWED}
    assert statistics.failures == {}


def test_what_was_cut_to_save_money_is_asked_again_in_full() -> None:
    """The asker sees the whole answer only, and what the cut one cost was not hidden from the budget."""
    talker = Talker(long={"long": 700})

    async def main() -> tuple[object, Statistics]:
        async with engine_over(talker, tokens=KNOWN * SHORT + 1500) as engine:
            await ask_all(engine, [f"row {i}" for i in range(KNOWN)])
            blocking = asyncio.create_task(engine.ask(question("row x")))
            await asyncio.sleep(0)
            reply = await engine.ask(question("long"))
            await blocking
            return reply, engine.statistics()

    reply, statistics = virtual_time.run(main())
    assert getattr(reply, "usage", None) == Usage(1, 700)
    assert getattr(reply, "attempts", None) == 2
    assert [r.max_tokens for r in talker.sent if r.messages[-1].content == "long"] == [ALLOWED, MAX_TOKENS]
    assert statistics.spent == talker.billed
    assert statistics.failures == {"cut": 1}


@pytest.mark.parametrize("says_why", [True, False], ids=["says why it ended", "says that all is well"])
def test_a_cut_answer_answers_nobody_now_or_after_a_restart(tmp_path: Path, says_why: bool) -> None:
    """There is no money for the whole answer, so there is none, until there is more money."""
    talker = Talker(long={"long": 700}, says_why=says_why, latency_s=0)

    async def short() -> object:
        async with engine_over(talker, tokens=KNOWN * SHORT + 1180, journal=tmp_path / "journal.db") as engine:
            await ask_all(engine, [f"row {i}" for i in range(KNOWN)])
            blocking = asyncio.create_task(engine.ask(question("row x")))
            await asyncio.sleep(0)
            [end] = await ask_all(engine, ["long"])
            await blocking
            return end

    async def again() -> object:
        """Six times as much is left as the cut answer was allowed; but that was too little."""
        async with engine_over(talker, tokens=KNOWN * SHORT + 1180, journal=tmp_path / "journal.db") as engine:
            await ask_all(engine, [f"row {i}" for i in range(KNOWN)])
            [end] = await ask_all(engine, ["long"])
            return end

    async def later() -> object:
        async with engine_over(talker, tokens=10**6, journal=tmp_path / "journal.db") as engine:
            return await engine.ask(question("long"))

    async def kept() -> list[bytes]:
        """What was paid for is there to be looked at."""
        async with await Journal.open(tmp_path / "journal.db") as journal:
            return [entry.raw.body for entry in journal.entries() if entry.raw is not None]

    assert isinstance(asyncio.run(short()), BudgetReached)
    assert talker.allowances[-1] == ALLOWED
    sent = len(talker.sent)
    assert isinstance(asyncio.run(again()), BudgetReached)
    assert len(talker.sent) == sent, "what was too short once was paid for again"
    assert json.loads(asyncio.run(kept())[-1]) == [ALLOWED, "length" if says_why else "stop"]
    whole = asyncio.run(later())
    assert getattr(whole, "usage", None) == Usage(1, 700)
    assert getattr(whole, "from_journal", None) is False


def test_a_resumed_run_knows_from_the_journal_what_answers_need(tmp_path: Path) -> None:
    """Money for one short answer is left, and for none that is allowed everything."""
    talker = Talker(latency_s=0)
    known = [f"row {i}" for i in range(KNOWN)]

    async def main(texts: list[str]) -> list[object]:
        async with engine_over(talker, tokens=KNOWN * MAX_TOKENS, journal=tmp_path / "journal.db") as engine:
            return await ask_all(engine, texts)

    async def resumed() -> list[object]:
        tokens = KNOWN * SHORT + ALLOWED
        async with engine_over(talker, tokens=tokens, journal=tmp_path / "journal.db") as engine:
            return await ask_all(engine, [*known, "one more"])

    asyncio.run(main(known))
    ends = asyncio.run(resumed())
    assert not [end for end in ends if isinstance(end, Exception)]
    assert talker.allowances[KNOWN:] == [ALLOWED]


@pytest.mark.parametrize("seed", range(10))
def test_the_same_answers_come_whatever_was_allowed(seed: int) -> None:
    """Short money changes what is asked again, and never what is said."""
    chance = Random(seed)
    long = {f"row {i}": chance.randrange(1, MAX_TOKENS) for i in range(150) if chance.random() < 0.1}
    texts = [f"row {i}" for i in range(150)]

    def answers(tokens: int, at_once: int) -> tuple[dict[str, str], Talker]:
        talker = Talker(long=long)

        async def main() -> dict[str, str]:
            async with engine_over(talker, tokens=tokens, at_once=at_once) as engine:
                ends = await ask_all(engine, texts)
                assert engine.statistics().spent == talker.billed <= tokens * MICRO
                assert engine.statistics().reserved == 0
                return {t: str(getattr(e, "text", "")) for t, e in zip(texts, ends, strict=True) if hasattr(e, "text")}

        return virtual_time.run(main()), talker

    everything, _ = answers(10**6, at_once=100)
    some, talker = answers(8000, at_once=chance.randrange(1, 100))

    assert len(everything) == 150
    assert some.items() <= everything.items()
    assert talker.billed > 0.85 * 8000 * MICRO
