"""The command that fakes a provider, to try things against: any client, not ours alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from agents.checks import MOST_SEED
from agents.cli.options import examples
from agents.cli.output import say, say_address, say_table, stopped_quietly

if TYPE_CHECKING:
    from asyncio import Event

    from engine.fakes.behaviour import Behaviour
    from engine.fakes.server import FakeProvider
    from engine.providers.simulated import World

__all__ = ["register"]

_EXAMPLES: Final = examples(
    "smelt fake-provider --world dates --port 8100 --rpm 600 --error-rate 0.05",
    'smelt fake-provider --world echo --latency 0 --rule "429-requests share=0.02 retry_after=2"',
    'smelt fake-provider --world echo --rule "hang nth=50" --rule "truncated sighting=1" --quota 0.05',
    'smelt fake-provider --world echo --rule "reset method=POST path=/v1/batches first=1"',
    "smelt fake-provider --mishaps",
    """curl -X PATCH localhost:8100/control/behaviour -d '{"rules": [{"do": "gzip_bomb"}]}'""",
    'curl localhost:8100/v1/models -H "x-mishap: 503-overloaded retry_after=2"',
)

WorldName = Annotated[
    str, typer.Option(metavar="NAME", help="The simulated teacher to serve, such as dates or intents; or echo.")
]
Port = Annotated[int, typer.Option(help="The port; 0 takes a free one.", min=0, max=65535)]
Latency = Annotated[float, typer.Option(metavar="SCALE", help="Times the world's own latency; 0 for none.", min=0)]
LatencySeconds = Annotated[
    float | None, typer.Option(metavar="S", help="This latency, and not the world's own.", min=0)
]
LatencySigma = Annotated[float, typer.Option(metavar="SIGMA", help="Spread latencies log-normally around it.", min=0)]
Rpm = Annotated[int | None, typer.Option(metavar="N", help="Requests a minute, with true headers.", min=1)]
Tpm = Annotated[int | None, typer.Option(metavar="N", help="Tokens a minute, with true headers.", min=1)]
Itpm = Annotated[int | None, typer.Option(metavar="N", help="Input tokens a minute, apart.", min=1)]
Otpm = Annotated[int | None, typer.Option(metavar="N", help="Output tokens a minute, apart.", min=1)]
Rpd = Annotated[int | None, typer.Option(metavar="N", help="Requests a day: whoever meets it waits long.", min=1)]
Tpd = Annotated[int | None, typer.Option(metavar="N", help="Tokens a day.", min=1)]
PerKey = Annotated[bool, typer.Option("--per-key", help="Each key has these limits for itself.")]
Azure = Annotated[bool, typer.Option("--azure", help="Limits as at Azure: all back at each whole minute.")]
Context = Annotated[int | None, typer.Option(metavar="N", help="Tokens that prompt and allowance may have.", min=1)]
Quota = Annotated[
    float | None, typer.Option(metavar="USD", help="Once so much was billed, the account is empty.", min=0)
]
ErrorRate = Annotated[float, typer.Option(metavar="P", help="Share of requests answered with a 500.", min=0, max=1)]
Rules = Annotated[
    list[str] | None,
    typer.Option(
        metavar="RULE",
        help="What goes wrong when: a mishap, conditions, settings, in words or as JSON. May be repeated; "
        "the first that holds decides.",
    ),
]
BehaviourFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A behaviour as JSON, as GET /control/behaviour tells it; instead of these."),
]
KeyFrom = Annotated[str | None, typer.Option(metavar="VARIABLE", help="Refuse all keys but the one in this variable.")]
BatchSeconds = Annotated[float, typer.Option(metavar="S", help="How long a batch takes.", min=0)]
Seed = Annotated[int, typer.Option(metavar="N", help="The world's seed.", min=0, max=MOST_SEED)]
Mishaps = Annotated[bool, typer.Option("--mishaps", help="List what rules can do, and stop.")]


def register(app: typer.Typer) -> None:
    app.command("fake-provider", epilog=_EXAMPLES)(fake_provider)


def fake_provider(
    world: WorldName = "dates",
    port: Port = 8100,
    latency: Latency = 1.0,
    latency_seconds: LatencySeconds = None,
    latency_sigma: LatencySigma = 0.0,
    rpm: Rpm = None,
    tpm: Tpm = None,
    itpm: Itpm = None,
    otpm: Otpm = None,
    rpd: Rpd = None,
    tpd: Tpd = None,
    per_key: PerKey = False,
    azure: Azure = False,
    context: Context = None,
    quota: Quota = None,
    error_rate: ErrorRate = 0.0,
    rule: Rules = None,
    behaviour: BehaviourFile = None,
    key_from: KeyFrom = None,
    batch_seconds: BatchSeconds = 10.0,
    seed: Seed = 0,
    mishaps: Mishaps = False,
) -> None:
    """Serve a simulated teacher over HTTP. In OpenAI's and Anthropic's dialects, with limits and faults on demand."""
    if mishaps:
        _list_mishaps()
        return
    from engine.fakes.batches import BatchBehaviour
    from engine.fakes.behaviour import Behaviour
    from engine.fakes.faults import FaultRates
    from engine.fakes.limits import RateLimits
    from engine.fakes.rule_forms import rule_from_text

    style: Literal["azure", "usual"] = "azure" if azure else "usual"
    told = Behaviour(
        limits=RateLimits(rpm=rpm, tpm=tpm, itpm=itpm, otpm=otpm, rpd=rpd, tpd=tpd, per_key=per_key, style=style),
        faults=FaultRates(error=error_rate),
        rules=tuple(map(rule_from_text, rule or ())),
        latency_s=latency_seconds,
        latency_scale=latency,
        latency_sigma=latency_sigma,
        context_tokens=context,
        quota_usd=quota,
        batches=BatchBehaviour(seconds=batch_seconds),
        seed=seed,
    )
    told = _read_alone(behaviour, told, batch_seconds) if behaviour else told
    _serve_until_stopped(world, _with_key(told, key_from), port=port)


def _read_alone(path: Path, told: Behaviour, batch_seconds: float) -> Behaviour:
    """The behaviour in a file, which has all of it to itself."""
    from engine.errors import UserError
    from engine.fakes.batches import BatchBehaviour
    from engine.fakes.behaviour import Behaviour

    if told != Behaviour(batches=BatchBehaviour(seconds=batch_seconds)):
        raise UserError("--behaviour says all of how it behaves; give either the file or the other options")
    return _read(path)


def _read(path: Path) -> Behaviour:
    from engine.errors import UserError
    from engine.fakes.behaviour import Behaviour
    from engine.fakes.control import behaviour_from

    try:
        return behaviour_from(path.read_bytes(), now=Behaviour(), in_part=False)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _with_key(behaviour: Behaviour, variable: str | None) -> Behaviour:
    import os

    from engine.errors import UserError

    if variable is None:
        return behaviour
    if not (key := os.environ.get(variable)):
        raise UserError(f"--key-from {variable}: no such variable is set, or it is empty")
    return replace(behaviour, api_key=key)


def _world(name: str, *, seed: int) -> World:
    from engine.fakes.worlds import EchoWorld
    from engine.providers.resolve import world_named

    return EchoWorld(seed=seed) if name == "echo" else world_named(name, seed=seed)


def _serve_until_stopped(world: str, behaviour: Behaviour, *, port: int) -> None:
    import asyncio

    from agents.interrupts import until_told
    from engine.fakes.server import FakeProvider

    fake = FakeProvider(_world(world, seed=behaviour.seed), behaviour, port=port)
    with stopped_quietly():
        asyncio.run(until_told(lambda told: _serve(fake, world, told)))


async def _serve(fake: FakeProvider, world: str, told: Event) -> None:
    async with fake:
        _introduce(fake.url, world)
        await told.wait()


def _introduce(url: str, world: str) -> None:
    say(f"a simulated teacher answers at {url} (Ctrl-C stops it); try one of:")
    options = f"--base-url {url} --price-in 0.25 --price-out 2 --budget 5"
    say(f"smelt run PROMPT.md --model openai/{world} {options}")
    say_address(f"smelt run PROMPT.md --model anthropic/{world} {options}")


def _list_mishaps() -> None:
    from engine.fakes.mishaps import FAMILIES

    for family, known in FAMILIES.items():
        rows = [
            {
                "name": name,
                "settings": mishap.settings_in_words,
                "what a client meets": mishap.about,
            }
            for name, mishap in known.items()
        ]
        say_table(family, rows)
