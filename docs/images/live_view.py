"""Draws live-view.svg: the live view of a run as it stood last, for the README.

    smelt run agents/demo/dates/prompt.md --model simulated/dates --out runs/dates   # and in its midst, elsewhere:
    python docs/images/live_view.py runs/dates

It asks nobody for a font: each machine takes the one that its own terminal would.
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from engine.dashboard.drawing import Asides, render
from engine.dashboard.storing import load

PICTURE = Path(__file__).with_name("live-view.svg")
WIDTH, HEIGHT = 100, 25
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace"
FORMAT = re.sub(
    r"\s*@font-face \{\{.*?\n\s*\}\}", "", CONSOLE_SVG_FORMAT.replace("Fira Code, monospace", FONTS), flags=re.DOTALL
)


def main() -> None:
    snapshot = load(Path(sys.argv[1]) / "live.json")
    if snapshot is None:
        sys.exit(f"{sys.argv[1]}: nobody has written down how it stands")
    console = Console(file=io.StringIO(), record=True, width=WIDTH, height=HEIGHT, force_terminal=True)
    console.print(render(snapshot.view, snapshot.figures, width=WIDTH, height=HEIGHT, asides=Asides(has_keys=True)))
    drawn = console.export_svg(title="smelt run", code_format=FORMAT, unique_id="live")
    PICTURE.write_text(re.sub(r"\s*<!-- .*? -->", "", drawn), encoding="utf-8")


if __name__ == "__main__":
    main()
