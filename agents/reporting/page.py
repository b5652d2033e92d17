"""A report as one HTML page that needs no network; every foreign string is data, escaped, freed of what is unseen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from engine.text import visible

__all__ = ["HEIGHT", "WIDTH", "curve", "render_html"]

WIDTH, HEIGHT = 100, 30  # of a chart, in its own units


def render_html(report: Mapping[str, object], *, template: str = "report.html") -> str:
    """The page, from what `report.json` holds."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_source), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(percent=_percent, curve=curve)
    return environment.get_template(template).render(_shown(report))


def _source(name: str) -> str:
    return (files("agents") / "templates" / name).read_text(encoding="utf-8")


def _shown(value: Any) -> Any:
    """The same without characters that cannot be seen, some of which reverse or hide what stands beside them."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {_shown(key): _shown(item) for key, item in value.items()}
    return [_shown(item) for item in value] if isinstance(value, list | tuple) else value


def _percent(value: float, metric: str) -> float:
    """Where a score stands on a scale of 0 to 100; chrF++ has that scale already."""
    return value if metric == "chrF++" else 100 * value


def curve(values: Sequence[float], top: float) -> str:
    """The points of a line from left to right, 0 at the foot and `top` at the head; one value is a level line."""
    several = [*values, *values] if len(values) == 1 else values
    step = WIDTH / max(1, len(several) - 1)
    return " ".join(f"{at * step:.2f},{HEIGHT * (1 - value / (top or 1)):.2f}" for at, value in enumerate(several))
