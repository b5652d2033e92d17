"""Write what the documentation says of options and providers from the code: `python docs/generate.py`.

Between two marks on a page stands what is written here; all else is the author's. Of an option, the meaning is the
author's too: it is kept, and a new option begins with the help of its flag. A test holds the pages to it.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from pathlib import Path
from typing import Any, get_args, get_type_hints

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from agents.cli.completion import OFFERED  # noqa: E402 - after the path that finds it
from agents.cli.making import INPUTS  # noqa: E402
from agents.cli.options import FLEET, FOUND, MAKING, PACE, STUDENT, TEACHER  # noqa: E402
from agents.config import MOST_SEED, Configuration  # noqa: E402
from agents.config import RANGES as WHOLE_NUMBERS  # noqa: E402
from docs.sizing import table as sizing_table  # noqa: E402
from engine.providers.profile import Profile, profiles  # noqa: E402

CONFIGURATION = ROOT / "docs" / "reference" / "configuration.md"
PROVIDERS = ROOT / "docs" / "reference" / "providers.md"
CLUSTER = ROOT / "docs" / "guides" / "cluster.md"

BEGIN = "<!-- from the code, by docs/generate.py -->"
END = "<!-- until here -->"

TABLES = {
    "models": "a table",
    "dialects": "tables",
    "stages": "a table",
    "fallback": "models",
    "base_url": "one or several",
}
SPELLED = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
RANGES = {"seed": f"0 to {MOST_SEED:,}", "found_share": "0 to 1"} | {
    name: f"{least:,} to {most:,}" for name, (least, most) in WHOLE_NUMBERS.items()
}
CHOICES = ("student", "device", "preset", "annealing")
MONEY = ("budget", "price_in", "price_out", "price_cached_in", "price_cache_write")


def written(page: str, table: str) -> str:
    """The page with this table between the marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"a page lacks its marks: {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{table}{END}{after}"


def in_table(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


# -- options


def options_table(page: str) -> str:
    """A row for each option: name and default, flag, what it takes, and the meaning that the page has for it."""
    meanings = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", page, re.MULTILINE))
    groups = (TEACHER, MAKING, FOUND, STUDENT, PACE, FLEET, INPUTS)
    flags = {name: flag_of(name, option) for group in groups for name, option in group.items()}
    rows = [in_table(["option", "default", "flag", "takes", "meaning"]), in_table(["---"] * 5)]
    for field in dataclasses.fields(Configuration):
        flag, help_text = flags.get(field.name, ("", ""))
        default = "none" if field.default is None else f"`{json.dumps(field.default)}`"
        meaning = meanings.get(field.name) or help_text
        if not meaning:
            raise SystemExit(f"{CONFIGURATION.name}: say what {field.name!r} means, in a row of its own")
        rows.append(in_table([f"`{field.name}`", default, flag and f"`{flag}`", takes(field.name), meaning]))
    return "".join(rows)


def flag_of(name: str, option: Any) -> tuple[str, str]:
    """The flag of an option of the command line, and what its help says."""
    (said,) = get_args(option)[1:]
    words = (said.default, *(said.param_decls or ()))  # typer takes the first for a default until it is used
    declared = [each for each in words if isinstance(each, str) and each.startswith("--")]
    return (declared[0] if declared else f"--{name.replace('_', '-')}"), said.help


def takes(name: str) -> str:
    """What a value can be, in words."""
    if name in CHOICES:
        return ", ".join(f"`{word}`" for word in OFFERED[f"--{name.replace('_', '-')}"](""))
    if name in MONEY:
        return "USD"
    if name in RANGES:
        return RANGES[name]
    if name in TABLES:
        return TABLES[name]
    hint = get_type_hints(Configuration)[name]
    kinds = [kind for kind in (get_args(hint) or (hint,)) if kind is not type(None)]
    return " or ".join(SPELLED.get(kind, "names") for kind in kinds)


# -- providers


def providers_table() -> str:
    """A row for each service and server that Smelt knows."""
    header = [
        "dialect", "what it is", "`--model`", "`--base-url`", "key", "cannot", "JSON schema", "batches", "limits told",
    ]  # fmt: skip
    rows = [in_table(header), in_table(["---"] * len(header))]
    rows += [in_table(provider_row(profile)) for profile in profiles().values()]
    return "".join(rows)


def provider_row(profile: Profile) -> list[str]:
    key = profile.key or ("ANTHROPIC_API_KEY" if profile.api == "anthropic" else "OPENAI_API_KEY")
    return [
        f"`{profile.name}`",
        profile.title or profile.name,
        f"`{profile.api}/NAME`",
        ", ".join(place_of(place) for place in profile.at) or "any other",
        f"`{key}`" if profile.auth != "none" else "",
        cannot(profile),
        schema_of(profile),
        batches_of(profile),
        ", ".join(f"{what} a {period}" for what, period in profile.limits.items()),
    ]


def place_of(place: str) -> str:
    return f"`http://localhost{place}/v1`" if place.startswith(":") else place


def cannot(profile: Profile) -> str:
    words = [
        (profile.temperature is None, "temperature"),
        (not profile.n, "several completions"),
        (not profile.seed, "seed"),
        (profile.stop == 0, "stop sequences"),
    ]
    some = ["of some models, more"] if profile.models else []
    return ", ".join([word for is_so, word in words if is_so] + some)


def schema_of(profile: Profile) -> str:
    return "in words" if profile.schema == "prompt" else f"`{profile.schema}`"


def batches_of(profile: Profile) -> str:
    if profile.batch is None:
        return "none"
    return "if it has them, full price" if profile.batch == 1 else f"{profile.batch:g} of the price"


def pages() -> dict[Path, str]:
    """Every page that is written here, as it should stand."""
    options, providers = CONFIGURATION.read_text(encoding="utf-8"), PROVIDERS.read_text(encoding="utf-8")
    return {
        CONFIGURATION: written(options, options_table(options)),
        PROVIDERS: written(providers, providers_table()),
        CLUSTER: written(CLUSTER.read_text(encoding="utf-8"), sizing_table()),
    }


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))  # noqa: T201
