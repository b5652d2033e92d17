"""The commands that serve until they are told to stop. Slow; `make test` runs it."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.end_to_end.commands import INTENTS, Ended, ended, signal_to, smelt, start
from tests.warm import Started

if TYPE_CHECKING:
    import httpx

pytestmark = pytest.mark.slow


async def address_of(process: Started) -> str:
    """What a server says first: where it is."""
    assert process.stdout is not None
    async with asyncio.timeout(60):
        line = (await process.stdout.readline()).decode()
    return next(word for word in line.split() if word.startswith("http://"))


async def told_to_stop(process: Started, number: signal.Signals = signal.SIGINT) -> Ended:
    signal_to(process, number)
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


async def asked_on_the_page(browser: httpx.AsyncClient, page: Any, question: str) -> str:
    """What comes back to the page when somebody sends off its text box: the page's own way, which is no API."""
    submitted = next(each["id"] for each in page["dependencies"] if each["targets"][0][1] == "submit")
    body = {"data": [question], "fn_index": submitted, "session_hash": "somebody"}
    (await browser.post("gradio_api/queue/join", json=body)).raise_for_status()
    async with browser.stream("GET", "gradio_api/queue/data", params={"session_hash": "somebody"}) as told:
        async for line in told.aiter_lines():
            if "process_completed" in line:
                return line
    raise AssertionError("the page was not answered")


def test_the_chat_page_answers_from_the_student_and_is_for_this_machine(routed: tuple[Path, Ended]) -> None:
    run, _ = routed

    async def chat() -> tuple[str, str, Ended, Ended]:
        import httpx

        process = await start("chat", run)
        url = await address_of(process)
        async with httpx.AsyncClient(base_url=url, trust_env=False) as browser:
            page = (await browser.get("config")).text
            told = await asked_on_the_page(browser, json.loads(page), "I forgot my password")
        taken = await smelt("chat", run, "--port", url.rstrip("/").rpartition(":")[2])
        return page, told, taken, await told_to_stop(process)

    page, told, taken, stopped = asyncio.run(chat())

    assert "simulated teacher" in page
    assert "any idea when the blue suitcase from Vigo will arrive?" in page
    assert '"account"' in told
    assert "% sure" in told
    assert (taken.code, taken.out) == (2, "")
    without_teacher, *why = taken.err.splitlines()  # the first line is said wherever money would be needed
    assert without_teacher.startswith("without a teacher")
    assert len(why) == 1
    assert (stopped.code, stopped.err) == (130, without_teacher + "\n")


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
    assert (stopped.code, stopped.err) == (130 if number == signal.SIGINT else 0, "")
    assert "smelt run PROMPT.md --model anthropic/intents" in stopped.out


def test_a_behaviour_that_was_saved_is_started_with_again(tmp_path: Path) -> None:
    import httpx

    async def told_by(*options: object) -> str:
        process = await start("fake-provider", "--world", "echo", "--port", 0, *options)
        url = await address_of(process)
        async with httpx.AsyncClient(trust_env=False) as browser:
            told = (await browser.get(url.replace("/v1", "/control/behaviour"))).text
        await told_to_stop(process)
        return told

    saved = asyncio.run(told_by("--rule", "429-requests share=0.5 retry_after=0", "--rpm", 600, "--seed", 7))
    (tmp_path / "behaviour.json").write_text(saved)

    assert '"retry_after":"0"' in saved
    assert asyncio.run(told_by("--behaviour", tmp_path / "behaviour.json")) == saved
