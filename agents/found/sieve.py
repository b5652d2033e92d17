"""Which of the rows that were found may stay: judged like rows that are made, and held against what must not leak."""

from __future__ import annotations

from collections.abc import Sequence

from agents.ballots import Annotation
from agents.filter import Candidate, judge_input, judge_row, make_known
from agents.records import Draft, Example, Reject, Spec, Vote
from agents.vote import normaliser, tally
from engine.duplicates import NearDuplicates

__all__ = ["Sieve"]


class Sieve:
    """Takes rows one after another: each is kept or left out with a reason. No two kept ones are nearly the same.

    `withheld` are inputs that judge; a row that is nearly one of them, or of the demonstrations, would be learnt by
    heart.
    """

    def __init__(self, spec: Spec, withheld: Sequence[str]) -> None:
        self._normalise = normaliser(spec)
        self._known = make_known(spec, withheld=withheld)
        self._judging = NearDuplicates()
        self._judging.sift([*(pair.input for pair in spec.demonstrations), *withheld])

    def refuse(self, draft: Draft) -> Reject | None:
        """Why an input is not worth a label, before anybody is paid for one."""
        if (finding := judge_input(draft.input, self._known)) is not None:
            return Reject(draft.input, None, finding.reason, draft.provenance, finding.detail)
        return self._leak(draft, None) if self._judging.knows(draft.input) else None

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
        if (finding := judge_row(Candidate.voted(draft.input, vote), self._known)) is not None:
            return Reject(draft.input, vote.winner, finding.reason, draft.provenance, finding.detail)
        if self._judging.knows(draft.input):
            return self._leak(draft, vote.winner)
        self._known.add(draft.input)
        return Example(draft.input, vote.winner, vote, draft.provenance)

    def _leak(self, draft: Draft, output: str | None) -> Reject:
        return Reject(draft.input, output, "leak", draft.provenance, "nearly a demonstration or a test input")

    def _own_vote(self, draft: Draft) -> Vote:
        """The answer that a row came with, as the one vote on it, of whoever wrote it."""
        source = draft.provenance
        vote = tally([draft.output or ""], self._normalise)
        return Vote(vote.winner, vote.agreement, vote.samples, (source.model or source.dataset,), (source.question,))
