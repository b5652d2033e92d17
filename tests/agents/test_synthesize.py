"""The loop that makes rows: same bytes whoever is first, no row too many, and it always ends and says why."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.making.annealing import Band
from agents.making.synthesize import Settings, Synthesis, synthesize
from agents.records import Pair, Spec
from engine.errors import (
    BudgetReached,
    Interrupted,
    JournalUnusable,
    ProviderRefused,
    ProviderUnavailable,
    SmeltError,
    UserError,
)
from engine.events import Event, Events, Noted, RowAccepted, RowRejected, StageProgressed
from engine.fakes import virtual_time
from engine.messages import Reply, Request, Usage
from engine.providers import Capabilities

SPEC = Spec(
    instruction="Say whether the number is even.",
    kind="classification",
    labels=("even", "odd"),
    demonstrations=tuple(Pair(f"number {n}", "odd" if n % 2 else "even") for n in range(6)),
)
SMALL = Settings(examples=40, per_request=4, seed=3)


class Numbers:
    """Writes numbers that follow from the prompt, labels them with a slip now and then, after a wait of its own."""

    def __init__(
        self, *, latency_seed: int = 0, longest_s: float = 0.0, slips: float = 0.1, highest: int = 9999
    ) -> None:
        self.waits = random.Random(latency_seed)
        self.longest_s, self.slips, self.highest = longest_s, slips, highest
        self.asked: Counter[str] = Counter()
        self.in_flight = self.most_in_flight = 0

    async def ask(self, request: Request) -> Reply:
        self.asked[request.tag] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.waits.uniform(0, self.longest_s))
            text = self.answer(request, random.Random(repr(request)))
        finally:
            self.in_flight -= 1
        return Reply(texts=(text,), finish_reasons=("stop",), usage=Usage(1, 1), model="m")

    def answer(self, request: Request, chance: random.Random) -> str:
        if request.tag == "generate":
            found = re.search(r"Write (\d+) new", request.messages[0].content)
            count = int(found[1]) if found else 0
            return json.dumps([f"number {chance.randint(100, self.highest)}" for _ in range(count)])
        asked = request.messages[-1].content
        if not asked.startswith("1. "):
            return self.label(asked, chance)
        return re.sub('"(.*)"', lambda match: json.dumps(self.label(match[1], chance)), asked)

    def label(self, text: str, chance: random.Random) -> str:
        number = int(text.split()[1])
        return "even" if (number % 2 == 0) is not (chance.random() < self.slips) else "odd"


class FailsAt(Numbers):
    """Like Numbers, but from some call on, or at some calls, it raises."""

    def __init__(self, error: SmeltError, when: Callable[[int, Request], bool], **others: float) -> None:
        super().__init__(longest_s=others.get("longest_s", 0.0))
        self.error, self.when = error, when

    async def ask(self, request: Request) -> Reply:
        if self.when(self.asked.total(), request):
            self.asked[request.tag] += 1
            raise self.error
        return await super().ask(request)


def make(teacher: Numbers, how: Settings = SMALL, spec: Spec = SPEC, heard: list[Event] | None = None) -> Synthesis:
    events = Events()
    if heard is not None:
        events.subscribe(heard.append)
    return virtual_time.run(synthesize(teacher, spec, settings=how, events=events))


@settings(max_examples=25, deadline=None)
@given(latency_seed=st.integers(0, 10**6), longest_s=st.floats(0.01, 100.0))
@pytest.mark.long
def test_the_same_rows_come_out_whoever_answers_first(latency_seed: int, longest_s: float) -> None:
    assert make(Numbers(latency_seed=latency_seed, longest_s=longest_s)) == make(Numbers())


@settings(max_examples=10, deadline=None)
@given(latency_seed=st.integers(0, 10**6), annealing=st.sampled_from(["linear", "feedback"]))
@pytest.mark.long
def test_events_come_in_the_same_order_too(latency_seed: int, annealing: str) -> None:
    how = Settings(examples=100, per_request=4, annealing=annealing)
    one: list[Event] = []
    other: list[Event] = []
    make(Numbers(latency_seed=latency_seed, longest_s=9.0, highest=400), how, heard=one)
    make(Numbers(highest=400), how, heard=other)

    assert one == other


def test_another_seed_makes_other_rows() -> None:
    assert make(Numbers(), Settings(examples=40, seed=1)).examples != make(Numbers(), Settings(examples=40)).examples


def test_exactly_the_wanted_rows_are_made_each_once_and_in_the_order_of_the_requests() -> None:
    made = make(Numbers(longest_s=5.0, highest=300))
    places = [(example.provenance.request, example.provenance.position) for example in made.examples]

    assert made.stop == "target"
    assert len({example.input for example in made.examples}) == len(made.examples) == 40
    assert places == sorted(places)
    assert sum(made.yields) == 40
    assert len(made.temperatures) == made.requests


def test_demonstrations_and_withheld_inputs_never_become_rows() -> None:
    withheld = tuple(f"number {n}" for n in range(100, 160))
    made = virtual_time.run(synthesize(Numbers(highest=200), SPEC, settings=SMALL, events=Events(), withheld=withheld))

    assert not {example.input for example in made.examples} & {*withheld, *(pair.input for pair in SPEC.demonstrations)}
    assert "leak" in {reject.reason for reject in made.rejects}


@pytest.mark.long
def test_voting_corrects_slips_and_both_figures_can_be_told() -> None:
    def right(number: str, label: str) -> bool:
        return label == ("odd" if int(number.split()[1]) % 2 else "even")

    made = make(Numbers(slips=0.2), Settings(examples=400))
    voted = [row for row in made.labellings if row.accepted]

    assert sum(right(row.input, row.first) for row in voted) < sum(right(row.input, row.winner) for row in voted)
    assert [row.input for row in voted] == [example.input for example in made.examples]
    assert made.votes_asked < 3 * len(made.labellings)


def test_labels_come_out_in_their_quotas() -> None:
    """A teacher that does as it is told fills each label's share."""

    class Obedient(Numbers):
        def answer(self, request: Request, chance: random.Random) -> str:
            parity = int("right answer is: odd" in request.messages[0].content)
            if request.tag != "generate":
                return super().answer(request, chance)
            return json.dumps([f"number {2 * chance.randint(100, 9999) + parity}" for _ in range(4)])

    counts = Counter(example.output for example in make(Obedient(slips=0.0)).examples)

    assert counts == {"even": 20, "odd": 20}


def test_skewed_shares_are_reached_in_a_small_run() -> None:
    """Twelve rare labels are each asked for as often as rows of them are wanted, not for a whole request."""
    names = [f"label{n}" for n in range(13)]
    spec = Spec(instruction="Route it.", kind="classification", labels=tuple(names))

    class Obedient(Numbers):
        def answer(self, request: Request, chance: random.Random) -> str:
            if request.tag != "generate":
                return super().answer(request, chance)
            found = re.search(r"right answer is: (label\d+)", request.messages[0].content)
            name = found[1] if found else ""
            return json.dumps([f"{name} {chance.randint(100, 99999)} {chance.random()}" for _ in range(8)])

        def label(self, text: str, _: random.Random) -> str:
            return text.split(maxsplit=1)[0]

    shares = {name: 0.7 if name == "label0" else 0.025 for name in names}
    made = make(Obedient(), Settings(examples=200, shares=shares), spec)
    counts = Counter(example.output for example in made.examples)

    assert counts == {name: 140 if name == "label0" else 5 for name in names}


def test_few_shots_are_drawn_from_anchors_and_from_accepted_rows() -> None:
    made = make(Numbers(), Settings(examples=100, per_request=4))
    accepted = {example.input for example in made.examples}
    late = made.examples[-1].provenance.seeds

    assert set(made.examples[0].provenance.seeds) == {pair.input for pair in SPEC.demonstrations}
    assert len(set(late) & accepted) == 3


def test_hardly_more_is_asked_for_than_the_target_needs() -> None:
    teacher = Numbers()
    made = make(teacher, Settings(examples=40, per_request=4))

    assert teacher.asked["generate"] <= made.requests + 3


@pytest.mark.long
def test_more_is_asked_for_at_once_while_replies_are_whole_and_varied() -> None:
    made = make(Numbers(), Settings(examples=1000))

    assert made.asked[:8] == (8,) * 8
    assert {8, 12, 18, 27, 32} >= set(made.asked[:-9]) > {8, 12}
    assert sum(made.yields) == 1000


@pytest.mark.long
def test_less_is_asked_for_at_once_where_replies_are_not_whole() -> None:
    class Lazy(Numbers):
        """Writes five inputs, whatever is asked."""

        def answer(self, request: Request, chance: random.Random) -> str:
            answer = super().answer(request, chance)
            return json.dumps(json.loads(answer)[:5]) if request.tag == "generate" else answer

    made = make(Lazy(), Settings(examples=400))

    assert made.asked[0] == 8
    assert set(made.asked[10:]) <= {4, 5, 6, 7, 8}
    assert sum(made.asked[20:]) / len(made.asked[20:]) < 6


def test_a_request_that_may_not_grow_does_not() -> None:
    assert set(make(Numbers(), Settings(examples=400, growth=1)).asked) == {8}


@pytest.mark.long
def test_how_full_calls_were_and_why_is_told_once_at_the_end() -> None:
    heard: list[Event] = []
    made = make(Numbers(), Settings(examples=1000), heard=heard)
    alone = make(Numbers(), Settings(examples=40, labels_per_call=1))

    assert [event.text for event in heard if isinstance(event, Noted)] == [made.calls]
    assert made.calls == (
        "a request asks for 32 inputs (grown: replies were whole and varied at 27), "
        "a call labels 16 (sharing a prompt of 25 tokens among 16 saves 67% of what is sent)"
    )
    assert alone.calls.endswith("a call labels 1 (one at a time, as it was set)")


def test_no_request_asks_for_more_than_a_quarter_of_what_an_answer_is_to_get() -> None:
    made = make(Numbers(), Settings(examples=120))

    assert 8 < max(made.asked) <= 120 / 2 / 4


@pytest.mark.parametrize("most", [1, 5, 8])
@pytest.mark.long
def test_labels_share_calls_up_to_what_was_allowed(most: int) -> None:
    seen: Counter[int] = Counter()

    class Watching(Numbers):
        def answer(self, request: Request, chance: random.Random) -> str:
            if request.tag == "annotate":
                seen[max(1, request.messages[-1].content.count(". "))] += 1
            return super().answer(request, chance)

    made = make(Watching(slips=0.0), Settings(examples=1000, labels_per_call=most))

    assert made.stop == "target"
    assert max(seen) == most
    assert sum(seen.values()) < 1.5 * 2 * 1000 / most


@pytest.mark.long
def test_where_shared_calls_are_no_use_fewer_inputs_share_one() -> None:
    class Loose(Numbers):
        """Loses the last label whenever there are more than two."""

        def answer(self, request: Request, chance: random.Random) -> str:
            answer = super().answer(request, chance)
            return answer if request.tag == "generate" or "3. " not in answer else answer.rpartition("\n")[0]

    teacher = Loose(slips=0.0)
    made = make(teacher, Settings(examples=600))
    alone = Numbers(slips=0.0)
    alike = make(alone, Settings(examples=600, labels_per_call=1))

    assert made.stop == "target"
    assert "cut: replies were not whole at" in made.calls
    assert [example.output for example in made.examples] == [example.output for example in alike.examples]
    assert teacher.asked["annotate"] < alone.asked["annotate"]


@pytest.mark.long
def test_where_no_list_is_ever_whole_labels_are_asked_for_one_by_one_and_it_says_why() -> None:
    class Unlisted(Numbers):
        """Refuses every list of labels."""

        def answer(self, request: Request, chance: random.Random) -> str:
            answer = super().answer(request, chance)
            return "no" if request.tag == "annotate" and "1. " in answer else answer

    made = make(Unlisted(), Settings(examples=600, growth=1))

    assert made.stop == "target"
    assert made.calls.endswith("a call labels 1 (cut: replies were not whole at 2)")


@pytest.mark.long
def test_no_more_groups_are_under_way_than_the_lag() -> None:
    teacher = Numbers(longest_s=5.0)
    how = Settings(examples=400, per_request=4, votes=3)
    make(teacher, how)

    assert teacher.most_in_flight <= how.lag * how.per_request * 2


@pytest.mark.parametrize(("examples", "lag"), [(1, 8), (100, 8), (2000, 62), (10**6, 128)])
def test_the_lag_follows_from_the_target_alone(examples: int, lag: int) -> None:
    assert Settings(examples=examples).lag == lag


def test_a_well_that_is_dry_stops_the_run_and_says_why() -> None:
    heard: list[Event] = []
    made = make(Numbers(highest=110), heard=heard)

    assert made.stop == "nothing new"
    assert made.yields[-12:] == (0,) * 12
    assert made.why == f"the last 12 requests brought no new row (mostly: duplicate): {len(made.examples)} of 40 rows"
    assert heard[-1] == Noted(made.why)


def test_a_teacher_that_only_fails_ends_in_order_with_the_reason() -> None:
    made = make(FailsAt(ProviderUnavailable("503"), lambda *_: True))

    assert (made.stop, made.examples, made.requests) == ("nothing new", (), 12)
    assert {reject.reason for reject in made.rejects} == {"failed"}
    assert "(mostly: failed, ProviderUnavailable: 503)" in made.why


def test_a_failed_request_costs_itself_alone() -> None:
    made = make(FailsAt(ProviderUnavailable("503"), lambda calls, _: calls % 5 == 4))

    assert made.stop == "target"
    assert "failed" in {reject.reason for reject in made.rejects}
    assert made.votes_failed > 0


@pytest.mark.parametrize("spent_after", [0, 1, 15, 25])
def test_when_the_money_ends_every_row_that_was_paid_in_full_is_kept(spent_after: int) -> None:
    made = make(FailsAt(BudgetReached("spent"), lambda calls, _: calls >= spent_after, longest_s=3.0))
    whole = make(Numbers())

    assert (made.stop, type(made.error)) == ("budget", BudgetReached)
    assert f"{len(made.examples)} of 40 rows" in made.why
    assert len(made.examples) < 40
    if spent_after >= 15:
        assert {example.input for example in made.examples} & {example.input for example in whole.examples}


MADE_UP = Settings(examples=41, per_request=4, labels_per_call=1, seed=3)  # a last request of 4 for the one that lacks


def without_one_label(error: SmeltError, number: int) -> Synthesis:
    """One call of many is not paid for or not sent, as at the end of a budget."""
    labels = iter(range(1000))
    return make(FailsAt(error, lambda _, request: request.tag == "annotate" and next(labels) == number), MADE_UP)


@pytest.mark.parametrize(
    ("error", "stop"),
    [
        pytest.param(BudgetReached("spent"), "budget", id="for want of money"),
        pytest.param(ProviderRefused("no such key"), "refused", id="refused"),
    ],
)
@pytest.mark.long
def test_rows_that_make_up_for_what_an_error_kept_away_never_pass_for_the_whole(error: SmeltError, stop: str) -> None:
    whole = make(Numbers(), MADE_UP)
    made_up = 0

    for number in range(whole.votes_asked // 2, whole.votes_asked + 8):
        made = without_one_label(error, number)
        if made.stop == "target":
            assert made.examples == whole.examples
        else:
            assert (made.stop, made.error) == (stop, error)
            assert made.examples != whole.examples
            made_up += len(made.examples) == 41
    assert made_up > 0


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Interrupted("the run's time is over"), id="interrupted"),
        pytest.param(JournalUnusable("the journal is damaged"), id="a damaged journal"),
    ],
)
@pytest.mark.long
def test_what_ends_a_run_ends_it_also_where_others_get_round_it(error: SmeltError) -> None:
    for number in range(0, 80, 7):
        with pytest.raises(type(error), match=str(error)):
            without_one_label(error, number)


def test_nothing_is_started_once_the_money_has_ended() -> None:
    teacher = FailsAt(BudgetReached("spent"), lambda calls, _: calls >= 30)
    make(teacher)

    assert teacher.asked["generate"] <= SMALL.lag + 3


def test_a_provider_that_refuses_ends_the_run_with_the_rows_kept_and_the_error_at_hand() -> None:
    made = make(FailsAt(ProviderRefused("no such key"), lambda calls, _: calls >= 25))

    assert made.stop == "refused"
    assert isinstance(made.error, ProviderRefused)
    assert made.examples
    assert made.why.startswith("no such key")


def test_what_the_user_must_mend_is_raised_as_it_is() -> None:
    with pytest.raises(UserError, match="journal"):
        make(FailsAt(UserError("the journal is locked"), lambda calls, _: calls >= 25))


def test_nothing_more_is_asked_once_the_user_must_mend_something() -> None:
    """Others could be asked still, of a damaged journal or of a disk that is full; it would be for nothing."""
    many = Settings(examples=400, per_request=4, seed=3)
    spent = FailsAt(BudgetReached("spent"), lambda calls, _: calls == 25, longest_s=3.0)
    damaged = FailsAt(JournalUnusable("the journal is damaged"), lambda calls, _: calls == 25, longest_s=3.0)

    make(spent, many)
    with pytest.raises(JournalUnusable, match="damaged"):
        make(damaged, many)

    assert damaged.asked.total() < spent.asked.total()


def test_cancelling_leaves_nothing_behind() -> None:
    teacher = Numbers(longest_s=50.0)

    async def cancelled() -> int:
        task = asyncio.create_task(synthesize(teacher, SPEC, settings=SMALL, events=Events()))
        await asyncio.sleep(20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return len(asyncio.all_tasks()) - 1

    assert virtual_time.run(cancelled()) == 0
    assert teacher.in_flight == 0


def test_what_is_told_adds_up() -> None:
    heard: list[Event] = []
    made = make(Numbers(highest=200), heard=heard)
    progress = [event for event in heard if isinstance(event, StageProgressed)]

    assert [(event.input, event.output) for event in heard if isinstance(event, RowAccepted)] == [
        (example.input, example.output) for example in made.examples
    ]
    assert [event.reason for event in heard if isinstance(event, RowRejected)] == [r.reason for r in made.rejects]
    assert len(progress) == made.requests
    assert (progress[-1].done, progress[-1].total) == (40, 40)
    assert [name for name, _ in progress[-1].facts] == ["requests", "temperature"]


def test_an_endpoint_that_takes_no_temperature_is_sent_none() -> None:
    class Watching(Numbers):
        def answer(self, request: Request, chance: random.Random) -> str:
            assert request.temperature is None
            return super().answer(request, chance)

    heard: list[Event] = []
    made = make(Watching(), SMALL.within(Capabilities(max_temperature=None)), heard=heard)

    assert set(made.temperatures) == {None}
    assert made.stop == "target"
    facts = [event.facts for event in heard if isinstance(event, StageProgressed)]
    assert [name for name, _ in facts[-1]] == ["requests", "examples shown", "attributes asked for"]


def test_without_temperatures_what_moves_is_how_many_examples_are_shown() -> None:
    def shown(numbers: Numbers) -> list[int]:
        heard: list[Event] = []
        make(numbers, replace(SMALL, temperatures=None, patience=30), heard=heard)
        return [int(dict(event.facts)["examples shown"]) for event in heard if isinstance(event, StageProgressed)]

    varied, stale = shown(Numbers()), shown(Numbers(highest=115))

    assert set(varied) == {6}
    assert stale == sorted(stale, reverse=True)
    assert stale[-1] == 3


def test_temperatures_stay_under_the_endpoints_ceiling() -> None:
    how = Settings(temperatures=Band(low=0.7, high=1.4), label_temperature=1.2).within(
        Capabilities(max_temperature=1.0)
    )

    assert (how.temperatures, how.label_temperature) == (Band(low=0.7, high=1.0), 1.0)
    assert Settings().within(Capabilities()) == Settings()


def test_votes_are_completions_of_one_request_only_where_an_endpoint_gives_several() -> None:
    assert Settings(sampled=True).within(Capabilities()).sampled
    assert not Settings(sampled=True).within(Capabilities(n=False)).sampled


def test_requests_that_read_the_same_are_still_several_questions() -> None:
    bare = Spec(instruction="Say whether the number is even.")
    teacher = Numbers()
    made = make(teacher, Settings(examples=30, per_request=4), bare)

    assert made.stop == "target"
    assert not [reject for reject in made.rejects if reject.reason == "duplicate"]


class Obedient(Numbers):
    """Writes what it is asked for."""

    def answer(self, request: Request, chance: random.Random) -> str:
        wanted = re.search(r"right answer is: (even|odd)", request.messages[0].content)
        text = super().answer(request, chance)
        if request.tag != "generate" or wanted is None:
            return text
        return json.dumps([f"number {2 * chance.randint(50, 9**6) + (wanted[1] == 'odd')}" for _ in json.loads(text)])


@pytest.mark.long
def test_where_inputs_are_what_they_were_written_for_one_vote_that_says_so_is_enough() -> None:
    how = replace(SMALL, examples=400)
    made = make(Obedient(slips=0.02), how)
    votes: dict[int, list[int]] = {example.provenance.request: [] for example in made.examples}
    for example in made.examples:
        votes[example.provenance.request].append(len(example.vote.samples))

    late = {number: asked for number, asked in votes.items() if number > 24}
    assert all(min(asked) > 1 for number, asked in votes.items() if number < 8), "nothing is known yet"
    assert all(min(asked) > 1 for number, asked in late.items() if number % 8 == 0), "to go on learning"
    assert all(min(asked) == 1 for number, asked in late.items() if number % 8), "they say what was asked for"
    assert {labelling.lasting for labelling in made.labellings} > {1.0}
    assert make(Obedient(slips=0.02, latency_seed=7, longest_s=50.0), how) == made


@pytest.mark.long
def test_at_first_few_are_asked_for_and_twice_as_many_each_time_something_was_learnt() -> None:
    teacher, began = Numbers(), list[int]()

    class Counting(Numbers):
        async def ask(self, request: Request) -> Reply:
            if request.tag == "generate" and not teacher.asked["annotate"]:
                began.append(1)
            teacher.asked[request.tag] += 1
            await asyncio.sleep(1.0)
            return await super().ask(request)

    make(Counting(), Settings(examples=4000, per_request=4))

    assert len(began) == 8
