"""A page to ask the student a question: a text box, the prompt's own examples, the answer and how sure it is.

Served on this machine only, without share links, analytics or files from elsewhere.
"""

from __future__ import annotations

import html
import os
import threading
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

from engine.errors import MissingExtra, UserError
from engine.training import Student

if TYPE_CHECKING:
    import gradio

__all__ = ["chat", "page"]

HOST = "127.0.0.1"


def page(student: Student, *, title: str, instruction: str, examples: Sequence[str], simulated: bool) -> gradio.Blocks:
    """The page, not yet served. Every text on it is foreign and is shown as text, never as markup."""
    gradio = _gradio()

    def answer(text: str) -> tuple[str, dict[str, float]]:
        (prediction,) = student.predict([text])
        return prediction.output, {"confidence": prediction.confidence}

    with gradio.Blocks(title=title, analytics_enabled=False) as blocks:
        gradio.HTML(_heading(title, family=student.family, simulated=simulated))
        with gradio.Row():
            with gradio.Column():
                asked = gradio.Textbox(
                    label="Input", lines=3, autofocus=True, placeholder="What the student should read"
                )
                button = gradio.Button("Ask the student", variant="primary")
            with gradio.Column():
                said = gradio.Textbox(label="Answer", lines=3, interactive=False)
                sure = gradio.Label(label="How sure the student is", num_top_classes=1)
        if examples:
            gradio.Examples([[example] for example in examples], inputs=[asked], label="Examples from the prompt")
        if instruction:
            with gradio.Accordion("The task", open=False):
                gradio.Textbox(value=instruction, show_label=False, interactive=False, lines=6)
        button.click(answer, inputs=[asked], outputs=[said, sure], api_name="ask")
        asked.submit(answer, inputs=[asked], outputs=[said, sure], api_name=False)
    return blocks


def chat(
    student: Student,
    *,
    title: str,
    instruction: str,
    examples: Sequence[str],
    simulated: bool,
    port: int | None,
    on_ready: Callable[[str], None],
) -> None:
    """Serve the page until Ctrl-C (KeyboardInterrupt passes through); `on_ready` is told its address.

    Raises UserError when the port is taken.
    """
    blocks = page(student, title=title, instruction=instruction, examples=examples, simulated=simulated)
    try:
        _, address, _ = blocks.launch(
            server_name=HOST, server_port=port, share=False, footer_links=[], ssr_mode=False, quiet=True,
            prevent_thread_lock=True,
        )  # fmt: skip
    except OSError as error:
        taken = "no free port was found" if port is None else f"port {port} on {HOST} cannot be used"
        raise UserError(f"{taken}; choose another with --port") from error
    try:
        on_ready(address)
        threading.Event().wait()
    finally:
        blocks.close(verbose=False)


def _heading(title: str, *, family: str, simulated: bool) -> str:
    taught = " Taught by a <b>simulated teacher</b>." if simulated else ""
    return f"<h1>{html.escape(title)}</h1><p>A {html.escape(family)} student, answering on this machine.{taught}</p>"


def _gradio() -> ModuleType:
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    try:
        import gradio
    except ImportError as error:
        raise MissingExtra("chat", needed_for="the chat page") from error
    module: ModuleType = gradio
    return module
