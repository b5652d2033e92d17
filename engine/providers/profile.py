"""What is particular about a service or server that speaks a common dialect: data, and how it is recognised.

The data are in `dialects.toml`; a user's own tables have the same fields. Nothing here sends anything.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote, urlsplit

from engine.errors import UserError
from engine.headers import dated
from engine.messages import RawReply, Request
from engine.providers import Capabilities
from engine.providers.address import Address
from engine.providers.fields import Api, Auth, SchemaMethod, checked
from engine.text import meant
from engine.verdict import Kind

__all__ = ["Profile", "known_at", "profile_named", "profile_of", "profiles", "recognised"]

_FILE: Final = Path(__file__).with_name("dialects.toml")
_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How one service or server differs. The fields are those of `dialects.toml`, where each is explained.

    Profile(name="plain")                               # whatever calls itself compatible
    profile_named("vllm")                               # one of those that are known
    profile_of("mine", {"like": "vllm", "n": False})    # one of your own
    """

    name: str
    title: str = ""
    api: Api = "openai"
    at: tuple[str, ...] = ()
    path: str = "/chat/completions"
    auth: Auth = "bearer"
    key: str = ""
    version: str = ""
    temperature: float | None = 2.0  # the highest; None: no sampling parameter may be sent
    n: bool = True
    seed: bool = True
    stop: int | None = None  # None: any number
    output_cap: str = "max_tokens"
    schema: SchemaMethod = "json_schema"
    send: Mapping[str, object] = field(default_factory=lambda: _NONE, hash=False)
    limits: Mapping[str, str] = field(default_factory=lambda: _NONE, hash=False)
    headers: Mapping[str, str] = field(default_factory=lambda: _NONE, hash=False)
    errors: Mapping[str, Kind] = field(default_factory=lambda: _NONE, hash=False)
    cache_mark: Mapping[str, object] = field(default_factory=lambda: _NONE, hash=False)
    cache_from: int = 1024  # tokens; what is shorter is not kept
    cached_counts: bool = True
    batch: float | None = 1.0  # the share of the price; None: there are no batches
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: _NONE, hash=False)

    def __post_init__(self) -> None:
        """However it was made: what it sends must leave alone what money was set aside for."""
        where = f"dialects.{self.name}"
        checked(where, "output_cap", self.output_cap)
        checked(where, "send", self.send)
        _check_cap_alone(where, self)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            max_temperature=self.temperature,
            n=self.n,
            seed=self.seed,
            stop=self.stop != 0,
            most_stops=self.stop,
            schema=self.schema != "prompt",
        )

    @property
    def key_variables(self) -> tuple[str, ...]:
        """Where its key is looked for, in this order: under the service's own name, then under the dialect's."""
        return tuple(dict.fromkeys(filter(None, (self.key, f"{self.api.upper()}_API_KEY"))))

    def for_model(self, model: str) -> Profile:
        """The same, with what is different for this model. Of several patterns that fit, the longest counts."""
        fitting = [pattern for pattern in self.models if fnmatchcase(model, pattern)]
        return dataclasses.replace(self, **self.models[max(fitting, key=len)]) if fitting else self

    def marks(self, request: Request) -> bool:
        """Whether a request says how much of its beginning is worth keeping.

        What has fewer characters than a prompt must have tokens is too short for sure, nearly. What is too short after
        all is marked for nothing, and costs nothing.
        """
        return request.stable >= self.cache_from and bool(self.cache_mark) and request.stable > 0

    def path_for(self, model: str) -> str:
        return self.path.replace("{model}", quote(model, safe=""))

    def headers_with(self, key: str | None) -> dict[str, str]:
        """What travels in every request's head."""
        version = {"anthropic-version": self.version} if self.version else {}
        if key is None or self.auth == "none":
            return version
        told: dict[str, str] = {"authorization": f"Bearer {key}"} if self.auth == "bearer" else {self.auth: key}
        return {**version, **told}

    def understood(self, raw: RawReply) -> RawReply:
        """The reply with its own names of headers beside those that everybody reads."""
        known = {better: raw.headers[own] for own, better in self.headers.items() if own in raw.headers}
        return dataclasses.replace(raw, headers={**known, **raw.headers}) if known else raw

    @property
    def peculiarity(self) -> str:
        """What a user has every request say, for a question's identity; nothing for what ships with us."""
        known = profiles().get(self.name)
        ours = () if known is None else (known.send, *(of_model.get("send") for of_model in known.models.values()))
        return "" if self.send in ours or not self.send else json.dumps(dict(self.send), sort_keys=True)

    def told(self) -> str:
        """In a line: what is different here, and which limits are told."""
        cannot = [
            (self.temperature is None, "no temperature"),
            (not self.n, "one completion a request"),
            (not self.seed, "no seed"),
            (self.stop == 0, "no stop sequences"),
            (self.schema == "prompt", "schemas are told in words"),
        ]
        limits = ", ".join(f"{what} a {period}" for what, period in self.limits.items())
        parts = [word for is_so, word in cannot if is_so] + [f"tells its limits ({limits})" if limits else ""]
        return "; ".join(filter(None, [self.title or self.name, *parts]))


def profile_named(name: str, *, own: Mapping[str, Profile] = MappingProxyType({})) -> Profile:
    """The dialect of that name, a user's own first. Raises UserError, listing those there are."""
    known = {**profiles(), **own}
    if name not in known:
        raise UserError(f"no dialect {name!r}{meant(name, known)} (there are: {', '.join(known)})")
    return known[name]


def recognised(address: Address, *, api: Api = "openai") -> Profile:
    """The dialect that is spoken at an address, as far as its host, its path or its port tells; else the plain one."""
    plain = profiles()["plain" if api == "openai" else "anthropic-plain"]
    return known_at(address, profiles(), api=api) or plain


def known_at(address: Address, among: Mapping[str, Profile], *, api: str) -> Profile | None:
    """Which of them says that it stands at this address; the one that says it most exactly, if there are several."""
    places = [(len(place), profile) for profile in among.values() for place in profile.at if _is_at(address, place)]
    ours = [(length, profile) for length, profile in places if profile.api == api]
    return max(ours, key=lambda pair: pair[0])[1] if ours else None


@cache
def profiles() -> Mapping[str, Profile]:
    """Those that ship with us, by name."""
    import tomllib  # when it is first asked: whoever only imports waits for nothing

    known: dict[str, Profile] = {}
    for name, table in tomllib.loads(_FILE.read_text(encoding="utf-8")).items():
        known[name] = profile_of(name, table, known=known)
    return MappingProxyType(known)


def profile_of(name: str, table: object, *, known: Mapping[str, Profile] | None = None) -> Profile:
    """A profile from a table as it stands in a file. Raises UserError, in one line, for a field that cannot be meant.

    `like` names the dialect that it is an offspring of: of those in `known`, or that ship with us.
    """
    where = f"dialects.{name}"
    if not isinstance(table, dict):
        raise UserError(f"{where} must be a table, as in [{where}] (got {table!r})")
    others = profiles() if known is None else known
    like = table.get("like")
    if like is not None and not (isinstance(like, str) and like in others):
        raise UserError(f"{where}: like names no dialect (got {like!r}; there are: {', '.join(others)})")
    values: dict[str, Any] = {field: checked(where, field, value) for field, value in table.items() if field != "like"}
    if like is not None and others[like].batch is not None:
        values.setdefault("batch", 1.0)  # a discount is the service's own, and not that of whoever is like it
    profile = dataclasses.replace(others[like], name=name, **values) if like else Profile(name=name, **values)
    return dataclasses.replace(profile, headers=MappingProxyType({**_dated(profile.limits), **profile.headers}))


def _check_cap_alone(where: str, profile: Profile) -> None:
    """What bounds the answer is said once: whatever else is sent under that name would take its place."""
    own: Mapping[str, Any] = {"output_cap": profile.output_cap, "send": profile.send}
    everywhere = (own, *profile.models.values())
    caps = {table["output_cap"] for table in everywhere if "output_cap" in table}
    sent = {name for table in everywhere for name in table.get("send", ())}
    if taken := caps & sent:
        raise UserError(f"{where}: send must not say {', '.join(sorted(taken))}, which is the output_cap")


def _dated(limits: Mapping[str, str]) -> dict[str, str]:
    """What is told of a day or a second, under the name that elsewhere means a minute, gets the name that says so."""
    others = [dated(what, per=period) for what, period in limits.items() if period != "minute"]
    return {own: told for names in others for own, told in names.items()}


def _is_at(address: Address, place: str) -> bool:
    parts = urlsplit(address.url)
    if place.startswith(":"):
        return address.loopback and parts.port == int(place[1:])
    host, _, path = place.partition("/")
    return address.within(host) and parts.path.startswith(f"/{path}" if path else "")
