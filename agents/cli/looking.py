"""The commands that look: report, doctor; and the fake provider, to try things against."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.cli.options import ConfigOption, JsonOption
from agents.cli.output import print_json, say, say_address, say_aside, say_table, stopped_quietly
from agents.config import MOST_SEED

if TYPE_CHECKING:
    from asyncio import Event

    from engine.fakes.server import FakeProvider

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: smelt report runs/dates")(report)
    app.command(epilog="Example: smelt doctor")(doctor)
    app.command("fake-provider", epilog="Example: smelt fake-provider --world dates --port 8100 --rpm 600")(
        fake_provider
    )


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run that has ended.")],
    json: JsonOption = False,
) -> None:
    """Say what came of a run, and write its report.html anew."""
    from jinja2 import UndefinedError

    from agents.report import news_since, read_report, write_page
    from agents.run_folder import RunFolder
    from engine.errors import UserError

    folder = RunFolder(run)
    folder.configuration()  # says so when this is no run at all
    table = read_report(folder)
    try:
        write_page(table, folder)
    except (TypeError, ValueError, UndefinedError) as error:  # whole at the top, and yet not the values of a report
        raise UserError(f"{folder.report_json}: is damaged ({error}); smelt resume {run} writes it anew") from error
    if what_is_new := news_since(table, folder):
        say_aside(f"note: {what_is_new}")
    if json:
        print_json(table)
        return
    for line in (*table["verdict"], *(f"note: {warning}" for warning in table["warnings"])):
        say(line)
    say(f"report: {folder.report_html}")


def doctor(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Say what is there and what is missing. Keys, local servers, cached models, devices; what each would give."""
    from agents.config import resolve
    from agents.doctor import examine

    findings = examine(None if config is None else resolve(file=config, flags={}))
    if json:
        print_json({finding.what: {"found": finding.found, "detail": finding.detail} for finding in findings})
        return
    say_table(
        "what Smelt finds here",
        [
            {"": "yes" if finding.found else "no", "what": finding.what, "detail": finding.detail}
            for finding in findings
        ],
    )


def fake_provider(
    world: Annotated[
        str, typer.Option(metavar="NAME", help="The simulated teacher to serve: dates or intents.")
    ] = "dates",
    port: Annotated[int, typer.Option(help="The port; 0 takes a free one.", min=0, max=65535)] = 8100,
    latency: Annotated[
        float, typer.Option(metavar="SCALE", help="Times the world's own latency; 0 for none.", min=0)
    ] = 1.0,
    rpm: Annotated[int | None, typer.Option(metavar="N", help="Requests a minute, with true headers.", min=1)] = None,
    tpm: Annotated[int | None, typer.Option(metavar="N", help="Tokens a minute, with true headers.", min=1)] = None,
    error_rate: Annotated[
        float, typer.Option(metavar="P", help="Share of requests answered with a 500.", min=0, max=1)
    ] = 0.0,
    batch_seconds: Annotated[float, typer.Option(metavar="S", help="How long a batch takes.", min=0)] = 10.0,
    seed: Annotated[int, typer.Option(metavar="N", help="The world's seed.", min=0, max=MOST_SEED)] = 0,
) -> None:
    """Serve a simulated teacher over HTTP. In OpenAI's and Anthropic's dialects, with limits and faults on demand."""
    import asyncio

    from agents.interrupts import until_told
    from engine.fakes.batches import BatchBehaviour
    from engine.fakes.behaviour import Behaviour
    from engine.fakes.faults import FaultRates
    from engine.fakes.limits import RateLimits
    from engine.fakes.server import FakeProvider
    from engine.providers.resolve import world_named

    fake = FakeProvider(
        world_named(world, seed=seed),
        Behaviour(
            limits=RateLimits(rpm=rpm, tpm=tpm),
            faults=FaultRates(error=error_rate),
            latency_scale=latency,
            batches=BatchBehaviour(seconds=batch_seconds),
            seed=seed,
        ),
        port=port,
    )
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
