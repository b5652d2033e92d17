"""A teacher that is not there: answers by rule, errs at known rates, and is the same whoever carries its words.

It knows how teachers behave and no task; what a task's inputs look like and what is right is a `Subject`'s.
"""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import ClassVar, TypeVar

from agents.demo.asked_of_data import AskedOfData, Expand, MapColumns, PlanRows, Rank, Rewrite, SelectColumns
from agents.demo.breakage import break_array, break_label, break_list, break_rows, refuse, written_list
from agents.demo.conversation import (
    Annotate,
    AnnotateMany,
    Check,
    Conversation,
    Describe,
    Generate,
    Split,
    Translate,
    Vary,
    demonstrations_in,
    read_conversation,
)
from agents.demo.reader import columns_that_matter, map_of, piece_of, plan_in_words, ranking, wrapped
from agents.demo.subject import Subject
from agents.demo.verdicts import Bench, verdicts_on
from agents.demo.vices import Vices
from engine.messages import Message
from engine.prices import Price
from engine.providers.simulated import Answer

__all__ = [
    "Teacher",
    "chance_hardness",
    "cold",
    "favourite",
    "heat",
    "nudge",
]

T = TypeVar("T")

# More than anybody asks for in one reply; a hostile "Write 999999 new inputs" costs no more than this.
_MOST_INPUTS = 200

# How much less often a teacher repeats itself for each thing that its inputs are asked to be.
_APART = 0.8

# How much more often a label is wrong once a teacher has lost the thread.
_LAPSED = 4

# Whoever is asked for hard cases thinks of some inputs, and gives the one that is misread most easily.
_DRAFTS_OF_A_HARD_CASE = 3

# Not a sample: for what all completions of a request have in common.
_ALL_SAMPLES = -1

# The usual rule of thumb for English text.
_CHARACTERS_A_TOKEN = 4


def heat(temperature: float) -> float:
    """How much more often things go wrong when sampling is hot: 1 at 0.7, 1.3 at 1, 0.3 at 0."""
    return 0.3 + temperature


def cold(temperature: float) -> float:
    """How much more often a teacher repeats itself when sampling is cold: 1 at 0.7, 2.7 at 0.2, 0.5 at 1."""
    return math.exp(2 * (0.7 - temperature))


def favourite(options: Sequence[T], rng: Random, *, temperature: float) -> T:
    """One of the options, which stand in order of popularity: each alike at temperature 1, the first ones when cold."""
    bend = max(1.0, 2 - temperature)
    return options[int(len(options) * rng.random() ** bend)]


def nudge(text: str, rng: Random, *, before: Sequence[str]) -> str:
    """The text, barely changed: its case, its last mark, a word before it."""
    way = rng.randrange(4)
    if way == 0:
        return text[:1].swapcase() + text[1:]
    if way == 1:
        return text.rstrip(".") if text.endswith(".") else text + "."
    if way == 2:
        return rng.choice(before) + text
    return text.upper() if len(text) < 30 else text.lower()


def chance_hardness(text: str) -> float:
    """The part of an input's hardness that has no reason one could name: 1 on average, now and then 3."""
    return Random(zlib.crc32(text.encode("utf-8", "surrogatepass"))).lognormvariate(-0.18, 0.6)


class Teacher:
    """Answers from the messages alone: a pure function of its seed, the messages, the temperature and `sample`.

    `subject_of` says what is asked about, and None when that is nothing this teacher knows. `max_tokens` only cuts.
    """

    # About a small hosted model's.
    price: ClassVar[Price] = Price(input="0.25", output="2.0")

    def __init__(
        self, name: str, *, seed: int, vices: Vices, subject_of: Callable[[Conversation], Subject | None]
    ) -> None:
        self.name = name
        self.seed = seed
        self.vices = vices
        self._subject_of = subject_of

    def __repr__(self) -> str:
        return f"<simulated teacher {self.name!r}, seed {self.seed}>"

    def answer(self, messages: Sequence[Message], *, temperature: float, max_tokens: int, sample: int = 0) -> Answer:
        """What the teacher says, after the time that a hosted model would take for it."""
        asked = read_conversation(messages)
        rng = Random(self._fingerprint(messages, temperature, sample))
        if sample and isinstance(asked, Annotate | AnnotateMany) and rng.random() < self.vices.stubborn:
            rng = Random(self._fingerprint(messages, temperature, 0))
        mood = Random(self._fingerprint(messages, temperature, _ALL_SAMPLES))
        text = self._say(asked, rng, mood, temperature=temperature)
        room = max_tokens * _CHARACTERS_A_TOKEN
        cut = len(text) > room
        text = text[:room]
        return Answer(text, "length" if cut else "stop", _latency(text, rng))

    def truth(self, messages: Sequence[Message]) -> str | None:
        """The right label, when a label of a known task is asked for; otherwise None."""
        asked = read_conversation(messages)
        subject = self._subject_of(asked) if isinstance(asked, Annotate) else None
        return subject.right(asked.input) if isinstance(asked, Annotate) and subject else None

    def _fingerprint(self, messages: Sequence[Message], temperature: float, sample: int) -> int:
        digest = hashlib.blake2b(f"{self.seed}|{float(temperature)}|{sample}".encode(), digest_size=8)
        for message in messages:
            # The length keeps two ways of cutting the same text into messages apart.
            digest.update(f"|{message.role}|{len(message.content)}|".encode())
            digest.update(message.content.encode("utf-8", "surrogatepass"))
        return int.from_bytes(digest.digest())

    def _say(self, asked: Conversation | None, rng: Random, mood: Random, *, temperature: float) -> str:
        if isinstance(asked, Split):
            return _split(asked.prompt)
        subject = self._subject_of(asked) if asked else None
        if asked is None or subject is None:
            return f"I am not sure what you are asking. I am a simulated teacher and know only my task: {self.name}."
        if isinstance(asked, Translate):
            return asked.task  # it has one language
        if isinstance(asked, Vary):
            return json.dumps(self._axes(subject), ensure_ascii=False)
        if isinstance(asked, Describe):
            return subject.about[asked.what]
        if isinstance(asked, Annotate):
            return self._label(asked.input, subject, rng, temperature=temperature)
        if isinstance(asked, AnnotateMany):
            return self._labels(asked, subject, rng, mood, temperature=temperature)
        if isinstance(asked, Check):
            bench = Bench(right=lambda text: self._belief(text, subject), hardness=subject.hardness, vices=self.vices)
            return verdicts_on(asked.rows[:_MOST_INPUTS], bench, rng)
        if isinstance(asked, Generate):
            return self._inputs(asked, subject, rng, temperature=temperature)
        return self._of_data(asked, subject, rng, temperature=temperature)

    def _of_data(self, asked: AskedOfData, subject: Subject, rng: Random, *, temperature: float) -> str:
        """What it says about data that exists already."""
        vices, hot = self.vices, heat(temperature)
        match asked:
            case Rank():
                return ranking(asked, subject, rng, overlooked=vices.overlooked * hot)
            case MapColumns():
                return wrapped(map_of(asked, subject), rng, rate=vices.broken_array * hot)
            case Expand():
                return subject.about["dataset"]
            case SelectColumns():
                return columns_that_matter(asked.rows)
            case PlanRows():
                return plan_in_words(asked.rows)
            case Rewrite():
                return self._rewritten(asked, subject, rng, temperature=temperature)

    def _rewritten(self, asked: Rewrite, subject: Subject, rng: Random, *, temperature: float) -> str:
        hot = heat(temperature)
        if rng.random() < self.vices.refusal * hot:
            return refuse(rng)
        text = piece_of(asked.row)
        if text is None:
            return "null"
        label = self._label(text, subject, rng, temperature=temperature)
        row = json.dumps({"input": text, "output": label}, ensure_ascii=False)
        return wrapped(row, rng, rate=self.vices.broken_array * hot)

    def _axes(self, subject: Subject) -> Mapping[str, Sequence[str]]:  # noqa: ARG002  # others know some
        """What its inputs differ in, and how: this teacher has not thought about it."""
        return {}

    def _label(self, text: str, subject: Subject, rng: Random, *, temperature: float, trouble: float = 1.0) -> str:
        vices, hot = self.vices, heat(temperature)
        if rng.random() < vices.refusal * hot:
            return refuse(rng)
        risk = min(vices.worst_label, vices.wrong_label * hot * trouble * subject.hardness(text))
        label = "" if rng.random() < risk else self._belief(text, subject)
        label = label or subject.wrong(text, rng)  # also where nothing would be right
        return break_label(label, rng) if rng.random() < vices.broken_label * hot else label

    def _belief(self, text: str, subject: Subject) -> str:
        """What this teacher takes for right."""
        if self.vices.blind and (mind := Random(f"{self.seed}|{text!r}")).random() < self.vices.blind:
            return subject.wrong(text, mind)
        return subject.right(text)

    def _labels(self, asked: AnnotateMany, subject: Subject, rng: Random, mood: Random, *, temperature: float) -> str:
        """Every input as if it stood alone, but worse and worse; then the slips of whoever fills in a list."""
        vices, hot = self.vices, heat(temperature)
        if rng.random() < vices.refusal * hot:
            return refuse(rng)
        texts = asked.inputs[:_MOST_INPUTS]
        lapsed_at = mood.randrange(len(texts)) if mood.random() < vices.lapse * hot else len(texts)
        labels = [
            self._label(text, subject, rng, temperature=temperature, trouble=self._trouble(place, lapsed_at))
            for place, text in enumerate(texts)
        ]
        for place in range(len(labels) - 1):
            if rng.random() < vices.slip * hot:
                labels[place] = labels[place + 1]
        written = {number: label for number, label in enumerate(labels, start=1) if rng.random() >= vices.skip * hot}
        if len(written) < len(labels) and rng.random() < 0.5:
            written = dict(enumerate(written.values(), start=1))
        is_broken = written and rng.random() < vices.broken_array * hot
        return break_list(written, rng) if is_broken else written_list(written)

    def _trouble(self, place: int, lapsed_at: int) -> float:
        """How much more often than alone an input is labelled wrong that stands so far down a list."""
        return (1 + self.vices.crowding * place) * (_LAPSED if place >= lapsed_at else 1)

    def _inputs(self, asked: Generate, subject: Subject, rng: Random, *, temperature: float) -> str:
        vices, hot = self.vices, heat(temperature)
        if rng.random() < vices.refusal * hot / 2:
            return refuse(rng)
        count = min(asked.count, _MOST_INPUTS)
        if rng.random() < vices.miscount:
            count = max(1, count + rng.choice((-2, -1, 1)))
        written: list[str] = []
        for _ in range(count):
            drafts = [
                self._input(asked, subject, rng, written=written, temperature=temperature)
                for _ in range(_DRAFTS_OF_A_HARD_CASE if asked.hard else 1)
            ]
            written.append(max(drafts, key=subject.hardness))
        if asked.joint:
            return self._rows(asked, written, subject, rng, temperature=temperature)
        if rng.random() < vices.broken_array * hot:
            return break_array(written, rng)
        return json.dumps(written, ensure_ascii=False)

    def _rows(
        self, asked: Generate, written: Sequence[str], subject: Subject, rng: Random, *, temperature: float
    ) -> str:
        """Every input with the label that its writer has for it."""
        rows = [(text, self._own_label(asked, text, subject, rng, temperature=temperature)) for text in written]
        items = [json.dumps({"input": text, "output": label}, ensure_ascii=False) for text, label in rows]
        if rng.random() < self.vices.broken_array * heat(temperature):
            return break_rows(items, rng)
        return f"[{', '.join(items)}]"

    def _own_label(self, asked: Generate, text: str, subject: Subject, rng: Random, *, temperature: float) -> str:  # noqa: ARG002  # what was asked for may matter to others
        return self._label(text, subject, rng, temperature=temperature)

    def _input(
        self, asked: Generate, subject: Subject, rng: Random, *, written: Sequence[str], temperature: float
    ) -> str:
        seen = (*asked.shown, *written)
        repeats = self.vices.near_duplicate * cold(temperature) * _APART ** len(asked.attributes)
        if seen and rng.random() < repeats:
            text = rng.choice(seen)
            return text if rng.random() < 0.3 else subject.nudge(text, rng)
        return subject.write(self._aim(asked, subject, rng), rng, temperature=temperature)

    def _aim(self, asked: Generate, subject: Subject, rng: Random) -> str:
        """The kind of answer that the next input is written for."""
        shares = subject.prior if self.vices.skewed else subject.kinds
        kinds = list(shares)
        if asked.target is not None and rng.random() >= self.vices.disobedience:
            kinds = [kind for kind in kinds if (kind == asked.target) == asked.wanted] or kinds
        return rng.choices(kinds, weights=[shares[kind] for kind in kinds])[0]


def _latency(text: str, rng: Random) -> float:
    """Seconds to the end of the reply: about 0.25 for a label, more for what is long, now and then far more."""
    return rng.lognormvariate(math.log(0.25), 0.4) * (1 + len(text) / 100)


def _split(prompt: str) -> str:
    instruction, demonstrations = demonstrations_in(prompt)
    pairs = [{"input": pair.input, "output": pair.output} for pair in demonstrations]
    return json.dumps({"instruction": instruction, "demonstrations": pairs}, ensure_ascii=False)
