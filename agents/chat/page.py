"""How the chat page looks: a question, an answer and how sure it is, the teacher beside it, a place to put it right.

Every text on it is foreign and is shown as text: in boxes that hold nothing else, or with its marks by number. What a
press of a button does is told by whoever stands behind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from engine.errors import UserError
from engine.text import visible

if TYPE_CHECKING:
    import gradio

    from agents.chat.second_opinion import Opinion

__all__ = ["CSS", "HEAD", "Clerk", "Shown", "page"]

MOST_BARS = 5  # labels whose probabilities are drawn
MOST_TO_CHOOSE_FROM = 1000  # labels in a list; of more, one is written

CSS = """
.gradio-container { max-width: 68rem !important; margin: 0 auto !important; }
#told { min-height: 1.6em; color: var(--body-text-color); }
.keys, .keys * { color: var(--body-text-color) !important; font-size: var(--text-sm) !important; }
:focus-visible { outline: 2px solid var(--color-accent) !important; outline-offset: 2px; }
"""

# The buttons by their keys, from wherever one is on the page.
HEAD = """
<script>
document.addEventListener("keydown", (event) => {
  const keys = {y: "right", n: "wrong", t: "teacher", s: "save"};
  let id = null;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) id = "ask";
  else if (event.altKey && !event.ctrlKey && !event.metaKey) id = keys[event.key.toLowerCase()] ?? null;
  const button = id && document.getElementById(id);
  if (button && button.offsetParent !== null) { event.preventDefault(); button.click(); }
});
// News is read aloud to whoever does not see it.
new MutationObserver((_, observer) => {
  const told = document.getElementById("told");
  if (told) { told.setAttribute("role", "status"); told.setAttribute("aria-live", "polite"); observer.disconnect(); }
}).observe(document, {childList: true, subtree: true});
</script>
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """A question that was asked and its answer: what thumbs up and down are about, whatever the box says by then."""

    input: str
    output: str
    confidence: float
    is_cut: bool = False
    alternatives: tuple[tuple[str, float], ...] = ()

    def sure(self) -> str:
        """How sure the student is, in words."""
        cut = "; the input is longer than it can read" if self.is_cut else ""
        return f"{self.confidence:.0%} sure{cut}"

    def bars(self) -> dict[str, float] | None:
        """The likeliest labels, for a student that chooses among some."""
        best = {visible(label): share for label, share in self.alternatives[:MOST_BARS]}
        return best if len(best) > 1 else None


class Clerk(Protocol):
    """Who does what the buttons say."""

    @property
    def student(self) -> Any: ...

    @property
    def teacher(self) -> Any: ...

    def ask(self, text: str) -> Shown:
        """The answer. Raises UserError where there is none, in a line for the page."""
        ...

    def ask_teacher(self, text: str) -> Opinion: ...

    def keep(self, shown: Shown, output: str) -> str: ...


def page(
    behind: Clerk,
    *,
    title: str,
    instruction: str,
    labels: Sequence[str],
    examples: Sequence[str],
    simulated: bool,
) -> gradio.Blocks:
    """The page, not yet served. Raises ImportError without gradio."""
    import gradio

    with gradio.Blocks(title=visible(title), analytics_enabled=False) as blocks:
        _text(gradio, _heading(title, family=behind.student.family, simulated=simulated))
        about = gradio.State(None)  # the Shown that is on the page
        with gradio.Row():
            with gradio.Column():
                asked = gradio.Textbox(
                    label="Input", lines=4, max_lines=12, autofocus=True, placeholder="What the student should read"
                )
                ask = gradio.Button("Ask the student", variant="primary", elem_id="ask")
                if examples:
                    clicked = gradio.Examples([[each] for each in examples], inputs=[asked], label="Examples")
            with gradio.Column():
                said = gradio.Textbox(label="Answer", lines=2, interactive=False)
                sure = gradio.Textbox(label="How sure the student is", lines=1, interactive=False)
                bars = gradio.Label(
                    label="Likeliest labels", num_top_classes=MOST_BARS, show_heading=False, visible=False
                )
                right, wrong = _thumbs(gradio)
                put_right = _Righting(gradio, labels)
        opinion = _TeacherBeside(gradio, behind.teacher)
        told = _text(gradio, _told(""), elem_id="told")
        _text(gradio, _keys(with_teacher=behind.teacher is not None), elem_classes=["keys"])
        if instruction:
            with gradio.Accordion("The task", open=False):
                gradio.Textbox(value=instruction, show_label=False, container=False, interactive=False, lines=6)

        def answer(text: str) -> list[object]:
            try:
                if not text.strip():
                    raise UserError("Write something for the student to read.")
                shown = behind.ask(text)
            except UserError as error:  # nothing may stay of the answer before: thumbs would be about that one
                return [None, "", "", gradio.update(visible=False), *_off(gradio, 2), *put_right.away(),
                        *opinion.away(), _told(str(error))]  # fmt: skip
            drawn = shown.bars()
            return [shown, shown.output, shown.sure(), gradio.update(value=drawn, visible=drawn is not None),
                    *_on(gradio, 2), *put_right.away(), *opinion.ready(), _told("")]  # fmt: skip

        outputs = [about, said, sure, bars, right, wrong, *put_right.parts, *opinion.parts, told]
        for event in (ask.click, asked.submit):
            event(answer, inputs=[asked], outputs=outputs, api_visibility="private", show_progress_on=[said])
        if examples:
            clicked.load_input_event.then(
                answer, inputs=[asked], outputs=outputs, api_visibility="private", show_progress_on=[said]
            )
        right.click(
            lambda shown: _told(behind.keep(shown, shown.output)) if shown else _told(NOTHING_ASKED),
            inputs=[about], outputs=[told], **SILENT,
        )  # fmt: skip
        put_right.wire(wrong, about, told, keep=behind.keep)
        opinion.wire(about, told, ask=behind.ask_teacher, right=put_right)
    return blocks


SILENT: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}

NOTHING_ASKED = "Ask the student something first."


def _thumbs(gradio: Any) -> tuple[Any, Any]:
    with gradio.Row():
        right = gradio.Button("✓ Right", elem_id="right", interactive=False)
        wrong = gradio.Button("✗ Wrong", elem_id="wrong", interactive=False)
    return right, wrong


class _Righting:
    """Where the right answer is given, once somebody has said that the student's is not."""

    def __init__(self, gradio: Any, labels: Sequence[str]) -> None:
        self._gradio = gradio
        with gradio.Group(visible=False) as self.group:
            if 0 < len(labels) <= MOST_TO_CHOOSE_FROM:
                self.box = gradio.Dropdown(
                    choices=[(visible(label), label) for label in labels], value=None, label="The right answer",
                    interactive=True,
                )  # fmt: skip
            else:
                self.box = gradio.Textbox(label="The right answer", lines=2, interactive=True)
            self.save = gradio.Button("Save as the right answer", elem_id="save", variant="primary")
        self.parts = [self.group, self.box]

        self._labels = frozenset(labels)

    def away(self) -> list[object]:
        return [self._gradio.update(visible=False), self._gradio.update(value=None)]

    def suggested(self, answer: str) -> object:
        """The teacher's answer in the box, if it can stand there: not yet saved."""
        is_possible = not self._labels or answer in self._labels
        return self._gradio.update(value=answer) if is_possible else self._gradio.update()

    def wire(self, wrong: Any, about: Any, told: Any, *, keep: Callable[[Shown, str], str]) -> None:
        def save(shown: Shown | None, output: str | None) -> list[object]:
            if shown is None:
                return [self._gradio.update(), _told(NOTHING_ASKED)]
            if output is None:
                return [self._gradio.update(), _told("Say what the right answer is.")]
            return [self._gradio.update(visible=False), _told(keep(shown, output))]

        wrong.click(lambda: self._gradio.update(visible=True), outputs=[self.group], **SILENT)
        self.save.click(save, inputs=[about, self.box], outputs=[self.group, told], **SILENT)


class _TeacherBeside:
    """What the teacher says, beside what the student says; nothing at all where no teacher can be asked."""

    def __init__(self, gradio: Any, teacher: Any) -> None:
        self._gradio = gradio
        self.parts: list[Any] = []
        if teacher is None:
            return
        called = f"{teacher.name}, simulated" if teacher.simulated else teacher.name
        with gradio.Row():
            self.button = gradio.Button("Ask the teacher too", elem_id="teacher", interactive=False, scale=1)
            self.box = gradio.Textbox(label=f"The teacher ({visible(called)})", lines=2, interactive=False, scale=3)
        self.parts = [self.button, self.box]

    def away(self) -> list[object]:
        return [self._gradio.update(interactive=False), ""] if self.parts else []

    def ready(self) -> list[object]:
        return [self._gradio.update(interactive=True), ""] if self.parts else []

    def wire(self, about: Any, told: Any, *, ask: Callable[[str], Opinion], right: _Righting) -> None:
        if not self.parts:
            return

        def beside(shown: Shown | None) -> list[object]:
            if shown is None:
                return ["", _told(NOTHING_ASKED), self._gradio.update()]
            opinion = ask(shown.input)
            if opinion.answer is None:
                return ["", _told(f"The teacher: {opinion.problem}"), self._gradio.update()]
            same = "says the same" if opinion.answer == shown.output else "says something else"
            spent = f"; {opinion.spent} of its budget so far" if opinion.spent else ""
            return [opinion.answer, _told(f"The teacher {same}{spent}."), right.suggested(opinion.answer)]

        self.button.click(beside, inputs=[about], outputs=[self.box, told, right.box], api_visibility="private",
                          show_progress_on=[self.box])  # fmt: skip


def _on(gradio: Any, count: int) -> list[object]:
    return [gradio.update(interactive=True)] * count


def _off(gradio: Any, count: int) -> list[object]:
    return [gradio.update(interactive=False)] * count


def _heading(title: str, *, family: str, simulated: bool) -> str:
    taught = " Taught by a **simulated teacher**." if simulated else ""
    return f"# {_plain(title)}\n\nA {_plain(family)} student, answering on this machine.{taught}"


def _text(gradio: Any, text: str, **more: Any) -> Any:
    """Our own words, marked up. Gradio's HTML would be shorter, and evaluates its own text as a template."""
    return gradio.Markdown(text, latex_delimiters=[], **more)


def _plain(text: str) -> str:
    """Foreign text on one line, every mark in it by its number: these show as they are and begin nothing."""
    shown = " ".join(visible(text).split())
    return "".join(one if one.isalnum() or one == " " or not one.isascii() else f"&#{ord(one)};" for one in shown)


def _told(text: str) -> str:
    """A line of news."""
    return _plain(text) or "&nbsp;"


def _keys(*, with_teacher: bool) -> str:
    keys = [("Ctrl Enter", "ask"), ("Alt Y", "right"), ("Alt N", "wrong"), ("Alt S", "save")]
    if with_teacher:
        keys.append(("Alt T", "teacher"))
    return " · ".join(f"`{key}` {what}" for key, what in keys)
