"""Answers that keep to a JSON schema: which tokens may come next, from llguidance."""

from __future__ import annotations

import json
from collections.abc import Mapping
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
    """The grammars of schemas over one tokenizer. Made once: reading a vocabulary takes up to a second."""

    def __init__(self, tokenizer: Any, *, vocabulary: int, ends: frozenset[int]) -> None:
        self._tokenizer = tokenizer
        self._vocabulary = vocabulary
        self._ends = ends
        self._lexicon: Any = None
        self._grammar_of = lru_cache(maxsize=64)(self._grammar)

    def matcher(self, schema: Mapping[str, object]) -> Matcher:
        """At the beginning of an answer. Raises MissingExtra without the library, RequestRejected for its refusals."""
        try:
            from llguidance import LLMatcher
        except ImportError:
            raise MissingExtra("local", needed_for="a JSON schema with a local model") from None
        # The order of the keys is the order in which they are written, so it is kept.
        matcher = LLMatcher(self._lexicon_of_it(), self._grammar_of(json.dumps(schema)), log_level=0)
        if matcher.is_error():
            raise RequestRejected(f"the schema cannot be kept to: {clean(matcher.get_error(), LONGEST_REASON)}")
        return Matcher(matcher)

    def _grammar(self, schema: str) -> str:
        from llguidance import LLMatcher

        # Without room for white space: a model that may write any number of blanks sometimes does.
        return str(LLMatcher.grammar_from_json_schema(schema, overrides={"whitespace_flexible": False}))

    def _lexicon_of_it(self) -> Any:
        if self._lexicon is None:
            from llguidance.hf import from_tokenizer

            try:
                self._lexicon = from_tokenizer(self._tokenizer, n_vocab=self._vocabulary, eos_token=sorted(self._ends))
            except ValueError as error:
                said = clean(str(error), LONGEST_REASON)
                raise RequestRejected(f"no schema can be kept to with this model's tokenizer: {said}") from None
        return self._lexicon
