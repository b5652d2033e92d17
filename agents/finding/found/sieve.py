"""Which of the rows that were found may stay: judged like rows that are made, and held against what must not leak."""

from __future__ import annotations

from collections.abc import Sequence

from agents.filtering.filter import Candidate, Finding, judge_input, judge_row, make_known
from agents.finding.found.judging import KeptOut
from agents.finding.found.records import FoundRow
from agents.records import Draft, Example, Provenance, Reject, Spec, Vote
from agents.voting.ballots import Annotation
from agents.voting.vote import normaliser, tally

__all__ = ["Sieve"]


class Sieve:
    """Takes rows one after another: each is kept or left out with a reason. No two kept ones are nearly the same.

    `withheld` are inputs that judge; a row that is nearly one of them, of the demonstrations, or of what is kept out
    later on would be learnt by heart.
    """

    def __init__(self, spec: Spec, withheld: Sequence[str]) -> None:
        self._normalise = normaliser(spec)
        self._known = make_known(spec, withheld=withheld)
        self._kept_out = KeptOut()
        self._kept_out.add([pair.input for pair in spec.demonstrations], owner="a demonstration")
        self._kept_out.add(withheld, owner="a given test row")

    def keep_out(self, texts: Sequence[str], *, owner: str) -> None:
        """Refuse what is nearly one of these from now on."""
        self._kept_out.add(texts, owner=owner)

    def refuse_source(self, row: FoundRow, source: Provenance) -> Reject | None:
        """Why a row is not worth rewriting, before anybody is paid for that: its longest text is one that judges."""
        text = max(row.columns.values(), key=len, default="")
        return self._leak(Draft(text, source), None)

    def refuse(self, draft: Draft) -> Reject | None:
        """Why an input is not worth a label, before anybody is paid for one."""
        return self._refusal(draft, None, judge_input(draft.input, self._known))

    def take(self, draft: Draft, annotation: Annotation | None = None) -> Example | Reject:
        """The draft as an example, by its votes or, where there are none, by the answer that it came with.

        Where there are both, they must agree. Or why it is no example.
        """
        if annotation is not None and annotation.vote is None:
            return Reject(draft.input, None, annotation.reason or "failed", draft.provenance, "too few votes came back")
        vote = self._own_vote(draft) if annotation is None or annotation.vote is None else annotation.vote
        if annotation is not None and draft.output is not None and self._normalise(draft.output) != vote.winner:
            detail = f"the data set says {draft.output!r:.60}, the votes say {vote.winner!r:.60}"
            return Reject(draft.input, draft.output, "agreement", draft.provenance, detail)
        finding = judge_row(Candidate.voted(draft.input, vote), self._known)
        if (refusal := self._refusal(draft, vote.winner, finding)) is not None:
            return refusal
        self._known.add(draft.input)
        return Example(draft.input, vote.winner, vote, draft.provenance)

    def _refusal(self, draft: Draft, output: str | None, finding: Finding | None) -> Reject | None:
        """What was found, unless that is a leak or nothing: then it counts whose text it nearly is, if anybody's."""
        leak = self._leak(draft, output) if finding is None or finding.reason == "leak" else None
        if leak is not None or finding is None:
            return leak
        return Reject(draft.input, output, finding.reason, draft.provenance, finding.detail)

    def _leak(self, draft: Draft, output: str | None) -> Reject | None:
        owner = self._kept_out.owner_of(draft.input)
        return None if owner is None else Reject(draft.input, output, "leak", draft.provenance, f"nearly {owner}")

    def _own_vote(self, draft: Draft) -> Vote:
        """The answer that a row came with, as the one vote on it, of whoever wrote it."""
        source = draft.provenance
        vote = tally([draft.output or ""], self._normalise)
        return Vote(vote.winner, vote.agreement, vote.samples, (source.model or source.dataset,), (source.question,))
