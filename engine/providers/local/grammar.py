"""Answers that keep to a JSON schema, or are one of some texts: which tokens may come next, from llguidance."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from engine.errors import MissingExtra, RequestRejected
from engine.text import clean

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Grammars", "Matcher"]

LONGEST_REASON = 200


class Matcher:
    """Where one answer stands in its grammar."""

    def __init__(self, matcher: Any) -> None:
        self._matcher = matcher

    def mask_into(self, masks: Tensor, row: int) -> None:
        """Write the tokens that may come next, a bit each, into a row of 32-bit words."""
        words = masks[row]
        self._matcher.unsafe_compute_mask_ptr(words.data_ptr(), words.numel() * words.element_size())

    def consume(self, token: int) -> bool:
        """Go on with a token; whether the answer is whole and nothing can follow."""
        self._matcher.consume_token(token)
        return bool(self._matcher.is_stopped())


class Grammars:
    """The grammars of answers over one tokenizer. Made once: reading a vocabulary takes up to a second."""

    def __init__(self, tokenizer: Any, *, vocabulary: int, ends: frozenset[int]) -> None:
        self._tokenizer = tokenizer
        self._vocabulary = vocabulary
        self._ends = ends
        self._lexicon: Any = None
        self._of_schema = lru_cache(maxsize=64)(_grammar_of_schema)
        self._of_choices = lru_cache(maxsize=64)(_grammar_of_choices)

    def of_schema(self, schema: Mapping[str, object]) -> Matcher:
        """At the beginning of an answer. Raises MissingExtra without the library, RequestRejected for its refusals."""
        # The order of the keys is the order in which they are written, so it is kept.
        return self._matcher(lambda: self._of_schema(json.dumps(schema)), what="the schema")

    def of_choices(self, choices: Sequence[str]) -> Matcher:
        """The same for an answer that is one of some texts."""
        return self._matcher(lambda: self._of_choices(tuple(choices)), what="the choices")

    def _matcher(self, grammar: Callable[[], str], *, what: str) -> Matcher:
        try:
            from llguidance import LLMatcher
        except ImportError:
            raise MissingExtra("local", needed_for="to hold a local model to a form of answers") from None
        matcher = LLMatcher(self._lexicon_of_it(), grammar(), log_level=0)
        if matcher.is_error():
            raise RequestRejected(f"{what} cannot be kept to: {clean(matcher.get_error(), LONGEST_REASON)}")
        return Matcher(matcher)

    def _lexicon_of_it(self) -> Any:
        if self._lexicon is None:
            from llguidance.hf import from_tokenizer

            try:
                self._lexicon = from_tokenizer(self._tokenizer, n_vocab=self._vocabulary, eos_token=sorted(self._ends))
            except ValueError as error:
                said = clean(str(error), LONGEST_REASON)
                raise RequestRejected(f"no form can be kept to with this model's tokenizer: {said}") from None
        return self._lexicon


def _grammar_of_schema(schema: str) -> str:
    from llguidance import LLMatcher

    # Without room for white space: a model that may write any number of blanks sometimes does.
    return str(LLMatcher.grammar_from_json_schema(schema, overrides={"whitespace_flexible": False}))


def _grammar_of_choices(choices: tuple[str, ...]) -> str:
    """In Lark's notation, whose texts are written as JSON's."""
    from llguidance import LLMatcher

    written = (json.dumps(each, ensure_ascii=False) for each in choices)
    return str(LLMatcher.grammar_from_lark(f"start: {' | '.join(written)}"))
