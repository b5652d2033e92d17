"""Programs of others in processes of their own, on this machine: started, waited for, ended."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

__all__ = ["HOME", "asked", "free_port", "is_installed", "serving"]

HOME: Final = Path(
    os.environ.get("SMELT_PEERS") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "smelt-peers"
)
"""Where `make peers` installs them, each in an environment of its own."""

_PATIENCE_S: Final = 120.0
_LOOK_AGAIN_S: Final = 0.2


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def serving(
    command: Sequence[object], *, ready: str, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    """The command runs, and its `ready` address answers; what it says is in the log. Keys of ours stay here."""
    ours = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    with log.open("wb") as told:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=subprocess.STDOUT,
            env={**ours, **(environment or {})},
            cwd=log.parent,
        )
        try:
            _wait_until_ready(process, ready, log)
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    give_up = time.monotonic() + _PATIENCE_S
    while time.monotonic() < give_up and process.poll() is None:
        try:
            asked(url)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(_LOOK_AGAIN_S)  # of others' programs nobody tells us when they are ready
        else:
            return
    raise RuntimeError(f"{url} does not answer; it said: {log.read_text(errors='replace')[-2000:]}")


def asked(url: str, *, key: str | None = None, body: object = None, method: str | None = None) -> Any:
    """What a control address answers, as JSON where it is JSON."""
    headers = {"content-type": "application/json", **({"authorization": f"Bearer {key}"} if key else {})}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310 - of this machine
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as reply:
        text = reply.read().decode()
    return json.loads(text) if text.startswith(("{", "[")) else text


def is_installed(package: str, *, environment: Path) -> bool:
    """Whether a package stands in somebody else's virtual environment."""
    return any(environment.glob(f"lib/python3*/site-packages/{package}-*.dist-info"))
