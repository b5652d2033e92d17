"""What a run would cost: the pilot is its beginning, and the forecast knows what it does not know."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agents.annotating.labelling import Labelled
from agents.demo.dates.world import World
from agents.estimating.duration import Gates, seconds_each
from agents.estimating.estimate import round_budgets, rounded_up
from agents.estimating.expected import expected, rows_for
from agents.estimating.forecast import foretell
from agents.estimating.heard import Answered, Listening, Tried, seconds_on_the_way, tried
from agents.estimating.labels import Left, left_of, texts_usd
from agents.estimating.novelty import draw_urns
from agents.estimating.policy import Policy, Sizes
from agents.estimating.prices import tariff_of
from agents.estimating.told import time_told
from agents.making.groups import Brought
from agents.making.synthesis import Settings, Synthesis
from agents.making.synthesize import synthesize
from agents.parsing.parse import parse, read_prompt
from agents.reading.inputs import InputRow
from agents.records import Vote
from engine import Budget, Engine, Events, SystemClock
from engine.fakes import virtual_time
from engine.messages import Request
from engine.providers.simulated import Simulated
from engine.throttle import Limits
from tests.agents.commands import in_this_process

pytestmark = pytest.mark.usefixtures("at_once")

PROMPT = Path(__file__).parents[2] / "agents" / "demo" / "dates" / "prompt.md"
SETTINGS = Settings(examples=60, per_request=4)


def call(
    *, asked_at: float = 0.0, latency_s: float = 1.0, tag: str = "annotate", tokens: tuple[int, int] = (100, 10)
) -> Answered:
    """A call at 1 USD a million input tokens and 4 a million output tokens."""
    return Answered(
        tag=tag,
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        shared_tokens=60.0,
        usd=tokens[0] * 1e-6 + tokens[1] * 4e-6,
        latency_s=latency_s,
        asked_at=asked_at,
        ended_at=asked_at + latency_s,
    )


def group(*, repeats: int = 0, rows: int | None = None) -> Tried:
    """A request for eight inputs and two rounds of labels."""
    fresh = (True,) * (8 - repeats) + (False,) * repeats
    return Tried(
        asked=8,
        fresh=fresh,
        labelled=8 - repeats,
        repeats_labelled=0,
        votes=2 * (8 - repeats),
        in_full=8 - repeats,
        votes_in_full=2 * (8 - repeats),
        rows=8 - repeats if rows is None else rows,
        together=8,
        labels_taste="good",
        aimed=(),
        calls=(
            call(tag="generate", latency_s=2.0, tokens=(300, 200)),
            call(asked_at=2.0, tokens=(200, 60)),
            call(asked_at=2.0, tokens=(220, 60)),
        ),
    )


POLICY = Policy(wanted=400, start=8, most=32, under_way=96, lead=64, lag=12, votes=3, first_votes=2, labels_at_most=16)


async def synthesized(*, most_groups: int | None) -> tuple[list[Request], Synthesis, tuple[Tried, ...]]:
    """What was asked, what came of it, and the groups as they were listened to."""
    clock, heard = SystemClock(), list[Brought]()
    async with Engine(Simulated(World(3), clock), budget=Budget(usd=5), seed=3) as engine:
        listening = Listening(engine, clock)
        synthesis = await synthesize(
            listening,
            parse(read_prompt(PROMPT)),
            settings=SETTINGS,
            events=Events(),
            purse=engine,
            most_groups=most_groups,
            heard=heard.append,
        )
    return list(listening.groups), synthesis, tried(heard, synthesis, listening)


def test_a_pilot_asks_what_the_run_asks_first_and_brings_the_same_rows() -> None:
    asked, rows, groups = virtual_time.run(synthesized(most_groups=6))
    all_asked, all_rows, all_groups = virtual_time.run(synthesized(most_groups=None))

    assert rows.stop == "pilot"
    assert all_asked[:6] == asked
    assert all_rows.examples[: len(rows.examples)] == rows.examples
    assert [each.rows for each in groups] == [each.rows for each in all_groups[:6]]
    assert sum(each.rows for each in groups) == len(rows.examples)
    assert all(each.calls[0].tag == "generate" and each.seconds > 0 for each in groups)


def test_only_calls_that_wait_for_one_another_add_up() -> None:
    calls = [call(latency_s=2.0), call(asked_at=2.0, latency_s=1.0), call(asked_at=2.0, latency_s=0.5)]

    assert seconds_on_the_way(calls) == 3.0


def test_prices_are_told_from_what_was_charged() -> None:
    tariff = tariff_of([call(tokens=(100, 10)), call(tokens=(300, 200)), call(tokens=(50, 70))])

    assert tariff == pytest.approx((1e-6, 4e-6))
    assert tariff_of([replace(call(), usd=0.0)]) == (0.0, 0.0)


def test_what_a_pilot_cannot_tell_makes_the_forecast_wide() -> None:
    """A hundred new drafts may come from a pool of six thousand, or from one that never ends."""
    urns = draw_urns([True] * 100, draws=400, chance=np.random.default_rng(0))

    later = urns.chance_of_new(np.array(6000.0), np.array(5000.0))

    assert np.quantile(later, 0.05) < 0.7 < 0.97 < np.quantile(later, 0.95)


def test_a_pool_that_is_nearly_empty_is_seen_to_be() -> None:
    """Thirty different ones, and then hardly anything but these."""
    urns = draw_urns([True] * 30 + [False] * 60, draws=400, chance=np.random.default_rng(0))

    assert np.quantile(urns.chance_of_new(np.array(200.0), np.array(31.0)), 0.9) < 0.3


def test_requests_grow_as_in_a_run() -> None:
    sizes = Sizes(POLICY)

    asked = []
    for _ in range(60):
        sizes.begin()
        asked.append(sizes.end(inputs="good", labels="good", together=sizes.labels.size))

    assert asked == sorted(asked)
    assert (asked[0], asked[-1]) == (8, 32)


def test_rows_grow_dearer_when_drafts_repeat_and_the_whole_lies_beyond_a_straight_line() -> None:
    fresh = foretell([group() for _ in range(12)], POLICY, before=(), seed=0, draws=200)
    stale = foretell([group(repeats=min(6, n // 2)) for n in range(12)], POLICY, before=(), seed=0, draws=200)

    free = [expected(paths, POLICY, Gates(), cap_usd=None, seed=0) for paths in (fresh, stale)]

    assert free[1].usd.middle > 1.5 * free[0].usd.middle
    assert free[1].usd.high / free[1].usd.low > free[0].usd.high / free[0].usd.low
    assert free[0].rows.low == 400


def test_a_cap_ends_the_forecast_and_a_budget_brings_the_rows_up_to_there() -> None:
    paths = foretell([group() for _ in range(12)], POLICY, before=(), seed=0, draws=200)
    whole = expected(paths, POLICY, Gates(), cap_usd=None, seed=0)

    half = expected(paths, POLICY, Gates(), cap_usd=whole.usd.middle / 2, seed=0)
    (table,) = rows_for(paths, [whole.usd.middle / 2])

    assert half.reaches == 0.0
    assert half.usd.high <= whole.usd.middle / 2
    assert 150 < half.rows.middle < 250
    assert table.middle == pytest.approx(half.rows.middle, rel=0.1)


def test_the_same_pilot_and_seed_foretell_the_same() -> None:
    one, other = (foretell([group(), group(repeats=2), group()], POLICY, before=(), seed=1, draws=20) for _ in "ab")

    assert np.array_equal(one.usd, other.usd)
    assert np.array_equal(one.seconds, other.seconds)


def test_limits_and_slots_make_a_run_longer() -> None:
    calls, tokens = np.array([600.0]), np.array([60_000.0])

    def seconds(gates: Gates) -> float:
        return float(seconds_each(calls, np.array([10.0]), gates, input_tokens=tokens, output_tokens=tokens)[0])

    assert seconds(Gates()) == pytest.approx(10, rel=0.01)
    assert seconds(Gates(limits=Limits(rpm=60))) == pytest.approx(600, rel=0.01)
    assert seconds(Gates(limits=Limits(output_tpm=6000))) == pytest.approx(600, rel=0.01)
    assert seconds(Gates(at_once=1, latency_s=2.0)) == pytest.approx(1200, rel=0.01)


def test_amounts_and_times_are_written_as_people_do() -> None:
    assert [rounded_up(usd) for usd in (0.0, 0.0312, 3.1, 12.01, 187.0)] == ["0", "0.032", "3.1", "13", "190"]
    assert [time_told(seconds) for seconds in (8, 240, 9000, 300_000)] == ["8 s", "4 min", "2.5 h", "3.5 days"]
    assert round_budgets(1.0, own="5", paid=0.1) == [0.25, 0.5, 1.0, 2.0]
    assert round_budgets(1.0, own="5", paid=0.6) == [1.0, 2.0]
    assert 3.0 in round_budgets(1.0, own="3", paid=0.1)


@pytest.mark.long
def test_the_run_goes_on_from_its_pilot_and_pays_for_nothing_again(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = [PROMPT, "--model", "simulated/dates", "--examples", "120", "--out", folder, "--json"]

    made = in_this_process("estimate", *words, "--data-only")
    ran = in_this_process("generate", *words)

    estimate, report = (json.loads(each.out.splitlines()[-1]) for each in (made, ran))
    assert (made.code, ran.code) == (0, 0)
    assert estimate["simulated"]
    assert report["money"]["from_journal"] >= estimate["pilot"]["calls"] - 1  # the plan is read from its file
    assert estimate["usd"]["low"] <= float(report["money"]["charged"].strip("$")) <= estimate["usd"]["high"]


def labelled(number: int, text: str, *, usd: float) -> Labelled:
    vote = Vote("x", 1.0, ("x", "x"), cost_usd=usd)
    return Labelled(InputRow(number, text), vote, first="x", asked=2)


def test_what_is_left_of_a_file_counts_each_text_once_and_none_that_cannot_be_asked_about() -> None:
    texts = ["one", "two", "one", "three", "three", "", "four"]
    rows = [InputRow(number, text) for number, text in enumerate(texts, start=1)]

    left = left_of(rows, [labelled(1, "one", usd=1.0), labelled(2, "two", usd=1.0)])

    assert left == Left(texts=2, characters=len("threefour"), rows=4)


def test_longer_inputs_are_told_to_cost_more_as_far_as_the_first_ones_say_so() -> None:
    chance = np.random.default_rng(0)
    ended = [labelled(n, "x" * (10 + n), usd=0.01 * (10 + n)) for n in range(40)]
    alike = [labelled(n, "x" * (10 + n), usd=0.3) for n in range(40)]

    longer, same = (np.median(texts_usd(rows, Left(100, 6000, 100), chance=chance)) for rows in (ended, alike))

    assert longer == pytest.approx(100 * 0.60, rel=0.05)
    assert same == pytest.approx(100 * 0.30, rel=0.05)


@pytest.mark.long
def test_labels_go_on_from_their_pilot_and_cost_what_was_told(tmp_path: Path) -> None:
    rows = (PROMPT.parent / "test.jsonl").read_text(encoding="utf-8").splitlines()[:240]
    inputs = tmp_path / "inputs.txt"
    inputs.write_text("\n".join(json.loads(row)["input"] for row in rows), encoding="utf-8")
    words = [PROMPT, "--inputs", inputs, "--model", "simulated/dates", "--out", tmp_path / "run", "--json"]

    made = in_this_process("estimate", *words)
    ran = in_this_process("annotate", *words)

    assert (made.code, ran.code) == (0, 0), made.err + ran.err
    estimate, report = (json.loads(each.out.splitlines()[-1]) for each in (made, ran))
    assert report["money"]["from_journal"] >= 10
    assert estimate["usd"]["low"] <= float(report["money"]["charged"].strip("$")) <= estimate["usd"]["high"]
    assert estimate["rows"]["low"] <= report["inputs"]["labelled"] <= estimate["rows"]["high"]


@pytest.mark.long
def test_a_pilot_that_has_too_little_money_says_so_with_the_way_on(tmp_path: Path) -> None:
    words = [PROMPT, "--model", "simulated/dates", "--out", tmp_path / "run"]

    short = in_this_process("estimate", *words, "--pilot-budget", "0.0005")
    enough = in_this_process("estimate", *words, "--pilot-budget", "0.05")

    assert short.code == 3
    assert "--pilot-budget USD" in short.err
    assert enough.code == 0, enough.err
    assert "smelt resume" in enough.out
