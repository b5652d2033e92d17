"""A model in this process: transformers, a causal or a seq2seq one, on a GPU when there is one. It costs nothing.

Requests are answered together, and each alike whatever it is answered beside. Nothing is downloaded unless the name
says so, and no code from a model's folder is run.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib.util
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final, TypeVar

from engine.clock import Clock, SystemClock
from engine.errors import ContextOverflow, MissingExtra, RequestRejected, UserError
from engine.messages import RawReply, Request
from engine.prices import FREE, Price
from engine.providers import AttemptTimedOut, Capabilities, Reading
from engine.providers.foreign import encode
from engine.providers.local.checkpoint import Checkpoint, find
from engine.providers.openai import read_completion
from engine.providers.shapes import chat_completion
from engine.scope import Deadlines, Scope

if TYPE_CHECKING:
    from engine.providers.local.worker import Job, Worker

__all__ = ["Local", "begun"]

T = TypeVar("T")

_NEEDED: Final = ("torch", "transformers", "safetensors", "psutil")


class Local:
    """A model in this process.

    Local("/models/qwen3-0.6b")                   # a folder
    Local("Qwen/Qwen3-0.6B")                      # an id in the hub's cache on this machine; never downloads
    Local("hub:Qwen/Qwen3-0.6B")                  # the same, fetched when it is not there
    Local(path, rows=16, dtype="bfloat16")        # smaller batches, half the memory

    The same request gives the same text, whatever it is answered beside: its chance comes from the request, `seed` and
    the number of the completion, and where the next token hangs on rounding it is worked out for that text alone. That
    holds on one machine with one number of threads, and not for mixtures of experts.
    """

    simulated: bool = False
    price: Price = FREE
    attempt_timeout_s: float = 3600.0  # from its first token on: a processor of one's own takes its time

    def __init__(
        self, name: str, *, clock: Clock | None = None, seed: int = 0, rows: int = 64, dtype: str | None = None
    ) -> None:
        if not all(map(_is_there, _NEEDED)):
            raise MissingExtra("local", needed_for="a model in this process")
        self._checkpoint: Checkpoint = find(name)
        self._clock = clock or SystemClock()
        self._seed = seed
        self._rows = rows
        self._dtype = dtype
        self._worker: Worker | None = None  # while open
        self._deadlines = Deadlines()
        # llguidance knows tokenizers by their file.
        is_known = (self._checkpoint.folder / "tokenizer.json").is_file() and _is_there("llguidance")
        self.capabilities = Capabilities(choices=is_known)

    @property
    def name(self) -> str:
        return f"local/{self._checkpoint.name}"

    @property
    def endpoint(self) -> str:
        """Which weights answer, and how: another revision, seed or format answers otherwise."""
        how = f" {self._dtype}" if self._dtype else ""
        return f"transformers {self._checkpoint.fingerprint}{how} seed {self._seed}"

    @property
    def worth_in_flight(self) -> int:
        """How many requests are worth having in flight: a batch, and the next one."""
        return 2 * self._rows

    def __repr__(self) -> str:
        return f"<Local {self._checkpoint.name} {self._checkpoint.kind} {self._checkpoint.fingerprint}>"

    def input_tokens(self, request: Request) -> int | None:
        """What the request counts as input, exactly; None until the model is open."""
        worker = self._worker
        if worker is None or not worker.model.done() or worker.model.exception() is not None:
            return None
        try:
            return len(worker.model.result().codec.encode(request.messages))
        except (ContextOverflow, RequestRejected):  # it will be told so when it is asked
            return None

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:
        """Answer. The time runs from when the request is begun: what waits in a line that moves is not late."""
        from engine.providers.local.asking import job_of

        worker = self._opened()
        try:
            model = await _of(worker.model)
        except UserError as error:  # for every request alike, so in the words that stop a run
            return _refused(str(error))
        job = job_of(request, model, seed=self._seed)
        worker.submit(job)
        try:
            await begun(job.begun, steps=lambda: worker.steps, within=lambda: self._deadlines.within(timeout_s))
            started = self._clock.monotonic()
            with self._deadlines.within(timeout_s):
                await _of(job.done)
        except TimeoutError:
            raise AttemptTimedOut(f"{self.name}: no complete answer within {timeout_s:g} s") from None
        finally:
            job.give_up()  # of no effect on what is over
        body = self._body(request, job)
        return RawReply(200, {"content-type": "application/json"}, body, self._clock.monotonic() - started)

    def _body(self, request: Request, job: Job) -> bytes:
        digest = hashlib.sha256(request.identity(asked_of=self.endpoint)).hexdigest()
        return chat_completion(
            [row.completion() for row in job.rows],
            ident=f"chatcmpl-{digest[:24]}",
            created=0,  # a time of day would make two runs of one seed differ
            model=self._checkpoint.name,
            input_tokens=len(job.rows[0].prompt),
        )

    def read(self, request: Request, raw: RawReply) -> Reading:
        return read_completion(request, raw, model=self._checkpoint.name)

    async def aclose(self) -> None:
        """Give up what is under way and let go of the memory. It opens anew if it is used again."""
        worker, self._worker = self._worker, None
        self._deadlines.close()
        if worker is not None:
            worker.close()
            await asyncio.to_thread(worker.join)

    def _opened(self) -> Worker:
        if self._worker is None:
            from engine.providers.local.model import open_model
            from engine.providers.local.worker import Worker

            checkpoint, dtype = self._checkpoint, self._dtype
            self._worker = Worker(lambda: open_model(checkpoint, dtype=dtype), clock=self._clock, rows=self._rows)
            self._worker.start()
        return self._worker


def _is_there(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


async def begun(source: Future[None], *, steps: Callable[[], int], within: Callable[[], Scope]) -> None:
    """Wait in line, for as long as the line moves; raises TimeoutError when it stood still for a whole `within`."""
    while not source.done():
        before = steps()
        try:
            with within():
                await _of(source)
        except TimeoutError:
            if steps() == before:
                raise
    source.result()


async def _of(source: Future[T]) -> T:
    """What a thread will have found, without holding up the loop; cancelled, it leaves the thread's future alone."""
    if not source.done():
        loop = asyncio.get_running_loop()
        came = asyncio.Event()

        def tell(_: Future[T]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(came.set)

        source.add_done_callback(tell)
        await came.wait()
    return source.result()


def _refused(message: str) -> RawReply:
    return RawReply(404, {}, encode({"error": {"message": message, "code": "model_not_found"}}), 0.0)
