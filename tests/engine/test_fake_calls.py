"""The fake provider's calls beside answers (files, batches, models, counts): they meet rules, and are in the audit."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import orjson
import pytest

from engine.fakes import virtual_time
from engine.fakes.batches import BatchBehaviour
from engine.fakes.behaviour import Behaviour
from engine.fakes.case import Unread
from engine.fakes.mishaps import FAMILIES, MISHAPS
from engine.fakes.rules import Rule, When
from engine.fakes.server import FakeProvider
from engine.fakes.worlds import EchoWorld
from tests.engine.fake_requests import CHAT, MESSAGE, VERSION

KEY = {"authorization": "Bearer sk-a-long-key-of-somebody-s"}
LINE = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": CHAT}
BATCH = {"requests": [{"custom_id": "a", "params": MESSAGE}]}
# One of each kind: method, path, body, headers.
CALLS: dict[str, tuple[str, str, object, dict[str, str]]] = {
    "upload": ("POST", "/files", None, KEY),
    "list files": ("GET", "/files", None, KEY),
    "create": ("POST", "/batches", {"endpoint": "/v1/chat/completions", "completion_window": "24h",
                                    "input_file_id": f"file-{0:022d}"}, KEY),
    "look": ("GET", f"/batches/batch_{0:032x}", None, KEY),
    "content": ("GET", f"/files/file-{0:022d}/content", None, KEY),
    "Anthropic's create": ("POST", "/messages/batches", BATCH, VERSION),
    "Anthropic's look": ("GET", f"/messages/batches/msgbatch_{1:024d}", None, VERSION),
    "Anthropic's results": ("GET", f"/messages/batches/msgbatch_{1:024d}/results", None, VERSION),
    "count": ("POST", "/responses/input_tokens", {"model": "m", "input": "hello"}, KEY),
    "Anthropic's count": ("POST", "/messages/count_tokens", {"model": "m", "messages": CHAT["messages"]}, VERSION),
    "models": ("GET", "/models", None, KEY),
    "a model": ("GET", "/models/echo", None, KEY),
    "Anthropic's models": ("GET", "/models", None, VERSION),
}  # fmt: skip


class Client:
    """Makes the calls above."""

    def __init__(self, fake: FakeProvider, session: aiohttp.ClientSession) -> None:
        self.fake = fake
        self._session = session

    async def call(self, name: str, **headers: str) -> tuple[int, bytes]:
        """Status and body; 0 where the connection broke."""
        method, path, body, own = CALLS[name]
        try:
            async with self._session.request(
                method, f"{self.fake.url}{path}", data=upload() if name == "upload" else None, json=body,
                headers={**own, **headers}, allow_redirects=False,
            ) as response:  # fmt: skip
                return response.status, await response.read()
        except aiohttp.ClientError:
            return 0, b""

    async def all_of_them(self) -> dict[str, int]:
        return {name: (await self.call(name))[0] for name in CALLS}


def upload() -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("purpose", "batch")
    form.add_field("file", orjson.dumps(LINE), filename="in.jsonl")
    return form


def with_client(work: Any, **behaviour: Any) -> FakeProvider:
    async def main() -> FakeProvider:
        async with FakeProvider(EchoWorld(), Behaviour(**behaviour)) as fake, aiohttp.ClientSession() as session:
            await work(Client(fake, session))
            return fake

    return virtual_time.run(main())


def test_every_call_is_answered_and_is_in_the_audit() -> None:
    async def work(client: Client) -> None:
        assert await client.all_of_them() == dict.fromkeys(CALLS, 200)

    audit = with_client(work).audit
    calls = [entry for entry in audit.entries if entry.batch is None]
    assert [(entry.method, entry.path) for entry in calls] == [
        (method, f"/v1{path}") for method, path, _, _ in CALLS.values()
    ]
    assert {entry.dialect for entry in calls} == {"openai", "anthropic"}
    assert audit.in_flight == 0
    assert sum(entry.cost > 0 for entry in audit.entries) == 2  # a line of each batch


@pytest.mark.parametrize("do", ["500-server", "429-requests", "529-overloaded", "html", "reset", "reset_unread"])
def test_a_rule_meets_every_call(do: str) -> None:
    async def work(client: Client) -> None:
        status = {"html": 200}.get(do, int(do[:3]) if do[0].isdigit() else 0)
        assert await client.all_of_them() == dict.fromkeys(CALLS, status)

    fake = with_client(work, rules=(Rule(do),))
    assert {entry.fault for entry in fake.audit.entries if entry.batch is None} == {do}


def test_a_refusal_speaks_the_dialect_of_the_call() -> None:
    async def work(client: Client) -> None:
        _, told = await client.call("create")
        assert orjson.loads(told)["error"]["type"] == "server_error"
        _, told = await client.call("Anthropic's create")
        assert orjson.loads(told)["error"]["type"] == "api_error"

    with_client(work, rules=(Rule("500-server"),))


def test_a_rule_picks_a_call_by_what_it_is_for() -> None:
    rule = Rule("500-server", When(method="GET", path="/v1/models*", dialect="anthropic"))

    async def work(client: Client) -> None:
        statuses = await client.all_of_them()
        assert [name for name, status in statuses.items() if status == 500] == ["Anthropic's models"]

    with_client(work, rules=(rule,))


@pytest.mark.parametrize(
    ("when", "met"),
    [(When(model="m"), {"count", "Anthropic's count"}), (When(contains='"hello"'), {"upload", "Anthropic's create",
      "count", "Anthropic's count"})],
    ids=["model", "text"],
)  # fmt: skip
def test_a_call_is_known_by_what_was_sent(when: When, met: set[str]) -> None:
    async def work(client: Client) -> None:
        statuses = await client.all_of_them()
        assert {name for name, status in statuses.items() if status == 500} == met

    with_client(work, rules=(Rule("500-server", when),))


@pytest.mark.parametrize(("do", "batches"), [("reset", 1), ("reset_unread", 0)])
def test_work_that_was_done_before_the_connection_broke_is_done(do: str, batches: int) -> None:
    async def work(client: Client) -> None:
        assert [(await client.call(name))[0] for name in ("upload", "create")] == [200, 0]

    fake = with_client(work, rules=(Rule(do, When(method="POST", path="/v1/batches")),))
    assert len(fake.jobs.jobs) == batches


def test_a_call_may_be_late_and_the_others_are_not() -> None:
    async def work(client: Client) -> None:
        loop = asyncio.get_running_loop()
        before = loop.time()
        assert (await client.call("models"))[0] == 200
        assert loop.time() - before == pytest.approx(30.0)
        assert (await client.call("count"))[0] == 200
        assert loop.time() - before == pytest.approx(30.0)

    with_client(work, rules=(Rule("stall", When(path="/v1/models")),))


MEETING = [
    name
    for name, mishap in MISHAPS.items()
    if not isinstance(mishap, Unread) and not mishap.needs_answer and name not in {"hang", "huge_body", "gzip_bomb"}
]


def test_whatever_can_happen_happens_to_a_call_that_asks_for_it() -> None:
    async def work(client: Client) -> None:
        for name in MEETING:
            await client.call("count", **{"x-mishap": name})
        assert (await client.call("models"))[0] == 200

    met = [entry.fault for entry in with_client(work).audit.entries if entry.fault in MEETING]
    # The call after that one was lost on the same connection.
    worn_out = met.index("breaks_when_reused")
    assert met[worn_out + 1] == "breaks_when_reused"
    spared = {"answer", MEETING[MEETING.index("breaks_when_reused") + 1]}
    assert [*met[:worn_out], *met[worn_out + 1 :]] == [name for name in MEETING if name not in spared]


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        ("hangs", "did you mean 'hang'?"),
        ("hang nth=5", "has no conditions"),
        ("drip seconds=x", "seconds must be a number"),
        ("usage_zero", "is about answers, and this call asks for none"),
    ],
)
def test_what_a_request_asks_to_meet_and_cannot_be_meant_is_a_400(told: str, complaint: str) -> None:
    async def work(client: Client) -> None:
        status, body = await client.call("models", **{"x-mishap": told})
        assert status == 400
        assert complaint in orjson.loads(body)["error"]["message"]

    with_client(work)


def test_a_request_for_an_answer_may_ask_for_a_mishap_too_and_it_comes_before_any_rule() -> None:
    async def work(client: Client) -> None:
        chat = ("POST", f"{client.fake.url}/chat/completions")
        async with aiohttp.ClientSession() as session:
            statuses = []
            for told in ("429-requests retry_after=7", "usage_zero", "answer"):
                async with session.request(*chat, json=CHAT, headers={"x-mishap": told}) as response:
                    statuses.append((response.status, response.headers.get("retry-after")))
            with pytest.raises(aiohttp.ClientError):
                await session.request(*chat, json=CHAT, headers={"x-mishap": "reset_unread"})
        assert statuses == [(429, "7"), (200, None), (200, None)]

    fake = with_client(work, rules=(Rule("500-server"),))
    assert [entry.fault for entry in fake.audit.entries] == ["429-requests", "usage_zero", None, "reset_unread"]


def test_a_wrong_key_is_told_at_every_call_by_its_ends_alone() -> None:
    async def work(client: Client) -> None:
        assert await client.all_of_them() == dict.fromkeys(CALLS, 401)
        _, told = await client.call("models")
        assert "sk-*" in orjson.loads(told)["error"]["message"]
        assert KEY["authorization"].partition(" ")[2] not in told.decode()

    with_client(work, api_key="sk-the-key-that-is-right")


def test_a_queue_of_batches_may_be_full_of_tokens() -> None:
    async def work(client: Client) -> None:
        assert (await client.call("upload"))[0] == 200
        created = [orjson.loads((await client.call("create"))[1]) for _ in range(2)]
        assert [batch["status"] for batch in created] == ["validating", "failed"]
        assert created[1]["errors"]["data"][0]["code"] == "token_limit_exceeded"

    with_client(work, batches=BatchBehaviour(seconds=1e6, queued_tokens=3))


def test_results_that_were_deleted_stay_so() -> None:
    async def work(client: Client) -> None:
        for name in ("upload", "create"):
            await client.call(name)
        results = orjson.loads((await client.call("look"))[1])["output_file_id"]
        async with aiohttp.ClientSession() as session:
            async with session.delete(f"{client.fake.url}/files/{results}") as response:
                assert response.status == 200
            assert orjson.loads((await client.call("look"))[1])["output_file_id"] == results
            async with session.get(f"{client.fake.url}/files/{results}/content") as response:
                assert response.status == 404

    with_client(work)


def test_a_new_file_never_has_the_name_of_one_that_is_there() -> None:
    async def work(client: Client) -> None:
        first, second = [orjson.loads((await client.call("upload"))[1])["id"] for _ in range(2)]
        async with aiohttp.ClientSession() as session, session.delete(f"{client.fake.url}/files/{first}") as response:
            assert response.status == 200
        assert orjson.loads((await client.call("upload"))[1])["id"] not in {first, second}

    with_client(work)


@pytest.mark.parametrize("path", ["/files?limit=0", "/batches?limit=101", "/messages/batches?limit=many"])
def test_a_page_has_a_size(path: str) -> None:
    async def work(client: Client) -> None:
        async with aiohttp.ClientSession() as session, session.get(f"{client.fake.url}{path}") as response:
            assert response.status == 400

    with_client(work)


def test_a_batch_tells_what_it_has_used() -> None:
    async def work(client: Client) -> None:
        for name in ("upload", "create"):
            await client.call(name)
        usage = orjson.loads((await client.call("look"))[1])["usage"]
        assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (2, 2, 4)

    with_client(work)


def test_there_are_calls_of_which_mishaps_of_answers_know_nothing() -> None:
    assert {name for name, mishap in MISHAPS.items() if mishap.needs_answer} >= {
        *FAMILIES["usage"],
        *FAMILIES["choices"],
    }
