"""A headless Chromium that a test drives over its own protocol: pages, keys, pictures. No waiting by the clock."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

__all__ = ["CHROMIUM", "Page", "browser"]

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update",
    "--disable-background-networking", "--disable-sync", "--remote-debugging-port=0", "--window-size=1200,1000",
)  # fmt: skip

# Whether a condition holds is asked whenever the page has drawn itself.
UNTIL = """new Promise((resolve, reject) => {
  const began = performance.now();
  const look = () => {
    let found; try { found = %s; } catch (error) { found = null; }
    if (found) resolve(found);
    else if (performance.now() - began > 15000) reject(new Error("never: " + %s));
    else requestAnimationFrame(look);
  };
  look();
})"""


class Page:
    """One page of the browser; `problems` are what its console complains of."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, session: str) -> None:
        self._socket = socket
        self._session = session
        self._number = 0
        self.problems: list[str] = []
        self.asked_for: list[str] = []

    async def call(self, method: str, **told: Any) -> dict[str, Any]:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": told, "sessionId": self._session})
        while True:
            message = json.loads((await self._socket.receive()).data)
            if message.get("id") == self._number:
                assert "error" not in message, message["error"]
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        told = message.get("params", {})
        if message.get("method") == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.problems.append(told["entry"]["text"])
        elif message.get("method") == "Runtime.exceptionThrown":
            self.problems.append(str(told["exceptionDetails"]))
        elif message.get("method") == "Page.javascriptDialogOpening":
            self.problems.append(f"a dialog: {told['message']}")
        elif message.get("method") == "Network.requestWillBeSent":
            self.asked_for.append(told["request"]["url"])

    async def open(self, address: str, *, dark: bool = False) -> None:
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])
        await self.call("Page.navigate", url=address)

    async def value(self, expression: str) -> Any:
        """What an expression is on the page; of a promise, what it comes to."""
        told = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]["exception"]["description"]
        return told["result"].get("value")

    async def until(self, condition: str) -> Any:
        """Come back when this holds, with what it is."""
        return await self.value(UNTIL % (condition, json.dumps(condition)))

    async def type(self, text: str) -> None:
        """Into whatever has the focus."""
        await self.call("Input.insertText", text=text)

    async def press(self, key: str, *, alt: bool = False, control: bool = False, shift: bool = False) -> None:
        codes = {"Enter": 13, "Tab": 9}
        told = {
            "key": key,
            "code": key if key in codes else f"Key{key.upper()}",
            "modifiers": alt + 2 * control + 8 * shift,
            "windowsVirtualKeyCode": codes.get(key, ord(key[0].upper())),
        }
        await self.call("Input.dispatchKeyEvent", type="rawKeyDown", **told)
        if key == "Enter" and not (alt or control):
            await self.call("Input.dispatchKeyEvent", type="char", text="\r", **told)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **told)

    async def picture(self) -> bytes:
        """The whole page as a PNG."""
        told = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(told["data"])


@asynccontextmanager
async def browser() -> AsyncIterator[Page]:
    """A browser with an empty page, gone after the block."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(prefix="smelt-chromium-", ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            CHROMIUM, *QUIET, f"--user-data-dir={profile}", "about:blank",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, env={**os.environ, "HOME": profile},
        )  # fmt: skip
        try:
            async with (
                aiohttp.ClientSession() as client,
                client.ws_connect(await _address(process), max_msg_size=1 << 28) as socket,
            ):
                yield await _page(socket)
        finally:
            process.terminate()
            await process.communicate()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async for line in process.stderr:
        if b"DevTools listening on" in line:
            return line.split()[-1].decode()
    raise AssertionError("the browser has ended")


async def _page(socket: aiohttp.ClientWebSocketResponse) -> Page:
    top = Page(socket, "")
    await socket.send_json({"id": -1, "method": "Target.createTarget", "params": {"url": "about:blank"}})
    target = json.loads((await socket.receive()).data)["result"]["targetId"]
    told = {"targetId": target, "flatten": True}
    await socket.send_json({"id": -2, "method": "Target.attachToTarget", "params": told})
    while True:
        message = json.loads((await socket.receive()).data)
        if message.get("id") == -2:
            return Page(socket, message["result"]["sessionId"])
        top._note(message)
