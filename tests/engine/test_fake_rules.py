"""Rules of the fake provider: which request meets what, by seed and request alone; how they are written down."""

from __future__ import annotations

import re
from collections.abc import Mapping

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import UserError
from engine.fakes.batches import BatchBehaviour
from engine.fakes.behaviour import Behaviour, Change
from engine.fakes.case import Unread
from engine.fakes.control import behaviour_from, mishaps_record, record_of_behaviour
from engine.fakes.faults import FaultRates
from engine.fakes.limits import RateLimits
from engine.fakes.mishaps import MISHAPS
from engine.fakes.rule_forms import record_of_rule, rule_from_text, rule_of
from engine.fakes.rules import Judge, Rule, Seen, When

READ = [name for name, mishap in MISHAPS.items() if not isinstance(mishap, Unread)]


def met(judge: Judge, text: str = "hello", *, model: str = "m", dialect: str = "openai", at: float = 0.0) -> str | None:
    """What a request meets."""
    rule = judge.met(Seen(body=text.encode(), texts=[text], model=model, dialect=dialect), elapsed=at)
    return None if rule is None else rule.do


def judge_of(*rules: Rule, seed: int = 0) -> Judge:
    return Judge(rules, seed=seed)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        pytest.param(When(), "XXXXXX", id="always"),
        pytest.param(When(nth=3), "..X..X", id="every third"),
        pytest.param(When(first=2), "XX....", id="the first two"),
        pytest.param(When(nth=2, first=4), ".X.X..", id="the second and the fourth"),
        pytest.param(When(sighting=2), ".X....", id="the second time that it comes"),
        pytest.param(When(share=0.0), "......", id="never"),
        pytest.param(When(share=1.0), "XXXXXX", id="all"),
        pytest.param(When(from_s=2, until_s=4), "..XX..", id="for a time"),
    ],
)
def test_a_rule_holds_when_it_says(when: When, expected: str) -> None:
    judge = judge_of(Rule("hang", when))

    assert "".join("X" if met(judge, at=second) else "." for second in range(6)) == expected


def test_times_count_from_the_first_request_on() -> None:
    judge = judge_of(Rule("hang", When(until_s=5)))

    assert [met(judge, at=at) for at in (100, 104, 106)] == ["hang", "hang", None]


def test_a_request_is_known_by_its_text_its_model_and_its_dialect() -> None:
    judge = judge_of(
        Rule("hang", When(contains="Paris")), Rule("drip", When(model="gpt-*")), Rule("html", When(dialect="anthropic"))
    )

    assert met(judge, "in Paris, then") == "hang"
    assert met(judge, model="gpt-5") == "drip"
    assert met(judge, dialect="anthropic") == "html"
    assert met(judge) is None


def test_a_call_is_known_by_method_and_path_also_before_it_is_read() -> None:
    read, unread = (
        judge_of(Rule(do, When(method="POST", path="/v1/batches")), Rule(other, When(path="/v1/files/*/content")))
        for do, other in (("hang", "drip"), ("reset_unread", "refuse"))
    )
    calls = [("POST", "/v1/batches"), ("GET", "/v1/batches"), ("GET", "/v1/files/f-1/content"), ("POST", "/v1/files")]
    seen = [Seen(method=method, path=path, answers=False) for method, path in calls]

    assert [rule and rule.do for rule in (read.met(each, elapsed=0) for each in seen)] == ["hang", None, "drip", None]
    assert [rule and rule.do for rule in (unread.met_unread(each, elapsed=0) for each in seen)] == [
        "reset_unread", None, "refuse", None,
    ]  # fmt: skip


def test_what_is_about_a_model_s_words_passes_by_calls_that_ask_for_none() -> None:
    judge = judge_of(Rule("usage_zero", When(nth=2)), Rule("html"))
    called, asked = Seen(path="/v1/files", answers=False), Seen(path="/v1/chat/completions")

    met = [judge.met(seen, elapsed=0.0) for seen in (asked, called, called, asked)]

    assert [rule and rule.do for rule in met] == ["html", "html", "html", "usage_zero"]


def test_the_same_call_to_another_place_draws_anew() -> None:
    judge = judge_of(Rule("hang", When(sighting=1)))
    seen = [Seen(method="GET", path=f"/v1/batches/{name}", answers=False) for name in "aab"]

    assert [rule and rule.do for rule in (judge.met(each, elapsed=0.0) for each in seen)] == ["hang", None, "hang"]


def test_the_first_rule_that_holds_decides_and_the_others_do_not_count_it() -> None:
    judge = judge_of(Rule("hang", When(contains="a")), Rule("drip", When(nth=2)))

    assert [met(judge, text) for text in "abab"] == ["hang", None, "hang", "drip"]


@given(
    texts=st.lists(st.text(max_size=5), unique=True, min_size=1, max_size=30),
    share=st.floats(0, 1),
    seed=st.integers(0, 99),
    again=st.integers(1, 3),
)
def test_a_share_is_drawn_by_seed_and_request_whatever_the_order(
    texts: list[str], share: float, seed: int, again: int
) -> None:
    forth, back = (judge_of(Rule("hang", When(share=share)), seed=seed) for _ in range(2))

    one = {text: [met(forth, text) for _ in range(again)] for text in texts}
    other = {text: [met(back, text) for _ in range(again)] for text in reversed(texts)}

    assert one == other


def test_a_share_is_kept_and_another_rule_another_seed_and_another_try_draw_anew() -> None:
    def drawn(seed: int, *, place: int = 0, tries: int = 1) -> list[str | None]:
        before = [Rule("drip", When(contains="nobody says this"))] * place
        judge = judge_of(*before, Rule("hang", When(share=0.3)), seed=seed)
        return [[met(judge, str(number)) for _ in range(tries)][-1] for number in range(500)]

    outcomes = [drawn(1), drawn(2), drawn(1, place=1), drawn(1, tries=2)]

    assert all(110 < outcome.count("hang") < 190 for outcome in outcomes)
    assert len({tuple(outcome) for outcome in outcomes}) == 4


def test_before_a_request_is_read_rules_know_only_that_it_comes() -> None:
    judge = judge_of(Rule("reset_unread", When(nth=2)), Rule("hang"))

    assert [rule and rule.do for rule in (judge.met_unread(Seen(), elapsed=0.0) for _ in range(4))] == [
        None, "reset_unread", None, "reset_unread",
    ]  # fmt: skip
    assert met(judge) == "hang"


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        ("hang", "a rule must look like"),
        ({"when": {}}, "a rule must look like"),
        ({"do": "hang", "then": 1}, "a rule must look like"),
        ({"do": "hangs"}, "nothing to do by the name 'hangs'; did you mean 'hang'?"),
        ({"do": "hang", "when": {"shares": 0.1}}, "no field 'shares'; did you mean 'share'?"),
        ({"do": "hang", "when": {"share": "much"}}, "share must be a number or null (got 'much')"),
        ({"do": "hang", "when": {"share": 1.5}}, "share must lie between 0 and 1 (got 1.5)"),
        ({"do": "hang", "when": {"nth": 0}}, "nth must be at least 1 (got 0)"),
        ({"do": "hang", "when": {"nth": True}}, "nth must be a whole number or null"),
        ({"do": "hang", "when": {"dialect": "latin"}}, 'dialect must be "openai" or "anthropic" or null'),
        ({"do": "hang", "when": {"method": "PATCH"}}, 'method must be "GET" or "POST" or "DELETE" or null'),
        ({"do": "hang", "when": {"from_s": 5, "until_s": 5}}, "never comes"),
        ({"do": "hang", "when": []}, "must be an object"),
        ({"do": "hang", "with": []}, "`with` must be an object"),
        ({"do": "hang", "with": {"seconds": 1}}, "hang: no setting 'seconds' (there are: headers)"),
        ({"do": "drip", "with": {"second": 1}}, "no setting 'second'; did you mean 'seconds'?"),
        ({"do": "drip", "with": {"seconds": -1}}, "seconds must be a number from 0 to 1,000,000 (got -1)"),
        ({"do": "drip", "with": {"seconds": "1"}}, "seconds must be a number"),
        ({"do": "huge_body", "with": {"megabytes": 1.5}}, "megabytes must be a whole number"),
        ({"do": "429-requests", "with": {"retry_after": 3}}, "retry_after must be a text"),
        ({"do": "429-requests", "with": {"retry_after": "1\r\nx: y"}}, "must be a text of one line"),
        ({"do": "hang", "with": {"headers": {"a b": "c"}}}, "'a b' cannot be the name of a header"),
        ({"do": "hang", "with": {"headers": {"a": "c\nd"}}}, "a: must be a text of one line"),
        ({"do": "hang", "with": {"headers": []}}, "headers must be an object"),
        ({"do": "refuse", "when": {"contains": "x", "model": "m"}}, "cannot depend on contains and model"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_one_clear_line(told: object, complaint: str) -> None:
    with pytest.raises(UserError) as caught:
        rule_of(told)

    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("hang", Rule("hang")),
        ("hang share=0.01", Rule("hang", When(share=0.01))),
        ("drip nth=10 seconds=0.5", Rule("drip", When(nth=10), {"seconds": 0.5})),
        ("429-requests retry_after=2", Rule("429-requests", settings={"retry_after": "2"})),
        ("reset method=POST path=/v1/files* first=2", Rule("reset", When(method="POST", path="/v1/files*", first=2))),
        ("401-key contains=12 model=gpt-*", Rule("401-key", When(contains="12", model="gpt-*"))),
        ('{"do": "html", "when": {"first": 2}}', Rule("html", When(first=2))),
        (
            '{"do": "answer", "with": {"headers": {"x-a": "b", "date": null}}}',
            Rule("answer", headers={"x-a": "b", "date": None}),
        ),
    ],
)
def test_a_rule_may_be_written_in_words_or_in_json(text: str, rule: Rule) -> None:
    assert rule_from_text(text) == rule


@pytest.mark.parametrize("text", ["", "  ", "hang share", "hang share=", "hang share=x", "{", '{"do": 1}', "hang x=1"])
def test_words_that_are_no_rule_are_one_clear_line(text: str) -> None:
    with pytest.raises(UserError, match=re.compile("^[^\n]+$")):
        rule_from_text(text)


WHENS = st.builds(
    When,
    share=st.none() | st.floats(0, 1),
    nth=st.none() | st.integers(1, 99),
    first=st.none() | st.integers(1, 99),
    sighting=st.none() | st.integers(1, 9),
    contains=st.none() | st.text(max_size=9),
    model=st.none() | st.text(max_size=9),
    dialect=st.sampled_from([None, "openai", "anthropic"]),
    method=st.sampled_from([None, "GET", "POST", "DELETE"]),
    path=st.none() | st.text(max_size=9),
    from_s=st.floats(0, 9),
    until_s=st.none() | st.floats(10, 99),
)
RULES = st.builds(
    lambda do, when, headers: Rule(do, when, dict(MISHAPS[do].settings), headers),
    st.sampled_from(READ),
    WHENS,
    st.dictionaries(st.sampled_from(["x-a", "date"]), st.none() | st.just("b")),
)
LIMITS = st.builds(
    RateLimits,
    rpm=st.none() | st.integers(1, 99),
    rpd=st.none() | st.integers(1, 99),
    quantum_s=st.floats(0, 60),
    per_key=st.booleans(),
    style=st.sampled_from(["usual", "azure"]),
)
BEHAVIOURS = st.builds(
    Behaviour,
    limits=LIMITS,
    tells_limits=st.booleans(),
    faults=st.builds(FaultRates, error=st.floats(0, 0.5)),
    rules=st.lists(RULES, max_size=3).map(tuple),
    changes=st.lists(st.builds(Change, after_s=st.floats(0, 9), limits=st.none() | LIMITS), max_size=2).map(tuple),
    latency_s=st.none() | st.floats(0, 9),
    context_tokens=st.none() | st.integers(1, 99),
    quota_usd=st.none() | st.floats(0, 9),
    batches=st.builds(BatchBehaviour, seconds=st.floats(0, 9)),
    seed=st.integers(0, 99),
)


@given(rule=RULES)
def test_a_rule_that_was_written_down_is_read_back_as_it_was(rule: Rule) -> None:
    assert rule_of(orjson.loads(orjson.dumps(record_of_rule(rule)))) == rule


@settings(max_examples=30)
@given(behaviour=BEHAVIOURS, other=BEHAVIOURS)
def test_to_put_a_behaviour_that_was_got_restores_it(behaviour: Behaviour, other: Behaviour) -> None:
    told = orjson.dumps(record_of_behaviour(behaviour))

    assert behaviour_from(told, now=other, in_part=False) == behaviour


@settings(max_examples=30)
@given(now=BEHAVIOURS)
def test_a_patch_changes_what_it_names_and_nothing_else(now: Behaviour) -> None:
    changed = behaviour_from(b'{"latency_s": 2, "rules": []}', now=now, in_part=True)

    told, expected = record_of_behaviour(changed), record_of_behaviour(now)
    assert told == {**expected, "latency_s": 2.0, "rules": []}


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"", "must be JSON"),
        (b"[]", "must be an object"),
        (b'{"latency": 1}', "no field 'latency'; did you mean 'latency_s'?"),
        (b'{"latency_s": "1"}', "latency_s must be a number or null (got '1')"),
        (b'{"latency_s": -1}', "latency_s must be a number, at least 0"),
        (b'{"tells_limits": 1}', "tells_limits must be true or false (got 1)"),
        (b'{"limits": {"rpm": 0}}', "rpm must be a whole number, at least 1"),
        (b'{"limits": {"rpm": 1.5}}', "rpm must be a whole number or null (got 1.5)"),
        (b'{"limits": 5}', "limits must be an object"),
        (b'{"faults": {"error": 2}}', "rate of 'error' must lie between 0 and 1"),
        (b'{"faults": {"eror": 1}}', "did you mean 'error'?"),
        (b'{"rules": {}}', "rules must be a list"),
        (b'{"rules": [{"do": "nothing at all"}]}', "nothing to do by the name"),
        (b'{"changes": [{}]}', "each says after_s"),
        (b'{"changes": 1}', "changes must be a list"),
        (b'{"batches": {"failing": 2}}', "rate of 'failing' must lie between"),
        (b'{"api_key": "sk-1"}', "not over the wire"),
    ],
)
def test_a_behaviour_that_cannot_be_meant_is_one_clear_line(body: bytes, complaint: str) -> None:
    with pytest.raises(UserError) as caught:
        behaviour_from(body, now=Behaviour(), in_part=True)

    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_key_is_kept_and_never_told() -> None:
    behaviour = Behaviour(api_key="sk-very-secret")

    assert b"secret" not in orjson.dumps(record_of_behaviour(behaviour))
    assert "secret" not in repr(behaviour)
    assert behaviour_from(b"{}", now=behaviour, in_part=False).api_key == "sk-very-secret"


def test_the_list_of_mishaps_names_each_with_its_settings() -> None:
    told = mishaps_record()
    named = {name: entry for family in told.values() if isinstance(family, Mapping) for name, entry in family.items()}

    assert named.keys() == MISHAPS.keys()
    assert named["drip"] == {"about": "one byte every so many seconds", "with": {"seconds": 0.1}}
