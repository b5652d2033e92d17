"""How else the inputs of a request may be made to differ, where no temperature may be sent: attributes. Pure.

The hotter it is meant to be, the more axes of variation a request settles, each drawn by chance. What suits hardly any
task is rejected; then it gets cooler, and less is asked of the inputs.
"""

from __future__ import annotations

from agents.chance import chance

__all__ = ["AXES", "attributes_asked", "draw_attributes"]

AXES = (
    ("very short", "of middling length", "long, with details that do not matter"),
    ("plainly worded", "casual, as in a chat", "formal, as in a letter", "terse, as in notes", "hastily typed"),
    ("easy", "of usual difficulty", "hard: it takes care to get them right"),
    ("from somebody new to the subject", "from an expert", "from somebody at work", "from somebody at home"),
)
"""Length, style, difficulty and who writes: what inputs of nearly any task can differ in."""


def attributes_asked(share: float) -> int:
    """How many axes a request settles, from none at a share of 0 to all at 1."""
    return round(share * len(AXES))


def draw_attributes(share: float, *, seed: int, number: int) -> tuple[str, ...]:
    """What request `number` asks its inputs to be, one attribute an axis. The same seed and number draw the same."""
    draw = chance(seed, "attributes", number)
    axes = sorted(draw.sample(range(len(AXES)), attributes_asked(share)))
    return tuple(draw.choice(AXES[axis]) for axis in axes)
