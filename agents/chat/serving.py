"""A page to ask the student questions: serving it, on this machine only, and what stands behind its buttons.

Without share links, analytics or files from elsewhere; how it looks is the business of `page`.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from agents.chat.corrections import Correction, Verdict, save
from agents.chat.page import CSS, HEAD, Shown, page
from agents.chat.second_opinion import Opinion, Teacher
from agents.reading.rows import records
from engine.errors import MissingExtra, SmeltError, UserError
from engine.text import clean
from engine.training import Student

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Behind", "examples_of", "serve_page"]

HOST = "127.0.0.1"

MOST_EXAMPLES = 8
LONGEST_EXAMPLE = 300  # characters; what is longer is no example to click on

ASKED_FOR_S = 120.0  # the teacher, by somebody who looks on

# Nothing on the page may come from elsewhere or go there, whatever a text in it says. Gradio's own page is built of
# scripts and styles within it, and evaluates nothing.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data: "
    "blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Behind:
    """What stands behind the page: the student, the file of corrections, and the teacher if it can be asked.

    Handlers come from several threads; the student answers one at a time.
    """

    student: Student
    corrections: Path
    teacher: Teacher | None = None
    loop: asyncio.AbstractEventLoop | None = None  # that the teacher is asked in
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, text: str) -> Shown:
        """The student's answer, ready to be shown. Raises UserError where the student fails on it."""
        with self._one_at_a_time:
            try:
                (told,) = self.student.predict([text])
            except Exception as error:  # what a student raises ends its answer, and not the page
                what = f"The student failed on this input ({type(error).__name__}: {error})"
                raise UserError(clean(what, limit=500)) from error
        return Shown(text, told.output, told.confidence, is_cut=told.cut, alternatives=told.alternatives)

    def ask_teacher(self, text: str) -> Opinion:
        """The teacher's, or why there is none."""
        if self.teacher is None or self.loop is None:
            raise AssertionError("unreachable: the button is not there")
        try:
            return asyncio.run_coroutine_threadsafe(self.teacher.ask(text), self.loop).result(ASKED_FOR_S)
        except TimeoutError:
            return Opinion(answer=None, problem=f"no answer within {ASKED_FOR_S:.0f} s")
        except SmeltError as error:  # the budget is used up, the provider refuses: the page goes on without
            return Opinion(answer=None, problem=clean(str(error), limit=500))

    def keep(self, shown: Shown, output: str) -> str:
        """Keep what somebody holds to be right, and say so in a line."""
        verdict: Verdict = "right" if output == shown.output else "wrong"
        row = Correction(
            input=shown.input,
            output=output,
            verdict=verdict,
            said=shown.output,
            confidence=round(shown.confidence, 4),
            at=self.now().isoformat(timespec="seconds"),
        )
        try:
            count = save(self.corrections, row)
        except UserError as error:
            return clean(str(error), limit=500)
        return f"Saved in {self.corrections.name}: {count:,} {'row' if count == 1 else 'rows'} now."


def examples_of(demonstrations: Sequence[str], validation: Path) -> list[str]:
    """Inputs to click on: the prompt's own, then of the rows that chose the student's best moment. Short ones only."""
    found = [text for text in demonstrations if len(text) <= LONGEST_EXAMPLE][: MOST_EXAMPLES // 2]
    if validation.is_file():
        for _, row in records(validation):
            if len(found) == MOST_EXAMPLES:
                break
            text = str(row.get("input", ""))
            if text.strip() and len(text) <= LONGEST_EXAMPLE and text not in found:
                found.append(text)
    return found


async def serve_page(
    behind: Behind,
    *,
    title: str,
    instruction: str,
    labels: Sequence[str],
    examples: Sequence[str],
    simulated: bool,
    port: int | None,
    on_ready: Callable[[str], None],
    until: asyncio.Event,
) -> None:
    """Serve the page until `until` is set; `on_ready` is told its address. Raises UserError when the port is taken."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    try:
        from starlette.middleware import Middleware
        from starlette.middleware.trustedhost import TrustedHostMiddleware

        blocks = page(
            behind, title=title, instruction=instruction, labels=labels, examples=examples, simulated=simulated
        )
    except ImportError as error:
        raise MissingExtra("chat", needed_for="the chat page") from error
    # Only whoever calls it by these names is answered: no name of somebody else's leads here.
    guards = [Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"]), Middleware(_Guarded)]
    try:
        _, address, _ = await asyncio.to_thread(
            blocks.launch,
            server_name=HOST, server_port=port, share=False, footer_links=[], ssr_mode=False, quiet=True,
            prevent_thread_lock=True, css=CSS, head=HEAD, run_history=False, app_kwargs={"middleware": guards},
        )  # fmt: skip
    except OSError as error:
        taken = "no free port was found" if port is None else f"port {port} on {HOST} cannot be used"
        raise UserError(f"{taken}; choose another with --port") from error
    try:
        on_ready(address)
        await until.wait()
    finally:
        blocks.close(verbose=False)


class _Guarded:
    """Sends the page's policy with every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                told = [(b"content-security-policy", POLICY.encode()), (b"x-content-type-options", b"nosniff")]
                message = {**message, "headers": [*message.get("headers", ()), *told]}
            await send(message)

        await self._app(scope, receive, send_guarded)
