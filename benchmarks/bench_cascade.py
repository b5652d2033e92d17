"""Claim: with a teacher behind it a student of many rows is as often right as the teacher (within a point) for half of
the money or less; one of few rows comes half of the way to the teacher for that; and the student's sure answers are as
often right as was promised.

The simulated world of support messages, so money is simulated and the truth is known. The student is `linear`, taught
by rows that the teacher labelled with three votes; from which confidence on it is sure was measured on other such rows,
not on the truth. What is asked then is new, and is asked through the cascade itself: student alone, cascades at those
promises that the rows vouch for, cascades from a told confidence on, and the teacher alone (nothing is sure enough). It
has one vote, as when serving, and each way a journal of its own. The clock does not wait. Two regimes: a student of few
rows, which is often unsure, and one of many.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from agents.demo.held_out import held_out
from agents.demo.intents.world import _MESSAGES
from agents.parsing.parse import parse
from agents.records import Pair, Spec
from agents.served.cascade import Cascade
from agents.served.teacher import Teacher
from agents.voting.annotate import Voting, annotate_all
from engine import Budget, Engine, training
from engine.desk import Desk
from engine.evaluation import Calibration, calibrate, wilson
from engine.fakes import virtual_time
from engine.serving import FromStudent
from engine.training import Row, Student

PROMPT = Path(__file__).parents[1] / "agents" / "demo" / "intents" / "prompt.md"
REGIMES = (300, 1500)  # rows to learn from
MEASURED_ON = 500
ASKED = 1500
PROMISES = (0.8, 0.9, 0.95, 0.98)
CONFIDENCES = (0.5, 0.7, 0.8, 0.9)
BUDGET = Budget(100)
SLACK = 0.01  # of accuracy: rows that are asked are some, and a teacher errs by chance
LEAST_SAVED = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What came of asking everything in one way. Money is simulated, for 1,000 inputs."""

    way: str
    right: float
    low: float
    high: float
    by_student: float  # the share of answers that are its own
    own_right: float  # of these, the share that is right
    usd: float


def main() -> None:
    spec = parse(PROMPT.read_text(encoding="utf-8"))
    rows = held_out(_MESSAGES, count=max(REGIMES) + MEASURED_ON + ASKED)
    asked, measured, taught = rows[:ASKED], rows[ASKED : ASKED + MEASURED_ON], rows[ASKED + MEASURED_ON :]
    labels = virtual_time.run(voted(spec, [pair.input for pair in (*measured, *taught)]))
    found = {}
    with tempfile.TemporaryDirectory() as place:
        for count in REGIMES:
            known = labels[MEASURED_ON : MEASURED_ON + count]
            student = training.train("linear", known, [], Path(place) / str(count))
            found[count] = served(spec, student, measured_by(student, labels[:MEASURED_ON]), asked)
    tell(found)


async def voted(spec: Spec, texts: Sequence[str]) -> list[Row]:
    """What the teacher makes of them in three votes; an input without a label is none to learn from."""
    async with Engine("simulated/intents", budget=BUDGET) as engine:
        annotations = await annotate_all(engine, spec, texts, Voting(together=16))
    return [Row(each.input, each.vote.winner) for each in annotations if each.vote is not None]


def measured_by(student: Student, rows: Sequence[Row]) -> Calibration:
    answers = student.predict([row.input for row in rows])
    right = [answer.output == row.output for answer, row in zip(answers, rows, strict=True)]
    return calibrate([answer.confidence for answer in answers], right, on="rows that the teacher labelled")


def served(spec: Spec, student: Student, calibration: Calibration, asked: Sequence[Pair]) -> list[Served]:
    told = [(f"sure means {promise:g}", calibration.confidence_for(promise)) for promise in PROMISES]
    plain = [(f"from {confidence:g} on", confidence) for confidence in CONFIDENCES]
    ways = [("student alone", 0.0), *told, *plain, ("teacher alone", 2.0)]
    return [through(spec, student, asked, way=way, least=least) for way, least in ways if least is not None]


def through(spec: Spec, student: Student, asked: Sequence[Pair], *, way: str, least: float) -> Served:
    async def answers() -> tuple[list[tuple[bool, bool]], float]:
        engine = Engine("simulated/intents", budget=BUDGET)
        desk = FromStudent(Desk(student, most_waiting=len(asked)), name="student")
        cascade = Cascade(desk, Teacher(engine, spec, patience_s=600), least=least)
        async with cascade.working():
            told = []
            for start in range(0, len(asked), 100):  # more at a time would be too many for the teacher
                part = asked[start : start + 100]
                given = await cascade.answer([pair.input for pair in part], None)
                told += [
                    (answer.by == "student", answer.text == pair.output)
                    for [answer], pair in zip(given, part, strict=True)
                ]
            return told, engine.statistics().cost_usd

    told, usd = virtual_time.run(answers())
    right = sum(is_right for _, is_right in told)
    own = [is_right for is_own, is_right in told if is_own]
    low, high = wilson(right, len(told))
    return Served(
        way=way,
        right=round(right / len(told), 4),
        low=round(low, 4),
        high=round(high, 4),
        by_student=round(len(own) / len(told), 4),
        own_right=round(sum(own) / len(own), 4) if own else 0.0,
        usd=round(1000 * usd / len(told), 4),
    )


def tell(found: dict[int, list[Served]]) -> None:
    holds = True
    for count, ways in found.items():
        print(f"\n`linear` on {count} rows, {ASKED} inputs asked (simulated teacher and money)")
        print(f"{'way':<16} {'right':>7} {'95 %':>16} {'by student':>11} {'own right':>10} {'USD / 1,000':>12}")
        for way in ways:
            between = f"{way.low:.3f} to {way.high:.3f}"
            print(
                f"{way.way:<16} {way.right:>7.3f} {between:>16} {way.by_student:>11.3f} {way.own_right:>10.3f} "
                f"{way.usd:>12.4f}"
            )
        holds = holds and keeps_promises(ways) and is_worth_it(ways, part=1.0 if count == max(found) else 0.5)
    print("the claim holds" if holds else "the claim does not hold")
    told = {str(count): [asdict(way) for way in ways] for count, ways in found.items()}
    print(json.dumps({"benchmark": "cascade", "holds": holds, **told}))


def is_worth_it(ways: Sequence[Served], *, part: float) -> bool:
    """Whether some cascade comes that part of the way from the student alone to the teacher, for half the money."""
    alone, *cascades, teacher = ways
    enough = alone.right + part * (teacher.right - alone.right) - SLACK
    return any(way.right >= enough and way.usd <= (1 - LEAST_SAVED) * teacher.usd for way in cascades)


def keeps_promises(ways: Sequence[Served]) -> bool:
    promised = [way for way in ways if way.way.startswith("sure")]
    return all(way.own_right >= float(way.way.rpartition(" ")[2]) - SLACK for way in promised)


if __name__ == "__main__":
    main()
