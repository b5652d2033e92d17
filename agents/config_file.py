"""The options of a run as a TOML file holds them: read, checked by name and type, and written back.

Flags win over the file, and the file over the defaults. What values can mean is `config`'s to say.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import get_args, get_type_hints

from agents.checks import formers, names, places
from agents.config import MONEY, ROLES, Configuration, Models, Stages
from engine.errors import UserError
from engine.text import meant

__all__ = ["as_table", "checked_options", "models_said", "read_config", "resolve"]

ABOUT_A_MODEL = (
    "model", "base_url", "dialect", "insecure_http", "price_in", "price_out", "price_cached_in", "price_cache_write",
    "price_batch", "rpm", "tpm", "concurrency",
)  # fmt: skip


def resolve(*, file: Path | None, flags: Mapping[str, object]) -> Configuration:
    """Defaults, then the file, then the flags that were given (not None): flags win."""
    values = read_config(file) if file is not None else {}
    values |= {name: value for name, value in flags.items() if value is not None}
    values["base_url"] = places(values.get("base_url"))
    return Configuration(**values)  # type: ignore[arg-type]  # names and types were checked by read_config and typer


def read_config(path: Path) -> dict[str, object]:
    """The options in a TOML file. Raises UserError for an unreadable file, an unknown option or a wrong type."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)  # money is exact
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 text; a configuration is a TOML file") from error
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path}: is not valid TOML: {error}") from error
    try:
        return checked_options(table)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def checked_options(table: Mapping[str, object]) -> dict[str, object]:
    """The options of a TOML table under the names of the fields. Raises UserError for unknown names and wrong types."""
    options: dict[str, object] = {}
    for name, value in table.items():
        field = name.replace("-", "_")
        if field in options:
            raise UserError(f"option {name!r} is given twice, with a dash and without; keep one")
        if field == "budget" and isinstance(value, dict):
            options |= _budget_table(value)
        elif field == "dialects" and isinstance(value, dict):
            options[field] = _checked_dialects(value)
        elif field in READ:
            options[field] = READ[field](name, value)
        elif field == "models" and isinstance(value, dict):
            told = _by_role(value)
            if twice := sorted(options.keys() & told.keys()):
                raise UserError(f"models: {twice[0]!r} is said of the teacher within [models] and outside; keep one")
            options |= told
        else:
            options[field] = _checked(name, value)
    return options


def models_said(where: str, given: object) -> Models:
    """One model or several, by name or as tables: `"openai/x"`, `{ model = "openai/x", rpm = 500 }`."""
    several = given if isinstance(given, list | tuple) else [given]
    if not several:
        raise UserError(f"{where}: name at least one model")
    return tuple(_model_said(where, each) for each in several)


READ: Mapping[str, Callable[[str, object], object]] = {
    "formers": lambda _, value: formers(value),
    "base_url": lambda _, value: places(value),
    "datasets": names,
    "licences": names,
    "fallback": models_said,
}
"""Options that hold a list, or one thing in place of it."""


def _model_said(where: str, given: object) -> Mapping[str, object]:
    table = {"model": given} if isinstance(given, str) else given
    if not isinstance(table, dict) or not isinstance(name := table.get("model"), str) or "/" not in name:
        example = "'openai/gpt-5.4-mini', or { model = 'openai/gpt-5.4-mini', rpm = 500 }"
        raise UserError(f"{where}: name a model, as in {example} (got {given!r})")
    for option in table:
        if option.replace("-", "_") not in ABOUT_A_MODEL:
            raise UserError(f"{where}: {option!r} is not said of one model{meant(option, ABOUT_A_MODEL)}")
    return checked_options(table)


def _by_role(table: Mapping[str, object]) -> dict[str, object]:
    """The options that `[models]` stands for: those of the teacher, and the models of other roles."""
    told: dict[str, object] = {}
    others = dict(table)
    if "teacher" in others:
        first, *rest = models_said("teacher", others.pop("teacher"))
        told = {**first, **({"fallback": tuple(rest)} if rest else {})}
    for role in others:
        if role not in ROLES:
            known = ("teacher", *ROLES)
            raise UserError(f"models: there is no role {role!r}{meant(role, known)}; there are: {', '.join(known)}")
    return told | ({"models": {role: models_said(role, given) for role, given in others.items()}} if others else {})


def _checked_dialects(tables: Mapping[str, object]) -> Mapping[str, object]:
    """The tables as they are; UserError for a field that cannot be meant."""
    from engine.providers.profile import profile_of

    plain = {name: _with_floats(table) for name, table in tables.items()}
    for name, table in plain.items():
        profile_of(name, table)
    return plain


def _with_floats(value: object) -> object:
    """Decimals are for money; what is sent to a server holds none."""
    if isinstance(value, dict):
        return {name: _with_floats(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_with_floats(inner) for inner in value]
    return float(value) if isinstance(value, Decimal) else value


def _budget_table(table: Mapping[str, object]) -> dict[str, object]:
    """The cap and the parts of it: `[budget]`, `usd = 5`, `generate = 0.7`, `kept = { annotate = 0.2 }`."""
    shares = dict(table)
    usd, kept = shares.pop("usd", None), shares.pop("kept", {})
    if not isinstance(kept, dict):
        raise UserError(f"budget: kept must be a table, as in kept = {{ annotate = 0.2 }} (got {kept!r})")
    stages = Stages(at_most=_texts(shares), kept=_texts(kept))
    told = {} if usd is None else {"budget": _checked("budget", usd)}
    return {**told, **({"stages": stages} if shares or kept else {})}


def _texts(shares: Mapping[str, object]) -> dict[str, str]:
    for name, share in shares.items():
        if isinstance(share, bool) or not isinstance(share, int | float | Decimal | str):
            raise UserError(f"budget: the share of {name!r} must be a number (got {share!r})")
    return {name: str(share) for name, share in shares.items()}


def _checked(name: str, value: object) -> object:
    hints = get_type_hints(Configuration)
    field = name.replace("-", "_")
    if field == "dialects":
        raise UserError('dialects are given as tables, as in [dialects.mine], like = "vllm"')
    if field == "models":
        raise UserError("models are given by role, as in [models], annotator = 'openai/gpt-5.4-mini'")
    if field == "stages":
        raise UserError("parts of the budget are given beside it: [budget], usd = 5, generate = 0.7")
    if field not in hints:
        hint = meant(field, hints) or f"; there are: {', '.join(hints)}"
        raise UserError(f"unknown option {name!r}{hint}")
    if isinstance(value, Decimal) and field not in MONEY:
        value = float(value)
    kinds = get_args(hints[field]) or (hints[field],)
    if isinstance(value, bool) is not (bool in kinds):
        raise UserError(f"option {name!r} must be {_spelled(kinds)} (got {value!r})")
    if field in MONEY and isinstance(value, int | float | Decimal):
        return str(value)  # may be written as a bare number
    if float in kinds and isinstance(value, int):
        return float(value)
    if not isinstance(value, kinds):
        raise UserError(f"option {name!r} must be {_spelled(kinds)} (got {value!r})")
    return value


def _spelled(kinds: tuple[type, ...]) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    return " or ".join(names[kind] for kind in kinds if kind in names)


def as_table(configuration: Configuration) -> dict[str, object]:
    """The options that say something (not None), as TOML can hold them."""
    table = {name: value for name, value in dataclasses.asdict(configuration).items() if value is not None}
    if configuration.fallback is not None:
        table["fallback"] = list(table["fallback"])
    if configuration.models is not None:
        table["models"] = {role: list(models) for role, models in configuration.models.items()}
    stages = configuration.stages
    if table.pop("stages", None) is None or stages is None:
        return table
    usd = {} if configuration.budget is None else {"usd": configuration.budget}
    kept = {"kept": dict(stages.kept)} if stages.kept else {}
    return table | {"budget": {**usd, **stages.at_most, **kept}}
