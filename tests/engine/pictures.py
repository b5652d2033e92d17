"""What a live view is shown in tests: figures, foreign text, a console in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import StringIO
from typing import Any

from rich.console import Console

from engine.statistics import Statistics
from engine.throttle import Limits

DOLLAR = 10**12
CENT = DOLLAR // 100
STAGES = ("parse", "generate", "train")
HOSTILE = "a\x1b[2J\x1b]8;;http://x\x07 [/x] [red]b[/red]\r\n\u202ec\u2066\x9b31m\ud800 [link=http://x]d[/link]\u2028e"


def figures(*, cap: int | None = DOLLAR, binding: str = "lack of work", **money: Any) -> Statistics:
    """The engine's statistics of a moment."""
    usual = {"saved_by_journal": 0, "saved_by_sampling": 0, "shares": {}, "by_tag": {}, "spent": 31 * CENT}
    given: dict[str, Any] = {**usual, "assumed": CENT, **money}
    return Statistics(
        requests=0, replies=0, from_journal=0, failed=0, attempts=0, failures={}, hedged=0, input_tokens=0,
        output_tokens=0, in_flight=7, waiting=0, allowed=64, limits=Limits(), binding=binding, cap=cap,
        reserved=2 * CENT, **given,
    )  # fmt: skip


@dataclass
class Screenful:
    """A console in memory."""

    width: int = 80
    height: int = 24
    terminal: bool = True
    file: StringIO = field(default_factory=StringIO)

    def console(self, **more: object) -> Console:
        return Console(
            file=self.file, width=self.width, height=self.height, force_terminal=self.terminal, **more  # type: ignore[arg-type] # options of its own
        )  # fmt: skip

    def lines(self) -> list[str]:
        return self.file.getvalue().splitlines()
