"""The listening socket: open, shut for a while so that nobody can connect, and open again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from engine.clock import Clock
from engine.errors import UserError

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["HOST", "Door"]

HOST: Final = "127.0.0.1"
_BACKLOG: Final = 4096  # a thousand clients may connect at once


class Door:
    """Lets clients in at one port of this machine; `port=0` takes a free one when it is opened."""

    def __init__(self, port: int, clock: Clock) -> None:
        self.port = port
        self._clock = clock
        self._runner: web.ServerRunner | None = None
        self._site: web.TCPSite | None = None
        self._reopening: asyncio.Task[None] | None = None

    async def open(self, server: web.Server) -> None:
        """Raises UserError when the port is taken."""
        from aiohttp import web

        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._runner.setup()
        try:
            await self._listen(self._runner)
        except OSError as error:
            await self.aclose()
            raise UserError(f"port {self.port} cannot be served on ({error.strerror}); choose another") from error
        self.port = self._runner.addresses[0][1]

    async def _listen(self, runner: web.ServerRunner) -> None:
        from aiohttp import web

        self._site = web.TCPSite(runner, HOST, self.port, backlog=_BACKLOG)
        await self._site.start()

    def shut(self, seconds: float) -> None:
        """Nobody can connect for so long, and idle connections are closed. While it is shut, it does nothing."""
        if self._runner is not None and (self._reopening is None or self._reopening.done()):
            self._reopening = asyncio.create_task(self._stay_shut(self._runner, seconds))

    async def _stay_shut(self, runner: web.ServerRunner, seconds: float) -> None:
        if self._site is not None:
            await self._site.stop()
        if runner.server is not None:
            for connection in runner.server.connections:
                connection.close()
        await self._clock.sleep(seconds)
        await self._listen(runner)

    async def aclose(self) -> None:
        """Shut for good; what is in flight is cut off."""
        runner, self._runner = self._runner, None
        reopening, self._reopening = self._reopening, None
        if reopening is not None:
            reopening.cancel()
            await asyncio.wait([reopening])
        if runner is not None:
            await runner.cleanup()
