"""Rows on the hub: what goes there and how it is refused; the hub here is a server of ours."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from agents.reporting.hub import push
from engine.errors import ProviderRefused, UserError


class Hub(BaseHTTPRequestHandler):
    """Creates what it is told to create and says that nothing need be uploaded; keeps what it was sent."""

    sent: list[tuple[str, str, bytes]]
    status: int

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.sent.append((self.path, self.headers.get("authorization", ""), body))
        host = self.headers["host"]
        answer: object = {"url": f"http://{host}/datasets/me/rows", "error": "no such right"}
        if "/preupload/" in self.path:
            files = json.loads(body)["files"]
            answer = {
                "files": [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False} for file in files]
            }
        elif "/commit/" in self.path:
            answer = {"commitOid": "0" * 40, "commitUrl": f"http://{host}/datasets/me/rows/commit/0", "success": True}
        self._answer(answer)

    def do_GET(self) -> None:
        self._answer({"siblings": [], "sha": "0" * 40, "id": "me/rows"})

    def _answer(self, answer: object) -> None:
        payload = json.dumps(answer).encode()
        self.send_response(self.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is the base class's
        pass


@contextmanager
def hub(*, status: int = 200) -> Iterator[tuple[str, list[tuple[str, str, bytes]]]]:
    sent: list[tuple[str, str, bytes]] = []
    handler = type("Told", (Hub,), {"sent": sent, "status": status})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", sent
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("train.parquet", "README.md", "private.txt"):
        (tmp_path / name).write_bytes(b"PAR1 " + name.encode())
    return tmp_path


@pytest.mark.parametrize("public", [False, True])
@pytest.mark.long
def test_the_rows_and_their_card_go_there_and_nothing_else(data: Path, public: bool) -> None:
    with hub() as (url, sent):
        place = push(data, "me/rows", public=public, token="hf_secret", endpoint=url)
    created = json.loads(sent[0][2])
    (commit,) = [body for path, _, body in sent if "/commit/" in path]
    paths = {json.loads(line)["value"].get("path") for line in commit.splitlines()[1:]}

    assert place == f"{url}/datasets/me/rows"
    assert (created["type"], created["visibility"]) == ("dataset", "public" if public else "private")
    assert paths == {"train.parquet", "README.md"}
    assert {token for _, token, _ in sent} == {"Bearer hf_secret"}


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_hub_that_refuses_is_told_in_one_line_without_the_token(data: Path, status: int) -> None:
    with hub(status=status) as (url, _), pytest.raises(ProviderRefused) as caught:
        push(data, "me/rows", public=False, token="hf_secret", endpoint=url)

    assert f"({status})" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "hf_secret" not in str(caught.value)


def test_a_hub_that_cannot_be_reached_is_told_in_one_line(data: Path) -> None:
    with pytest.raises(ProviderRefused, match=r"the hub at http://127.0.0.1:9 cannot be reached .*; try again later"):
        push(data, "me/rows", public=False, token="hf_secret", endpoint="http://127.0.0.1:9")


@pytest.mark.parametrize("name", ["a b", "../x", "a/b/c", "x\x1b", ""])
def test_a_name_that_is_none_is_the_users_to_mend(data: Path, name: str) -> None:
    with pytest.raises(UserError, match="write OWNER/NAME"):
        push(data, name, public=False, token="hf_secret", endpoint="http://127.0.0.1:9")
