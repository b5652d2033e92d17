"""The whole path through the real command line: data, kills, budgets, students, servers. Slow; `make test` runs it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from agents.demo.conversation import AnnotateMany, read_conversation
from engine.budget import Budget
from engine.fakes.server import FakeProvider
from engine.journal import peek
from engine.messages import Message
from engine.prices import Price
from engine.providers.resolve import world_named
from engine.providers.simulated import Answer

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
DATES = ROOT / "agents" / "demo" / "dates"
INTENTS = ROOT / "agents" / "demo" / "intents"
PARTS = ("train", "validation", "test", "rejected")
ROWS = 400

Question = tuple[tuple[Message, ...], float, int]


class Watched:
    """A world that counts how often it is asked each question, and tells when it has been asked so many."""

    def __init__(self, name: str) -> None:
        self._world = world_named(name, seed=0)
        self.asked: Counter[Question] = Counter()
        self.latency_s: float | None = None  # None: as the world says
        self._at: int | None = None
        self._then: Callable[[], None] = lambda: None

    @property
    def name(self) -> str:
        return self._world.name

    @property
    def seed(self) -> int:
        return self._world.seed

    @property
    def price(self) -> Price:
        return self._world.price

    def answer(self, messages: Sequence[Message], *, temperature: float, max_tokens: int, sample: int = 0) -> Answer:
        self.asked[(tuple(messages), temperature, max_tokens)] += 1
        if self.asked.total() == self._at:
            self._then()
        answer = self._world.answer(messages, temperature=temperature, max_tokens=max_tokens, sample=sample)
        return answer if self.latency_s is None else replace(answer, latency_s=self.latency_s)

    def truth(self, messages: Sequence[Message]) -> str | None:
        return self._world.truth(messages)

    def when(self, asked: int, then: Callable[[], None]) -> None:
        """Call `then` at the question that makes so many in all."""
        self._at, self._then = asked, then

    @property
    def asked_again(self) -> int:
        return sum(times - 1 for times in self.asked.values())

    @property
    def lists_of_labels(self) -> int:
        """How many of the questions were for the labels of several inputs."""
        return sum(isinstance(read_conversation(messages), AnnotateMany) for messages, _, _ in self.asked)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    def table(self) -> dict[str, object]:
        """The JSON object that is the last line of its standard output."""
        table = json.loads(self.out.splitlines()[-1])
        assert isinstance(table, dict)
        return table


async def start(*words: object) -> Process:
    """`python -m agents WORDS`, in the clone, with no key in its environment."""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "agents",
        *map(str, words),
        cwd=ROOT,
        env=environment,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
    )


async def ended(process: Process) -> Ended:
    async with asyncio.timeout(120):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


async def smelt(*words: object) -> Ended:
    return await ended(await start(*words))


def generating(out: Path, *more: object, url: str, dialect: str = "openai", budget: str = "5") -> tuple[object, ...]:
    """The words that make the data of these tests, with a teacher behind HTTP."""
    prices = ("--price-in", "0.25", "--price-out", "2", "--budget", budget)
    teacher = ("--model", f"{dialect}/dates", "--base-url", url, *prices)
    return ("generate", DATES / "prompt.md", *teacher, "--examples", ROWS, "--out", out, "--quiet", *more)


def data_of(run: Path) -> dict[str, bytes]:
    return {part: (run / "data" / f"{part}.parquet").read_bytes() for part in PARTS}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The data as they come of a run in one go, with the teacher in the same process."""
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    words = ("generate", DATES / "prompt.md", "--model", "simulated/dates", "--examples", ROWS, "--out", run, "--quiet")

    done = asyncio.run(smelt(*words))

    assert (done.code, done.out, done.err) == (0, "", "")
    return data_of(run)


# -- the same bytes, whoever carries the words


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
@pytest.mark.parametrize(
    ("more", "error_rate"),
    [
        pytest.param((), 0.0, id="plain"),
        pytest.param(("--concurrency", 3), 0.0, id="3 in flight"),
        pytest.param(("--concurrency", 50), 0.05, id="50 in flight and 5 % errors"),
    ],
)
def test_the_same_seed_gives_the_same_bytes_over_every_wire(
    tmp_path: Path, undisturbed: dict[str, bytes], dialect: str, more: tuple[object, ...], error_rate: float
) -> None:
    world = Watched("dates")

    async def run() -> Ended:
        async with FakeProvider(world, latency_scale=0.05, error_rate=error_rate) as fake:
            done = await smelt(*generating(tmp_path / "run", *more, url=fake.url, dialect=dialect))
            assert bool(fake.audit.count(500)) is (error_rate > 0)
            return done

    done = asyncio.run(run())

    assert (done.code, done.out, done.err) == (0, "", "")
    assert world.lists_of_labels > 100
    assert data_of(tmp_path / "run") == undisturbed


def test_another_seed_gives_other_bytes(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    async def run() -> Ended:
        async with FakeProvider(world_named("dates", seed=0), latency_scale=0) as fake:
            return await smelt(*generating(tmp_path / "run", "--seed", 1, url=fake.url))

    assert asyncio.run(run()).code == 0
    assert data_of(tmp_path / "run")["train"] != undisturbed["train"]


def test_the_same_command_again_goes_on_where_it_was_and_pays_nothing(tmp_path: Path) -> None:
    async def run() -> tuple[Ended, int, Ended, int]:
        world = Watched("dates")
        async with FakeProvider(world, latency_scale=0) as fake:
            words = generating(tmp_path / "run", "--json", url=fake.url)
            return await smelt(*words), world.asked.total(), await smelt(*words), world.asked.total()

    first, asked, second, asked_in_all = asyncio.run(run())

    assert (first.code, second.code) == (0, 0)
    assert asked_in_all == asked
    assert second.table()["data"] == first.table()["data"]


# -- killed, interrupted, and brought to its end


@contextlib.asynccontextmanager
async def teacher(world: Watched, *, latency_scale: float = 0.1) -> AsyncIterator[FakeProvider]:
    async with FakeProvider(world, latency_scale=latency_scale) as fake:
        yield fake


async def stopped_at(world: Watched, asked: int, number: signal.Signals, words: Sequence[object]) -> Ended:
    """Run a command that gets a signal at the moment at which the teacher is asked for the so-manieth time."""
    process = await start(*words)
    world.when(asked, lambda: process.send_signal(number))
    return await ended(process)


@pytest.mark.parametrize("asked", [1, 7, 40, 100, 180])
def test_a_run_that_was_killed_ends_with_the_same_bytes_and_asks_no_durable_reply_again(
    tmp_path: Path, undisturbed: dict[str, bytes], asked: int
) -> None:
    """`kill -9` at the first question, among the first, and in the thick of it, where labels come in lists."""
    run = tmp_path / "run"
    world = Watched("dates")

    async def kill_and_resume() -> tuple[Ended, int, Ended]:
        async with teacher(world) as fake:
            killed = await stopped_at(world, asked, signal.SIGKILL, generating(run, url=fake.url))
            in_flight = peek(run / "journal.db").in_flight
            return killed, in_flight, await smelt("resume", run, "--quiet")

    killed, in_flight, resumed = asyncio.run(kill_and_resume())

    assert killed.code == -signal.SIGKILL
    assert in_flight >= 1
    assert (resumed.code, resumed.out, resumed.err) == (0, "", "")
    assert data_of(run) == undisturbed
    assert world.asked_again <= in_flight
    assert peek(run / "journal.db").answered_twice == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupted_run_brings_home_what_is_in_flight_and_says_how_to_go_on(
    tmp_path: Path, undisturbed: dict[str, bytes], number: signal.Signals
) -> None:
    run = tmp_path / "run"
    world = Watched("dates")

    async def interrupt_and_resume() -> tuple[Ended, int, Ended]:
        async with teacher(world) as fake:
            stopped = await stopped_at(world, 100, number, generating(run, url=fake.url))
            return stopped, peek(run / "journal.db").in_flight, await smelt("resume", run, "--quiet")

    stopped, in_flight, resumed = asyncio.run(interrupt_and_resume())

    assert (stopped.code, stopped.out) == (130, "")
    assert stopped.err.count("\n") == 1
    assert stopped.err.rstrip().endswith(f"to go on: smelt resume {run}")
    assert in_flight == 0
    assert resumed.code == 0
    assert data_of(run) == undisturbed
    assert world.asked_again == 0


def test_a_second_interrupt_stops_at_once_and_the_run_can_still_be_resumed(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    run = tmp_path / "run"
    world = Watched("dates")

    async def interrupt_twice() -> tuple[Ended, int]:
        async with FakeProvider(world, latency_scale=1) as fake:
            process = await start(*generating(run, url=fake.url))

            def interrupt_in_a_long_wait() -> None:
                world.latency_s = 1000
                process.send_signal(signal.SIGINT)

            world.when(30, interrupt_in_a_long_wait)
            async with asyncio.timeout(30):
                while process.returncode is None:
                    await asyncio.sleep(0.2)  # an impatient hand on Ctrl-C
                    if world.latency_s is not None and process.returncode is None:
                        process.send_signal(signal.SIGINT)
            return await ended(process), fake.port

    async def resume(port: int) -> Ended:
        world.latency_s = 0
        async with FakeProvider(world, port=port):
            return await smelt("resume", run, "--quiet")

    stopped, port = asyncio.run(interrupt_twice())
    resumed = asyncio.run(resume(port))

    assert (stopped.code, stopped.out) == (130, "")
    assert stopped.err.count("\n") == 1
    assert f"smelt resume {run}" in stopped.err
    assert resumed.code == 0
    assert data_of(run) == undisturbed


def test_a_run_that_is_under_way_is_not_entered_by_another(tmp_path: Path) -> None:
    run = tmp_path / "run"
    world = Watched("dates")

    async def enter() -> Ended:
        async with FakeProvider(world, latency_scale=1) as fake:
            words = generating(run, url=fake.url)
            first = await start(*words)
            under_way = asyncio.Event()

            def wait_long() -> None:
                world.latency_s = 1000
                under_way.set()

            world.when(20, wait_long)
            await under_way.wait()
            second = await smelt(*words)
            first.kill()
            await ended(first)
            return second

    second = asyncio.run(enter())

    assert (second.code, second.out) == (2, "")
    assert second.err.count("\n") == 1
    assert "is in use: wait for the run that holds it" in second.err


# -- the money


def test_a_budget_that_is_too_small_keeps_what_exists_and_more_money_goes_on_from_there(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    run = tmp_path / "run"
    world = Watched("dates")
    cap = Budget("0.012").cap

    async def run_short_and_resume() -> tuple[Ended, int, dict[str, bytes], int, Ended]:
        async with teacher(world) as fake:
            short = await smelt(*generating(run, "--json", url=fake.url, budget="0.012"))
            kept, billed = data_of(run), fake.audit.billed
            spent = sum(tag.spent + tag.assumed for tag in peek(run / "journal.db").by_tag.values())
            return short, spent, kept, billed, await smelt("resume", run, "--budget", "5", "--quiet")

    short, spent, kept, billed, resumed = asyncio.run(run_short_and_resume())
    data, money = short.table()["data"], short.table()["money"]

    assert short.code == 3
    assert isinstance(data, dict)
    assert isinstance(money, dict)
    assert f"smelt resume {run} --budget {money['outlook']['budget']}" in short.err.splitlines()[-1]
    assert f"{money['outlook']['usd']} USD more would bring about" in short.err
    assert 0 < data["accepted"] < ROWS
    assert all(kept.values())
    assert 0.5 * cap < spent <= cap
    assert billed <= cap
    assert resumed.code == 0
    assert data_of(run) == undisturbed
    assert world.asked_again == 0


def test_a_budget_for_nothing_says_so_and_how_to_go_on(tmp_path: Path) -> None:
    async def run() -> Ended:
        async with teacher(Watched("dates")) as fake:
            return await smelt(*generating(tmp_path / "run", url=fake.url, budget="0.000001"))

    done = asyncio.run(run())

    assert (done.code, done.out) == (3, "")
    assert done.err.count("\n") == 1
    assert f"to go on with more: smelt resume {tmp_path / 'run'} --budget USD" in done.err


def test_a_provider_that_refuses_the_key_ends_the_run_with_its_own_code(tmp_path: Path) -> None:
    async def run() -> Ended:
        async with FakeProvider(world_named("dates", seed=0), api_key="another") as fake:
            return await smelt(*generating(tmp_path / "run", url=fake.url))

    done = asyncio.run(run())

    assert (done.code, done.out) == (4, "")
    assert done.err.count("\n") == 1
    assert f"when that is mended: smelt resume {tmp_path / 'run'}" in done.err


# -- from a prompt to a served student


@pytest.fixture(scope="module")
def routed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    """A run with a linear student, judged by real rows too."""
    run = tmp_path_factory.mktemp("routed") / "routing"

    async def make() -> Ended:
        async with FakeProvider(world_named("intents", seed=0), latency_scale=0.02) as fake:
            return await smelt(
                "run", INTENTS / "prompt.md", "--model", "openai/intents", "--base-url", fake.url, "--price-in", "0.25",
                "--price-out", "2", "--budget", "5", "--examples", 300, "--test", INTENTS / "test.jsonl", "--out", run,
                "--json",
            )  # fmt: skip

    return run, asyncio.run(make())


def test_a_prompt_becomes_a_student_with_an_honest_report(routed: tuple[Path, Ended]) -> None:
    run, done = routed
    report = done.table()
    judgements = {judgement["on"]: judgement for judgement in report["judgements"]}  # type: ignore[attr-defined]
    real = judgements["test"]
    best_rival = max(judged["scores"][0]["value"] for judged in real["baselines"])

    assert done.code == 0
    assert done.out.count("\n") == 1
    assert {"run.toml", "prompt.md", "journal.db", "spec.json", "data", "student", "report.json", "report.html"} <= {
        path.name for path in run.iterdir()
    }
    assert json.loads((run / "report.json").read_text()) == report
    assert report["choice"]["student"] == "linear"  # type: ignore[index]
    assert real["student"]["scores"][0]["low"] > best_rival
    assert "synthetic" in judgements
    assert report["simulated"] is True
    assert "simulated teacher" in done.err
    assert "simulated teacher" in (run / "report.html").read_text()
    assert "generate: done" in done.err


def test_the_parts_of_a_run_can_be_had_one_by_one(routed: tuple[Path, Ended], tmp_path: Path) -> None:
    """report, evaluate, train, each with one JSON object on its last line and nothing beside it."""
    run, done = routed

    async def look() -> tuple[Ended, Ended, Ended]:
        return (
            await smelt("report", run, "--json"),
            await smelt("evaluate", run, INTENTS / "test.jsonl", "--json"),
            await smelt("train", run / "data/train.parquet", "--student", "linear", "--out", tmp_path / "s", "--json"),
        )

    reported, evaluated, trained = asyncio.run(look())
    of_the_run = next(each for each in done.table()["judgements"] if each["on"] == "test")  # type: ignore[attr-defined]

    assert [each.code for each in (reported, evaluated, trained)] == [0, 0, 0]
    assert [each.out.count("\n") for each in (reported, evaluated, trained)] == [1, 1, 1]
    assert [each.err for each in (reported, evaluated, trained)] == ["", "", ""]
    assert reported.table() == done.table()
    assert evaluated.table()["student"] == of_the_run["student"]
    assert evaluated.table()["baselines"] == of_the_run["baselines"]
    assert trained.table()["student"]


async def address_of(process: Process) -> str:
    """What a server says first: where it is."""
    assert process.stdout is not None
    async with asyncio.timeout(60):
        line = (await process.stdout.readline()).decode()
    return next(word for word in line.split() if word.startswith("http://"))


async def told_to_stop(process: Process, number: signal.Signals = signal.SIGINT) -> Ended:
    process.send_signal(number)
    return await ended(process)


def test_a_served_student_takes_the_place_of_the_llm(routed: tuple[Path, Ended]) -> None:
    """The official client, the prompt as it always sent it: the answer is that to the bare input."""
    run, _ = routed
    prompt = (INTENTS / "prompt.md").read_text()
    said = ["My parcel arrived soaking wet and the vase in it is in pieces.", "How do I change my password?"]

    async def ask_in_three_ways() -> tuple[list[list[str | None]], list[str], str, Ended]:
        import openai

        process = await start("serve", run, "--port", 0)
        async with openai.AsyncOpenAI(base_url=await address_of(process), api_key="none", max_retries=0) as client:

            async def ask(*messages: tuple[str, str]) -> str | None:
                turns = [{"role": role, "content": content} for role, content in messages]
                reply = await client.chat.completions.create(model="gpt", messages=turns)  # type: ignore[arg-type]
                return reply.choices[0].message.content

            answers = [
                [
                    await ask(("user", text)),
                    await ask(("user", f"{prompt}\nInput: {text}\nOutput:")),
                    await ask(("system", prompt), ("user", text)),
                ]
                for text in said
            ]
            models = [model.id async for model in client.models.list()]
            with pytest.raises(openai.BadRequestError) as refused:
                await ask(("system", prompt))
        return answers, models, str(refused.value), await told_to_stop(process)

    answers, models, refused, stopped = asyncio.run(ask_in_three_ways())

    assert answers[0] == ["damaged parcel"] * 3
    assert answers[1] == ["account"] * 3
    assert models == ["routing"]
    assert "no message from the user" in refused
    assert (stopped.code, stopped.err) == (130, "")


def test_the_chat_page_answers_from_the_student_and_is_for_this_machine(routed: tuple[Path, Ended]) -> None:
    run, _ = routed

    async def chat() -> tuple[str, str, Ended, Ended]:
        import httpx

        process = await start("chat", run)
        url = await address_of(process)
        async with httpx.AsyncClient(base_url=url, trust_env=False) as browser:
            page = (await browser.get("config")).text
            question = {"data": ["I forgot my password"]}
            event = (await browser.post("gradio_api/call/ask", json=question)).json()["event_id"]
            told = (await browser.get(f"gradio_api/call/ask/{event}")).text
        taken = await smelt("chat", run, "--port", url.rstrip("/").rpartition(":")[2])
        return page, told, taken, await told_to_stop(process)

    page, told, taken, stopped = asyncio.run(chat())

    assert "simulated teacher" in page
    assert "any idea when the blue suitcase from Vigo will arrive?" in page
    assert 'data: ["account", {"label": "confidence"' in told
    assert (taken.code, taken.out) == (2, "")
    assert taken.err.count("\n") == 1
    assert (stopped.code, stopped.err) == (130, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_the_fake_provider_says_where_it_is_and_ends_quietly(number: signal.Signals) -> None:
    async def serve() -> tuple[str, Ended, Ended]:
        process = await start("fake-provider", "--world", "intents", "--port", 0)
        url = await address_of(process)
        taken = await smelt("fake-provider", "--port", url.removesuffix("/v1").rpartition(":")[2])
        return url, taken, await told_to_stop(process, number)

    url, taken, stopped = asyncio.run(serve())

    assert url.startswith("http://127.0.0.1:")
    assert (taken.code, taken.out, taken.err.count("\n")) == (2, "", 1)
    assert (stopped.code, stopped.err) == (130, "")
    assert "smelt run PROMPT.md --model anthropic/intents" in stopped.out


def test_a_run_that_is_killed_while_it_trains_trains_when_it_is_resumed(tmp_path: Path) -> None:
    """The student `tiny`, for a few seconds: too few to learn dates, enough to be kept, judged and reported."""
    run = tmp_path / "run"
    world = Watched("dates")

    async def kill_in_training() -> tuple[int, Ended, int]:
        async with teacher(world, latency_scale=0) as fake:
            process = await start(
                "run", DATES / "prompt.md", "--model", "openai/dates", "--base-url", fake.url, "--price-in", "0.25",
                "--price-out", "2", "--budget", "5", "--examples", 120, "--student", "tiny", "--train-seconds", "8",
                "--threads", 1, "--out", run,
            )  # fmt: skip
            assert process.stdout is not None
            async for line in process.stdout:
                if line.startswith(b"train: started"):
                    process.kill()
            asked = world.asked.total()
            await ended(process)
            return asked, await smelt("resume", run, "--json"), world.asked.total()

    asked, resumed, asked_in_all = asyncio.run(kill_in_training())
    report = resumed.table()

    assert resumed.code == 0
    assert resumed.out.count("\n") == 1
    assert asked_in_all == asked
    assert report["training"]["family"] == "tiny"  # type: ignore[index]
    assert {path.name for path in (run / "student").iterdir()} >= {"student.json", "model.safetensors", "config.json"}
