"""`smelt models` and `smelt datasets`: the table, what was left out, the user's own files, and the hub."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agents.cli import main
from agents.finding.describe import describe
from agents.finding.retrieve import Wishes, filters_told, found_models, model_table
from agents.records import Spec
from engine.messages import Reply, Request, Usage
from engine.retrieval import Catalogue, ModelCard

PROMPT = "Say which route a bank customer's question belongs to: lost card or top up.\n"


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No hub, and no catalogue of whoever runs the tests."""
    monkeypatch.setenv("SMELT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    out, err = capsys.readouterr()
    return int(end.value.code or 0), out, err


def prompt_in(folder: Path) -> str:
    (folder / "prompt.md").write_text(PROMPT)
    return str(folder / "prompt.md")


def test_a_users_folder_is_searched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "bank.csv").write_text("question,route\nI lost my card,lost card\nhow to top up,top up\n")
    (tables / "songs.csv").write_text("title,artist\nBlue,Joni\n")
    (tables / "broken.jsonl").write_text("no\n")

    code, out, err = told(capsys, "datasets", prompt_in(tmp_path), "--catalogue", str(tables), "--json")

    rows = json.loads(out.splitlines()[-1])["data_sets"]
    assert code == 0
    assert rows[0]["data set"] == str(tables / "bank.csv")
    assert (rows[0]["where"], rows[0]["rows"], rows[0]["licence"]) == ("on this machine", "2", "your own")
    assert "card" in rows[0]["why"]
    assert f"left out of the catalogue: {tables / 'broken.jsonl'}: line 1 is not JSON" in err


def test_without_a_prompt_and_without_a_refresh_there_is_nothing_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = told(capsys, "models")

    assert code == 2
    assert "name a prompt" in err


def test_what_was_left_out_is_counted_by_reason() -> None:
    cards = [
        ModelCard(
            id=f"a/{number}", description="dates", tags=(), task="t", languages=("en",), licence="mit",
            family=family, architecture="t5", parameters=size, bytes=size * 4, downloads=1, gated=False,
        )
        for number, (family, size) in enumerate([("seq2seq", 10**6), ("causal", 10), ("seq2seq", 10**9)])
    ]  # fmt: skip

    ranking = found_models(["dates"], Wishes(memory=10**9), catalogue=Catalogue(tuple(cards)))

    assert filters_told(ranking) == "1 by family, 1 by size, 1 by unreachable"
    assert model_table(ranking)[0]["why"] == "dates"
    roomy = found_models(["dates"], Wishes(memory=10**9, max_bytes=10**10), catalogue=Catalogue((cards[2],)))
    assert roomy.filtered[0].detail == "training it takes 16 GB of memory, and this machine has 1 GB"


def test_several_descriptions_come_from_one_question() -> None:
    class Teacher:
        async def ask(self, request: Request) -> Reply:
            assert request.n == 3
            return Reply(
                texts=("one", " ", "three"), finish_reasons=("stop", "stop", "refusal"), usage=Usage(1, 1), model="toy"
            )

    import asyncio

    assert asyncio.run(describe(Teacher(), Spec(instruction="x"), thing="model", note=print, hypotheses=3)) == ("one",)
