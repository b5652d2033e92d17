"""Between messages and tokens, in a model's own way of writing a conversation."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from engine.errors import ContextOverflow, RequestRejected, UserError
from engine.messages import Message
from engine.text import clean

__all__ = ["Codec", "read_tokenizer"]

REMEMBERED = 1024  # prompts: each is needed for counting and again for answering
LONGEST_REASON = 200

# A text is looked at in pieces before it is encoded whole: who waits for a book to be encoded, which no model reads,
# makes everybody wait. Normalizers shorten texts and vocabularies have very long words, so that only counting tells.
PIECE: Final = 8192  # characters
SEAM: Final = 4  # tokens of a piece that may be there only because the text was cut
GENEROUS: Final = 2  # times the context; what is less is encoded whole, and counted exactly
UNTOLD: Final = 4_096  # tokens, where a model does not say how many it reads: attention grows with their square


def read_tokenizer(folder: Path) -> Any:
    """The tokenizer in a folder: no download, no foreign code. Raises UserError when there is none."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise UserError(f"{folder} holds no tokenizer that can be read ({type(error).__name__})") from error


class Codec:
    """Safe to be used from several threads. `context`: how many tokens the model reads, if that is known."""

    def __init__(self, tokenizer: Any, *, context: int | None = None) -> None:
        self.tokenizer = tokenizer
        self.context = context
        self._lock = threading.Lock()
        self._encoded = lru_cache(maxsize=REMEMBERED)(self._encode)

    def encode(self, messages: tuple[Message, ...]) -> tuple[int, ...]:
        """The prompt. Raises RequestRejected when the model's template refuses the conversation.

        Raises ContextOverflow when it is far beyond what the model reads, without encoding much more than would fit.

        By the model's template if it has one; a template without a place for system messages gets them before the
        first user message's text. Without a template the texts follow one another, an empty line between them.
        """
        return self._encoded(messages)

    def decode(self, tokens: Sequence[int]) -> str:
        with self._lock:
            return str(self.tokenizer.decode(list(tokens), skip_special_tokens=True))

    def _encode(self, messages: tuple[Message, ...]) -> tuple[int, ...]:
        with self._lock:
            if getattr(self.tokenizer, "chat_template", None):
                text, has_marks = self._written(messages), True  # a template writes its own marks
            else:
                text, has_marks = "\n\n".join(message.content for message in messages), False
            self._ensure_readable(text)
            return tuple(self.tokenizer(text, add_special_tokens=not has_marks)["input_ids"])

    def _ensure_readable(self, text: str) -> None:
        reads = self.context or UNTOLD
        tokens = 0
        for start in range(0, len(text), PIECE) if len(text) > PIECE else ():
            piece = self.tokenizer(text[start : start + PIECE], add_special_tokens=False)["input_ids"]
            tokens += max(0, len(piece) - SEAM)
            if tokens > GENEROUS * reads:
                told = f"this model reads {reads}" if self.context else f"{GENEROUS * reads} are read here"
                raise ContextOverflow(f"the prompt has over {tokens} tokens, and {told} at most")

    def _written(self, messages: tuple[Message, ...]) -> str:
        from jinja2 import TemplateError

        try:
            return self._by_template(messages)
        except TemplateError:
            pass  # perhaps for the sake of the system message alone
        try:
            return self._by_template(_without_system(messages))
        except TemplateError as error:
            said = clean(str(error), LONGEST_REASON)
            raise RequestRejected(f"the model's template refuses this conversation: {said}") from None

    def _by_template(self, messages: Sequence[Message]) -> str:
        turns = [{"role": message.role, "content": message.content} for message in messages]
        return str(self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))


def _without_system(messages: Sequence[Message]) -> list[Message]:
    said = [message.content for message in messages if message.role == "system"]
    turns = [message for message in messages if message.role != "system"]
    if said and turns:
        turns[0] = Message(turns[0].role, "\n\n".join([*said, turns[0].content]))
    return turns
