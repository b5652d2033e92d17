"""An option whose value may be left out."""

from __future__ import annotations

import pytest

from agents.cli.optional import in_full


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("curate a.jsonl --ray", "curate a.jsonl --ray=local"),
        ("curate --ray a.jsonl", "curate --ray=local a.jsonl"),
        ("curate a.jsonl --ray --out b", "curate a.jsonl --ray=local --out b"),
        ("curate --ray 10.0.0.1:6379 a.jsonl", "curate --ray 10.0.0.1:6379 a.jsonl"),
        ("curate --ray auto a.jsonl", "curate --ray auto a.jsonl"),
        ("curate --ray=none a.jsonl", "curate --ray=none a.jsonl"),
        ("curate --ray folder/of:1 b", "curate --ray=local folder/of:1 b"),
        ("train a.jsonl", "train a.jsonl"),
        ("", ""),
    ],
)
def test_what_is_no_address_is_not_taken_for_one(said: str, meant: str) -> None:
    assert in_full(said.split()) == meant.split()
