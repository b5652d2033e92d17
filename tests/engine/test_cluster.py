"""An address that is no cluster's is told of at once: Ray itself would try for a minute and a half."""

from __future__ import annotations

import socket
import threading

import pytest

from engine.cluster import _check_listens
from engine.errors import UserError


def said_to(answer: bytes) -> str:
    """What is said of a listener that answers so."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            line, _ = server.accept()
            with line:
                line.recv(64)
                line.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        host, port = server.getsockname()
        try:
            _check_listens(f"{host}:{port}")
        except UserError as error:
            return str(error).partition(f"{port}: ")[2]
    return ""


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        pytest.param(b"\0\0\x06\x04\0\0\0\0\0" + bytes(6), "", id="a frame of settings"),
        pytest.param(b"HTTP/1.0 400 Bad request\r\n\r\n", "what listens there is no Ray cluster", id="another service"),
        pytest.param(b"", "what listens there is no Ray cluster", id="silence"),
    ],
)
def test_who_listens_and_is_no_cluster_is_told_of_at_once(answer: bytes, told: str) -> None:
    assert said_to(answer).partition(";")[0] == told
