"""The chat page in a browser: asked and put right by keys, the teacher beside it; nothing foreign is markup."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agents.config import Configuration
from agents.parsing.parse import parse
from agents.run_folder import RunFolder
from agents.students.task import Task, as_table
from engine.training import Row, train
from tests.agents.chromium import CHROMIUM, Page, browser

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")]

ROOT = Path(__file__).parents[2]
PROMPT = ROOT / "agents" / "demo" / "intents" / "prompt.md"
ATTACK = "<img src=x onerror=alert(1)>"
LABEL = "refund <b onmouseover=alert(2)>now</b>"

# Set to a folder to look at what a person sees.
PICTURES = os.environ.get("SMELT_PICTURES")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a student of few words: what it answers with is hostile."""
    pytest.importorskip("pyarrow")
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "parcels")
    prompt = PROMPT.read_text()
    folder.begin(prompt=prompt, configuration=Configuration(model="simulated/intents", budget="1"))
    task = Task(
        name=f"parcels {ATTACK}", prompt=prompt, spec=parse(prompt), teacher="simulated/intents", simulated=True
    )
    rows = [Row("where is my parcel", "track parcel"), Row("it is broken", "damaged parcel"), Row("money back", LABEL)]
    train("linear", rows, rows, folder.student, task=as_table(task))
    return folder.path


@pytest.fixture(scope="module")
def address(run: Path) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "agents", "chat", str(run), "--budget", "1"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        said = next((line for line in process.stdout if "the chat page is at" in line), None)
        assert said is not None, process.communicate()[1]
        yield next(word for word in said.split() if word.startswith("http"))
    finally:
        process.send_signal(signal.SIGINT)
        _, complained = process.communicate(timeout=20)
    assert process.returncode == 130, complained
    assert "Traceback" not in complained


@asynccontextmanager
async def opened(address: str, *, dark: bool = False) -> AsyncIterator[Page]:
    async with browser() as page:
        await page.open(address, dark=dark)
        await page.until("document.querySelector('textarea') && document.getElementById('ask')")
        yield page


async def ask(page: Page, text: str) -> str:
    """Ask by keys, and come back with the answer, which is another than the one before."""
    before = await page.value("document.querySelectorAll('textarea')[1].value")
    await page.until("document.querySelector('textarea').focus() || document.activeElement.tagName == 'TEXTAREA'")
    await page.value("document.activeElement.select()")
    await page.type(text)
    await page.press("Enter", control=True)
    answer: str = await page.until(
        "!document.getElementById('right').disabled && document.querySelectorAll('textarea')[1].value != "
        f"{json.dumps(before)} && document.querySelectorAll('textarea')[1].value"
    )
    return answer


async def picture(page: Page, name: str) -> None:
    if PICTURES:
        (Path(PICTURES) / f"{name}.png").write_bytes(await page.picture())  # for a person to look at


TOLD = "document.querySelector('#told[role=status]').innerText.trim()"


def corrections(run: Path) -> list[dict[str, object]]:
    path = run / "corrections.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_an_answer_is_asked_for_and_put_right_by_keys_alone(address: str, run: Path) -> None:
    async def scene() -> list[str]:
        async with opened(address) as page:
            await picture(page, "light-empty")
            answer = await ask(page, "where is my parcel")
            await picture(page, "light-answer")
            await page.press("y", alt=True)
            await page.until(f"{TOLD}.startsWith('Saved')")
            wrong = await ask(page, "money back")
            await page.press("n", alt=True)
            await page.until("document.getElementById('save').offsetParent")
            await picture(page, "light-wrong")
            await page.press("s", alt=True)
            nothing_said = await page.until(f"{TOLD}.startsWith('Say') && {TOLD}")
            await page.press("t", alt=True)
            await page.until(f"{TOLD}.startsWith('The teacher')")
            await picture(page, "light-teacher")
            teacher = await page.value("document.querySelectorAll('textarea')[3].value")
            await page.press("s", alt=True)
            await page.until(f"{TOLD}.startsWith('Saved')")
            return [answer, wrong, nothing_said, teacher, *page.problems]

    answer, wrong, nothing_said, teacher, *problems = asyncio.run(scene())

    right, put_right = corrections(run)
    assert (answer, wrong) == ("track parcel", LABEL)
    assert nothing_said == "Say what the right answer is."
    assert (right["verdict"], right["output"]) == ("right", "track parcel")
    assert (put_right["verdict"], put_right["said"], put_right["output"]) == ("wrong", LABEL, teacher)
    assert not problems


def test_nothing_foreign_is_markup_and_nothing_comes_from_elsewhere(address: str) -> None:
    async def scene() -> tuple[list[str], list[str], int, str]:
        async with opened(address) as page:
            await ask(page, f"money back {ATTACK}")
            await page.press("t", alt=True)
            await page.until(f"{TOLD}.startsWith('The teacher')")
            made = await page.value("document.querySelectorAll('img[src=x], b[onmouseover]').length")
            heading = await page.value("document.querySelector('h1').textContent")
            return page.problems, page.asked_for, made, heading

    problems, asked_for, made, heading = asyncio.run(scene())

    assert not problems
    assert made == 0
    assert heading == f"parcels {ATTACK}"
    assert {url.split("/")[2] for url in asked_for if url.startswith("http")} == {address.split("/")[2]}


def test_it_is_dark_where_the_reader_wants_it_dark(address: str) -> None:
    async def scene() -> tuple[bool, str]:
        async with opened(address, dark=True) as page:
            await ask(page, "it is broken")
            await picture(page, "dark-answer")
            dark = await page.value("document.body.classList.contains('dark')")
            return dark, await page.value("getComputedStyle(document.body).backgroundColor")

    dark, background = asyncio.run(scene())

    assert dark
    assert sum(map(int, background.removeprefix("rgb(").removesuffix(")").split(", ")[:3])) < 3 * 64


def test_an_example_is_asked_by_a_click(address: str) -> None:
    async def scene() -> str:
        async with opened(address) as page:
            await page.until("[...document.querySelectorAll('button')].find(b => b.textContent.includes('vase'))")
            await page.value(
                "[...document.querySelectorAll('button')].find(b => b.textContent.includes('vase')).click()"
            )
            answer: str = await page.until("document.querySelectorAll('textarea')[1].value")
            return answer

    assert asyncio.run(scene())


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
@pytest.mark.parametrize(
    ("header", "status"),
    [
        pytest.param("X-Nothing: 1", "200", id="as it should be"),
        pytest.param("Host: elsewhere.example", "400", id="under a name of somebody else's"),
    ],
)
def test_it_answers_to_its_own_names_only(address: str, header: str, status: str) -> None:
    words = ["curl", "-s", "-o", os.devnull, "-w", "%{http_code}", "-H", header, address]
    done = subprocess.run(words, capture_output=True, text=True, check=True)

    assert done.stdout == status
