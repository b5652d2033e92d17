"""The report: one set of facts in words, as JSON and as a page; what is foreign in it stays text, nothing flatters."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.evaluate import (
    Costs,
    Findings,
    Judgement,
    Promise,
    RowFacts,
    StudentSpeed,
    TeacherCosts,
)
from agents.evaluate.told import reliable
from agents.filtering.strange import strange_labels, strange_told
from agents.filtering.variety import Variety
from agents.making.synthesis import VARIED_INSTEAD
from agents.records import Pair, Spec
from agents.reporting.data_facts import AxisRows, DataFacts, Stretch
from agents.reporting.page import render_html
from agents.reporting.report import (
    Choice,
    Training,
    as_json,
    news_since,
    read_report,
    write_page,
    write_report,
)
from agents.reporting.told import Summary, summary, warnings
from agents.run_folder import RunFolder
from engine import Budget, Engine, Request
from engine.errors import UserError
from engine.evaluation import Difference, Threshold
from engine.prices import dollars
from tests.agents.reports import (
    BOTH,
    COSTS,
    DATA,
    GROWTH,
    MONEY,
    PROMISED,
    SPEC,
    Skeleton,
    judged,
    judgement,
    page_of,
    report,
    with_texts,
)

NONE_FOUND = Findings()


def told_in_full(found: Findings = NONE_FOUND, **changes: Any) -> Summary:
    """The summary of a run of which all else is as usual."""
    return summary(**{"found": found, "data": DATA, "money": MONEY, "simulated": False, **changes})


ATTACKS = [
    pytest.param("<script>alert(1)</script>", id="script"),
    pytest.param("</style><img src=x onerror=alert(1)>", id="out of the style"),
    pytest.param('" onmouseover="alert(1)', id="out of an attribute"),
    pytest.param("' style='position:fixed", id="out of another"),
    pytest.param("{{ 7 * 7 }}{% raw %}", id="a template"),
    pytest.param("--><svg onload=alert(1)>", id="out of a comment"),
    pytest.param("</pre></table><iframe src=//evil.example>", id="out of a table"),
    pytest.param("&lt;script&gt; &#60;b&#62;", id="escaped already"),
    pytest.param("]]><![CDATA[<b>", id="cdata"),
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_element_and_no_attribute_ever_comes_from_data(attack: str) -> None:
    """Every text of the report is replaced by the attack: the page keeps its elements, and shows the attack as text."""
    table = orjson.loads(orjson.dumps(as_json(report(simulated=True))))
    harmless = Skeleton(render_html(with_texts(table, "harmless")))

    attacked = Skeleton(render_html(with_texts(table, attack)))

    assert attacked.elements == harmless.elements
    assert attacked.text.count(attack) == harmless.text.count("harmless") > 20


@pytest.mark.parametrize("attack", ATTACKS)
def test_names_that_come_as_keys_are_data_too(attack: str) -> None:
    """Reject reasons, splits, values of axes, columns of tables and facts of the training."""
    data = dataclasses.replace(
        DATA, rejected={attack: 3}, splits={attack: 80}, coverage=(AxisRows("tone", {attack: 1}),)
    )
    choice = Choice("tiny", "why", ({attack: "t5"},), ({attack: "c4"},), trial=({attack: "t5"},))
    told = report(data=data, choice=choice, training=Training("tiny", 80, 1.0, {attack: 1}))
    plain = report(
        data=dataclasses.replace(data, rejected={"k": 3}, splits={"k": 80}, coverage=(AxisRows("tone", {"k": 1}),)),
        choice=Choice("tiny", "why", ({"k": "t5"},), ({"k": "c4"},), trial=({"k": "t5"},)),
        training=Training("tiny", 80, 1.0, {"k": 1}),
    )

    assert Skeleton(page_of(told)).elements == Skeleton(page_of(plain)).elements


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=40))
@pytest.mark.long
def test_any_text_at_all_makes_a_page(text: str) -> None:
    told = report(name=text, spec=Spec(instruction=text, demonstrations=(Pair(text, text),)), folder=text)

    page = page_of(told).encode()

    assert page.startswith(b"<!doctype html>")


def test_what_cannot_be_seen_does_not_stand_on_the_page_and_lines_are_kept() -> None:
    unseen = "\x1b[31m\x00\u202e\u2066\x9b\u200b"
    spec = Spec(instruction=f"one{unseen}\r\n\ttwo", demonstrations=(Pair(f"a{unseen}b", unseen),))

    page = page_of(report(name=f"x{unseen}", spec=spec))

    assert not set(unseen) & set(page) - set("[31m")
    assert "<pre>one[31m\n\ttwo</pre>" in page
    assert '<td class="text">a[31mb</td>' in page


def test_half_a_surrogate_pair_in_a_folder_name_does_not_cost_the_report(tmp_path: Path) -> None:
    told = report(folder="runs/\udcff", name="\udcff")

    write_report(told, RunFolder(tmp_path))

    assert read_report(RunFolder(tmp_path))["name"] == "?"


def test_the_page_needs_no_network_and_forbids_it() -> None:
    skeleton = Skeleton(page_of(report()))

    tags = {tag for tag, _ in skeleton.elements}
    addresses = [
        value
        for _, pairs in skeleton.elements
        for name, value in pairs
        if name in ("src", "href", "action", "xlink:href")
    ]
    assert not tags & {"script", "link", "img", "image", "use", "iframe", "object", "base", "form"}
    assert addresses
    assert all(str(address).startswith("#") for address in addresses), "links lead within the page"
    assert ("http-equiv", "Content-Security-Policy") in [
        pair for _, attributes in skeleton.elements for pair in attributes
    ]


NOTHING = DataFacts(
    accepted=0,
    rejected={},
    splits={"train": 0},
    answers=0,
    balance=(),
    anchors=0,
    variety=Variety(texts=0, distinct_1=0.0, distinct_2=0.0, distinct_3=0.0, nearest=0.0, repeated=0.0),
    coverage=(),
    documents=None,
    votes_asked=0,
    votes_saved=0,
    votes_kept=1.0,
    agreement=0.0,
    agreements=(0,) * 11,
    stop="no money",
    course=(),
    varied="",
    label_accuracy=None,
    rows=(),
    rejects=(),
)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"spec": Spec(instruction="Name the city.")}, id="no demonstrations"),
        pytest.param({"training": None, "judgements": ()}, id="no student"),
        pytest.param({"judgements": ()}, id="no judgements"),
        pytest.param({"judgements": (dataclasses.replace(BOTH[0], samples=()),)}, id="no samples"),
        pytest.param(
            {"judgements": (dataclasses.replace(BOTH[0], baselines=(judged("copy", 0.0),)),)}, id="copy alone"
        ),
        pytest.param({"data": NOTHING, "training": None, "judgements": ()}, id="no data"),
        pytest.param({"choice": Choice("tiny", "why")}, id="nothing found"),
        pytest.param({"promised": None, "costs": None, "growth": None}, id="nothing but scores"),
        pytest.param({"costs": Costs(student=StudentSpeed(0.5, 0.1, 20))}, id="no teacher's costs"),
        pytest.param(
            {"costs": Costs(student=StudentSpeed(2, 0.1, 20), teacher=TeacherCosts(None, None, 0))}, id="unknown costs"
        ),
        pytest.param({"promised": dataclasses.replace(PROMISED, thresholds=())}, id="no threshold"),
        pytest.param(
            {"judgements": (dataclasses.replace(BOTH[0], labels=(), confusion=None, calibration=None, promises=()),)},
            id="no labels",
        ),
        pytest.param({"warnings": (), "verdict": ()}, id="nothing to say"),
    ],
)
def test_it_renders_without(changes: dict[str, Any]) -> None:
    skeleton = Skeleton(page_of(report(**changes)))

    assert skeleton.text.strip().startswith("cities")
    assert "None" not in skeleton.text


def test_the_page_has_the_rounds_of_a_trial_where_there_was_one() -> None:
    assert "out: it broke" in Skeleton(page_of(report())).text
    assert "Students tried" not in page_of(report(choice=Choice("tiny", "why")))


def test_what_may_be_wider_than_a_screen_can_be_moved_by_keys_and_has_a_name() -> None:
    frames = re.findall(r'<div class="scroll"[^>]*>', render_html(as_json(report())))

    assert len(frames) > 10
    assert all(re.search(r'role="group" aria-label="[^"]+" tabindex="0"', frame) for frame in frames)


def test_a_page_without_a_student_does_not_say_how_to_serve_one() -> None:
    assert "smelt serve runs/cities" in page_of(report())
    assert "smelt serve" not in page_of(report(training=None, judgements=()))


def test_a_simulated_teacher_is_called_so_beside_its_name_its_prices_and_its_data() -> None:
    simulated = Skeleton(page_of(report(simulated=True))).text

    assert "simulated teacher" in simulated
    assert "simulated prices" in simulated
    assert "simulated teacher" not in Skeleton(page_of(report(simulated=False))).text


def test_the_verdict_leads_with_the_real_figure_and_calls_a_simulated_teacher_so() -> None:
    told = told_in_full(Findings(BOTH), simulated=True, money=dataclasses.replace(MONEY, outlook=None))

    real, worth, made = told.verdict
    synthetic = told.details[0]
    assert "simulated teacher" in made
    assert worth == "It beats every baseline on real rows, but those and the synthetic ones are not of a kind."
    assert real.startswith("On 200 given test rows the student scores 0.80 exact match (0.75 to 0.85)")
    assert synthetic.startswith("On 200 held-out synthetic rows")
    assert "the best baseline (majority) 0.20" in real
    assert (
        "90.0% of single labels were right (82.6% to 94.5%) and 98.0% after the vote (93.0% to 99.4%" in told.details[1]
    )


def test_where_the_money_ended_the_verdict_and_the_page_say_what_more_would_bring() -> None:
    told = "0.40 USD more would bring about 1,200 rows (1,100 to 1,300), at the yield so far."

    assert told in told_in_full(Findings(BOTH)).details
    assert told in " ".join(Skeleton(page_of(report())).text.split())
    assert "more would bring" not in page_of(report(money=dataclasses.replace(MONEY, outlook=None)))


def test_the_page_keeps_the_kinds_of_money_apart() -> None:
    text = Skeleton(page_of(report())).text

    for line in (
        "charged$1.2500of a cap of $5.00",
        "of it spent$1.2400",
        "of it assumed$0.0100",
        "still reserved$0.00",
        "saved by the journal$0.0300",
        "saved by n-sampling$0.0400",
    ):
        assert line in text


def test_the_page_says_what_each_stage_cost_and_took() -> None:
    text = Skeleton(page_of(report())).text

    assert (
        "generate200.060$0.50$3.50 at most\nannotatewithin generate250$0.7500$0.0100$0.20 kept for it\ntrain90.0"
        in text
    )


def told_of(*judgements: Judgement, spec: Spec = SPEC, simulated: bool = False) -> str:
    return "\n".join(warnings(judgements=judgements, spec=spec, simulated=simulated))


def test_the_page_says_what_the_prompt_cache_saved_where_there_was_one() -> None:
    cached = dataclasses.replace(MONEY, saved_by_cache="$0.8257", cached_share=0.8504)

    text = Skeleton(page_of(report(money=cached))).text

    assert "saved by the provider's prompt cache$0.825785 % of the input was read from it" in text
    assert "prompt cache" not in page_of(report())


def test_the_page_says_what_was_varied_where_no_temperature_may_be_sent() -> None:
    data = dataclasses.replace(DATA, course=(Stretch(2, None, 16, 14, 0.0),), varied=VARIED_INSTEAD)

    assert VARIED_INSTEAD in page_of(report(data=data))
    assert VARIED_INSTEAD not in page_of(report())


def test_a_synthetic_score_that_flatters_is_named() -> None:
    assert "The synthetic score (95.0%) flatters" in told_of(judgement("synthetic", 0.95), judgement("test", 0.6))
    assert "flatters" not in told_of(judgement("synthetic", 0.8), judgement("test", 0.8))


def test_a_student_that_does_not_beat_its_rivals_is_named() -> None:
    assert "not clearly better than the baseline 'majority'" in told_of(judgement("test", 0.5, best=0.48))
    assert "not clearly better" not in told_of(judgement("test", 0.8, best=0.2))


@pytest.mark.parametrize(
    ("judgements", "said"),
    [
        pytest.param((judgement("synthetic", 0.9),), "No real labelled rows were given", id="none"),
        pytest.param((judgement("test", 0.9, rows=30),), "Only 30 test rows were given", id="few"),
    ],
)
def test_too_few_real_rows_are_named(judgements: tuple[Judgement, ...], said: str) -> None:
    assert said in told_of(*judgements)


def test_rows_of_a_simulated_world_do_not_pass_for_real_ones() -> None:
    told = "\n".join(warnings(judgements=BOTH, spec=SPEC, simulated=True, given_are_synthetic=True))

    assert "The given test rows follow the simulated world's own rules: they are synthetic too." in told
    assert "No real labelled rows were given" in told
    assert "flatters" not in told, "there is no real score to compare with"


@pytest.mark.parametrize(
    ("details", "said"),
    [
        pytest.param({"steps": 508, "steps_planned": 4000}, True, id="hardly begun"),
        pytest.param({"steps": 1000, "steps_planned": 4000}, False, id="a quarter"),
        pytest.param({"steps": 4000, "steps_planned": 4000}, False, id="done"),
        pytest.param({}, False, id="a student without steps"),
    ],
)
def test_a_training_that_had_hardly_begun_is_named(details: dict[str, object], said: bool) -> None:
    told = warnings(judgements=BOTH, spec=SPEC, simulated=False, training=details)

    assert ("The time for training was over after 508 of 4,000 steps" in "\n".join(told)) is said


def test_a_training_that_somebody_ended_is_named_and_how_to_have_the_whole() -> None:
    told = warnings(
        judgements=BOTH,
        spec=SPEC,
        simulated=False,
        training={"steps": 3000, "steps_planned": 4000, "ended_by": "request"},
    )

    assert "You ended the training after 3,000 of 4,000 steps" in "\n".join(told)
    assert "smelt resume trains it anew" in "\n".join(told)


def test_where_nothing_was_judged_there_is_no_score_to_warn_of() -> None:
    assert told_of() == ""


def test_labels_of_given_rows_that_the_prompt_lacks_are_named_and_not_guessed() -> None:
    spec = Spec(instruction="Which?", kind="classification", labels=("a", "b"), empty_answer="N/A")
    strange = strange_labels(["a", "c ", "N/A", "c", "A"], spec)

    told = warnings(judgements=BOTH, spec=spec, simulated=False, strange=strange)

    assert strange == {"c": 2, "A": 1}
    assert "Of the given test rows, 3 rows have labels that the prompt does not: 'c', 'A'." in "\n".join(told)
    assert strange_told({"x": 1}, where="the file")[0].startswith("Of the file, 1 row has a label")
    assert strange_labels(["c"], SPEC) == {}, "a task without labels has none that are strange"


def test_a_simulation_and_a_prompt_without_examples_are_named() -> None:
    told = told_of(judgement("test", 0.9), spec=Spec(instruction="Name the city."), simulated=True)

    assert "The teacher is simulated" in told
    assert "no demonstrations" in told


def test_the_page_is_made_from_what_the_json_holds(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    write_report(report(), folder)
    first = folder.report_html.read_bytes()

    write_page(read_report(folder), folder)

    assert folder.report_html.read_bytes() == first
    assert orjson.loads(orjson.dumps(as_json(report()))) == read_report(folder)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "has no report yet", id="none"),
        pytest.param(b"{", "cannot be read", id="torn"),
        pytest.param(b"[]", "is of another version", id="a list"),
        pytest.param(b'{"schema": 99}', "is of another version", id="newer"),
    ],
)
def test_a_report_that_is_none_is_refused_with_the_way_out(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "report.json").write_bytes(content)

    with pytest.raises(UserError, match=said) as caught:
        read_report(RunFolder(tmp_path))

    assert f"smelt resume {tmp_path}" in str(caught.value)


def test_what_is_only_assumed_is_said_beside_what_was_charged() -> None:
    def line(assumed: str) -> str:
        return told_in_full(money=dataclasses.replace(MONEY, assumed=assumed)).verdict[2]

    assert f"for {MONEY.charged}, $0.30 of it assumed (" in line("$0.30")
    assert "assumed" not in line("$0.00")


def test_one_row_is_not_rows() -> None:
    one = told_in_full(data=dataclasses.replace(DATA, accepted=1))

    assert one.verdict[2].startswith("1 row was made and kept")


def test_a_report_that_is_older_than_its_run_is_known_as_such(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    table = {"money": {"charged": "$0.00"}}
    assert news_since(table, folder) == ""

    async def ask(question: str) -> None:
        async with Engine("simulated/dates", budget=Budget(1), journal=folder.journal) as engine:
            await engine.ask(Request.user(question, max_tokens=5))

    asyncio.run(ask("a"))
    paid = dollars(folder.charged())

    assert news_since({"money": {"charged": paid}}, folder) == ""
    assert f"which was charged {paid} by now" in news_since(table, folder)
    folder.journal.write_bytes(b"not a journal")
    assert str(folder.journal) in news_since(table, folder)


def test_rows_from_data_sets_are_told_with_their_licences() -> None:
    sources = (
        {"dataset": "<b>tickets.csv", "licence": "mit", "use": "raw", "read": "600", "kept": "40", "why": "a -> b"},
    )
    data = dataclasses.replace(DATA, origins={"generated": 60, "found": 40}, sources=sources)

    page = render_html(as_json(report(data=data)))
    said = told_in_full(Findings(BOTH), data=data).details
    warned = warnings(judgements=BOTH, spec=SPEC, simulated=False, origins=data.origins)

    assert "40 of the rows come from data that exists: <b>tickets.csv (40, mit); 60 were generated." in said
    assert any("some were found" in warning for warning in warned)
    assert "&lt;b&gt;tickets.csv" in page
    assert "Rows from data that exists" in page
    assert "Rows from data that exists" not in render_html(as_json(report()))


def test_the_page_shows_labels_confusion_calibration_thresholds_growth_and_costs() -> None:
    text = " ".join(Skeleton(page_of(report())).text.split())

    for line in (
        "Pisa5100 %80 %0.89",
        "Rome00 %–0.00",
        "Pisa41",
        "0.7 to 0.84075 %50 %",
        "90 %0.71080 %",
        "92 % of 150",
        "Chosen on 200 validation rows",
        "1600.8000.700 to 0.900",
        "3200.8600.810 to 0.900, expected",
        "one answer takes12.0 ms1.5 s a call",
        "a thousand cost$0$0.40",
    ):
        assert line in text.replace("> <", "><"), line


def test_the_page_tells_a_clear_lead_from_none() -> None:
    behind = Difference("exact match", 0.6, 0.5, 0.7, 1e-9, 200)
    ahead = dataclasses.replace(
        judgement("test", 0.8), baselines=(dataclasses.replace(judged("copy", 0.2), behind=behind),)
    )

    page = page_of(report(judgements=(ahead,)))

    assert '<td class="number right">0.600</td>' in page
    assert "0.500 to 0.700, p &lt; 0.001" in page
    assert '<td class="number wrong">-0.070</td>' in page_of(report()), "the teacher is better, and that is said"


def test_a_threshold_that_is_told_lets_no_answer_through_that_it_does_not_vouch_for() -> None:
    """Of 0.9849 two digits would be 0.98, and of 0.986 they would be 0.99, which marks answers that it vouches for."""
    of_two = [dataclasses.replace(PROMISED, thresholds=(Threshold(0.9, least, 0.8),)) for least in (0.98491, 0.986)]

    assert [reliable(each).split()[5] for each in of_two] == ["0.985", "0.986"]


def test_the_verdict_says_what_confidence_cost_and_more_rows_are_worth() -> None:
    found = Findings(BOTH, PROMISED, COSTS, GROWTH)

    told = told_in_full(found, money=dataclasses.replace(MONEY, outlook=None))

    reliable, cost, more = told.details[1:4]
    assert reliable == "Answers with a confidence of 0.71 or more, 80% of them, are right in at least 90% of all cases."
    assert cost == (
        "A thousand answers take the student 2.0 s on this machine, one of them 12 ms; "
        "of the teacher a thousand labels cost $0.40 and took 1.5 s a call."
    )
    assert more == (
        "With twice the rows (320) 'linear', which stands in for it here, would come from 0.800 to about 0.860 "
        "exact match (0.810 to 0.900), by what fewer rows have brought."
    )


def test_without_a_threshold_nothing_is_promised() -> None:
    found = Findings(BOTH, dataclasses.replace(PROMISED, thresholds=()))

    assert "Not even its surest answers are shown to be right in 90% of all cases." in told_in_full(found).details


@pytest.mark.parametrize(
    ("judgements", "changes", "trust", "said"),
    [
        pytest.param((), {}, "no student", "no student that anything could be said of", id="none"),
        pytest.param((judgement("test", 0.5, best=0.48),), {}, "not yet", "baseline 'majority'", id="not better"),
        pytest.param((judgement("synthetic", 0.9),), {}, "with care", "No real labelled row", id="synthetic alone"),
        pytest.param((judgement("test", 0.9),), {"given_are_synthetic": True}, "with care", "No real", id="a world's"),
        pytest.param((judgement("test", 0.9, rows=30),), {}, "with care", "Only 30 real rows", id="few"),
        pytest.param(
            (dataclasses.replace(judgement("test", 0.9), facts=RowFacts(missing=("Rome",))),),
            {}, "with care", "of some labels there is no real row", id="a label missing",
        ),
        pytest.param((judgement("test", 0.9),), {}, "yes", "clearly better than every baseline", id="good"),
    ],
)  # fmt: skip
def test_the_second_sentence_says_what_the_score_is_worth(
    judgements: tuple[Judgement, ...], changes: dict[str, Any], trust: str, said: str
) -> None:
    told = told_in_full(Findings(judgements), **changes)

    assert told.trust == trust
    assert said in told.verdict[1]


def test_real_rows_that_are_easier_than_synthetic_ones_are_named_too() -> None:
    assert "The given test rows are easier (95.0%) than the synthetic ones (60.0%)" in told_of(
        judgement("synthetic", 0.6), judgement("test", 0.95)
    )


def test_scores_that_differ_by_chance_are_not_held_against_each_other() -> None:
    """0.05 each way on either side: they are apart by more than the sum of squares, or they are not."""
    assert "flatters" in told_of(judgement("synthetic", 0.88), judgement("test", 0.8))
    assert "flatters" not in told_of(judgement("synthetic", 0.86), judgement("test", 0.8))


def test_the_teacher_is_no_baseline_to_be_beaten() -> None:
    assert BOTH[0].best_baseline().name == "majority"
    assert "teacher" not in told_of(*BOTH)


def test_a_baseline_that_a_paired_test_does_not_part_is_named_with_its_figures() -> None:
    close = dataclasses.replace(judged("linear", 0.78), behind=Difference("exact match", 0.02, -0.01, 0.05, 0.2, 200))
    one = dataclasses.replace(judgement("test", 0.8), baselines=(judged("copy", 0.0), close))

    assert (
        "On the given test rows the student is not clearly better than the baseline 'linear': "
        "+0.020 (-0.010 to +0.050, p = 0.2) exact match."
    ) in told_of(one)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param(
            {"facts": RowFacts(learnt=3)}, "3 more are left out: the student has learnt from them", id="learnt"
        ),
        pytest.param({"facts": RowFacts(respelled=2)}, "2 have a label that is spelled otherwise", id="respelled"),
        pytest.param(
            {"facts": RowFacts(missing=("a", "b"))}, "None of the given test rows has the labels 'a', 'b'", id="missing"
        ),
        pytest.param(
            {"facts": RowFacts(unlearnt=tuple("abcdefg"))},
            "some have the labels 'a', 'b', 'c', 'd', 'e' and 2 more, which the student never saw",
            id="unlearnt",
        ),
        pytest.param(
            {"facts": RowFacts(silent=20)}, "To 20 of the 200 given test rows the student answers nothing", id="silent"
        ),
        pytest.param(
            {"promises": (Promise(0.9, 0.7, 100, 0.5, 0.4, 0.6),)},
            "to be right in 90% of all cases; on the given test rows it is 50% (40% to 60%).",
            id="broken promise",
        ),
    ],
)
def test_what_is_odd_about_the_rows_is_said(changes: dict[str, Any], said: str) -> None:
    assert said in told_of(dataclasses.replace(judgement("test", 0.8), **changes))


def test_a_few_rows_without_an_answer_are_mistakes_like_any_other() -> None:
    assert "answers nothing" not in told_of(dataclasses.replace(judgement("test", 0.8), facts=RowFacts(silent=3)))


def test_a_student_that_is_worse_than_a_baseline_is_called_so() -> None:
    ahead = dataclasses.replace(judged("linear", 0.9), behind=Difference("exact match", -0.1, -0.15, -0.05, 1e-6, 200))
    one = dataclasses.replace(judgement("test", 0.8), baselines=(judged("copy", 0.0), ahead))

    assert "On the given test rows the student is worse than the baseline 'linear': -0.100" in told_of(one)


def test_where_growth_was_not_tried_the_page_says_how_to() -> None:
    assert "smelt evaluate runs/cities ROWS --growth 300" in page_of(report(growth=None))
    assert "--growth" not in page_of(report())
    assert "--growth" not in page_of(report(growth=None, training=None))
