"""Options: defaults, a file, flags; whatever cannot mean anything is refused in one line."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import tomlkit

from agents.config import SPENDING_STAGES, Configuration, Stages
from agents.config_file import as_table, checked_options, read_config, resolve
from engine.budget import Budget
from engine.errors import UserError
from engine.prices import Price

ROOT = Path(__file__).parents[2]


def write(folder: Path, text: str) -> Path:
    path = folder / "smelt.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_flags_win_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    path = write(tmp_path, 'examples = 300\nseed = 7\nmodel = "openai/x"\n')

    configuration = resolve(file=path, flags={"seed": 9, "model": None})

    assert (configuration.examples, configuration.seed, configuration.model) == (300, 9, "openai/x")
    assert configuration.votes == Configuration().votes


def test_an_option_may_be_written_with_a_dash_and_money_as_a_number(tmp_path: Path) -> None:
    path = write(tmp_path, "per-request = 4\nbudget = 2.5\ntrain_seconds = 60\n")

    assert read_config(path) == {"per_request": 4, "budget": "2.5", "train_seconds": 60.0}


@pytest.mark.parametrize(
    ("text", "part"),
    [
        pytest.param("exmaples = 3", "did you mean 'examples'", id="misspelt"),
        pytest.param("zzz = 3", "unknown option 'zzz'", id="unknown"),
        pytest.param('examples = "three"', "must be a whole number", id="text for a number"),
        pytest.param("examples = true", "must be a whole number", id="truth for a number"),
        pytest.param("train = 1", "must be true or false", id="number for a truth"),
        pytest.param("model = 3", "must be text", id="number for text"),
        pytest.param("per-request = 3\nper_request = 4", "given twice", id="twice"),
        pytest.param("examples = = 3", "not valid TOML", id="no TOML"),
        pytest.param("[budget]\nusd = true", "'budget' must be text", id="a truth for money"),
        pytest.param("[budget]\nusd = 5\ngenrate = 0.7", "did you mean 'generate'", id="a stage misspelt"),
        pytest.param("[budget]\nusd = 5\ntrain = 0.7", "those that do: parse, retrieve", id="a stage that is free"),
        pytest.param("[budget]\ngenerate = [1]", "'generate' must be a number", id="a share that is no number"),
        pytest.param('[budget]\ngenerate = "much"', "'generate' must be a number", id="a share in words"),
        pytest.param("[budget]\ngenerate = 0", "must be above 0", id="a share of nothing"),
        pytest.param("[budget]\nkept = 0.5", "kept must be a table", id="kept for nobody"),
        pytest.param("stages = 3", "are given beside it", id="stages by the wrong name"),
    ],
)
def test_a_bad_file_is_refused_in_one_line_that_names_it(tmp_path: Path, text: str, part: str) -> None:
    path = write(tmp_path, text)

    with pytest.raises(UserError) as caught:
        read_config(path)

    assert part in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_config(tmp_path / "none.toml")


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"budget": "0"}, id="no budget"),
        pytest.param({"budget": "-3"}, id="negative budget"),
        pytest.param({"budget": "nan"}, id="budget NaN"),
        pytest.param({"budget": "five"}, id="budget in words"),
        pytest.param({"budget": "2000000"}, id="a budget beyond the journal"),
        pytest.param({"budget": "1e400"}, id="a budget beyond all numbers"),
        pytest.param({"budget": "1e-13"}, id="a budget of less than can be counted"),
        pytest.param({"price_in": "1e13", "price_out": "1"}, id="a price beyond all prices"),
        pytest.param({"price_in": "1", "price_out": "1e-50"}, id="a price of too many decimals"),
        pytest.param({"examples": 0}, id="no examples"),
        pytest.param({"votes": -1}, id="negative votes"),
        pytest.param({"votes": 10**20}, id="votes beyond all reason"),
        pytest.param({"concurrency": 10**6}, id="more in flight than there are sockets"),
        pytest.param({"rpm": 0}, id="no requests"),
        pytest.param({"tune": 1}, id="one setting, of which none is the best"),
        pytest.param({"train_seconds": float("inf")}, id="training for ever"),
        pytest.param({"price_in": "1"}, id="half a price"),
        pytest.param({"price_cached_in": "1"}, id="the price of the cache alone"),
        pytest.param({"price_batch": "0.5"}, id="the price of batches alone"),
        pytest.param({"budget": "1", "stages": Stages(at_most={"generate": "1.5"})}, id="a share beyond the whole"),
        pytest.param({"seed": -1}, id="a seed below all"),
        pytest.param({"seed": 2**32}, id="a seed that numpy does not take"),
        pytest.param({"annealing": "warm"}, id="unknown schedule"),
    ],
)
def test_values_that_mean_nothing_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(UserError):
        Configuration(**values)  # type: ignore[arg-type]


def test_data_sets_are_named_one_or_several_and_read_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "smelt.toml"
    path.write_text('datasets = "auto"\nlicences = ["mit", "cc-by-4.0"]\nfound-share = 1\n', encoding="utf-8")

    configuration = resolve(file=path, flags={})
    path.write_text(tomlkit.dumps(as_table(configuration)), encoding="utf-8")

    assert (configuration.datasets, configuration.licences) == (("auto",), ("mit", "cc-by-4.0"))
    assert resolve(file=path, flags={}) == configuration


@pytest.mark.parametrize("value", ["[]", "3", '[""]', "[1]"])
def test_what_names_no_data_set_is_refused(tmp_path: Path, value: str) -> None:
    path = tmp_path / "smelt.toml"
    path.write_text(f"datasets = {value}\n", encoding="utf-8")

    with pytest.raises(UserError, match="must be a name or a list of names"):
        read_config(path)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_is_a_part_of_the_whole(share: float) -> None:
    with pytest.raises(UserError, match="--found-share must be from 0 to 1"):
        Configuration(found_share=share)


def test_the_table_leaves_out_what_was_not_said() -> None:
    assert "base_url" not in as_table(Configuration())
    assert as_table(Configuration(base_url="http://localhost/v1"))["base_url"] == "http://localhost/v1"


BUDGET = """
[budget]
usd = 2.5
generate = 0.7

[budget.kept]
annotate = "0.2"
"""


def test_stages_have_parts_of_the_budget(tmp_path: Path) -> None:
    configuration = resolve(file=write(tmp_path, BUDGET), flags={})

    assert configuration.cap == Budget("2.5", at_most={"generate": 0.7}, kept={"annotate": 0.2})


def test_another_budget_by_flag_keeps_the_parts(tmp_path: Path) -> None:
    configuration = resolve(file=write(tmp_path, BUDGET), flags={"budget": "10"})

    assert configuration.cap == Budget(10, at_most={"generate": 0.7}, kept={"annotate": 0.2})


def test_what_is_written_down_of_a_budget_is_read_as_the_same(tmp_path: Path) -> None:
    configuration = resolve(file=write(tmp_path, BUDGET), flags={})

    assert Configuration(**checked_options(as_table(configuration))) == configuration  # type: ignore[arg-type]


def test_parts_of_a_budget_are_named_after_the_requests_of_their_stages() -> None:
    """A share of a name that no request bears would limit nothing."""
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "agents").rglob("*.py"))

    assert set(re.findall(r'tag="(\w+)"', sources)) == set(SPENDING_STAGES)


def test_money_becomes_what_the_engine_takes_and_stays_exact() -> None:
    said = Configuration(budget="0.10", price_in="0.25", price_out="2")

    assert said.cap == Budget(usd="0.10")
    assert said.price == Price(input="0.25", output=2)
    assert replace(said, price_cached_in="0.1", price_cache_write="0.3", price_batch="0.5").price == Price(
        input="0.25", output=2, cached_input="0.1", cache_write="0.3", batch="0.5"
    )
    assert (Configuration().cap, Configuration().price) == (None, None)


def test_numbers_of_money_in_a_file_are_exact(tmp_path: Path) -> None:
    """As floats, both shares would be another number, and the second price nothing at all."""
    file = tmp_path / "smelt.toml"
    file.write_text(
        "price_in = 0.12345678901234567890\nprice_out = 1e-40\ndeadline = 2.5\n"
        "[budget]\nusd = 5.000000000001\ngenerate = 0.30000000000000000000001\n",
        encoding="utf-8",
    )

    options = read_config(file)

    assert options["price_in"] == "0.12345678901234567890"
    assert options["deadline"] == 2.5
    assert isinstance(options["deadline"], float)
    assert options["stages"] == Stages(at_most={"generate": "0.30000000000000000000001"})
    assert Configuration(**options).cap == Budget("5.000000000001", at_most={"generate": "0.30000000000000000000001"})  # type: ignore[arg-type]


def test_a_number_of_a_wrong_kind_is_told_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "smelt.toml"
    file.write_text("examples = 2.5\n", encoding="utf-8")

    with pytest.raises(UserError, match=r"must be a whole number \(got 2\.5\)"):
        read_config(file)


DIALECTS = """
model = "openai/m"
base_url = "https://llm.example.org/v1"

[dialects.ours]
like = "vllm"
at = ["llm.example.org"]
n = false
temperature = 1.5
send = { top_k = 5, min_p = 0.25 }
"""


def test_a_dialect_of_ones_own_is_known_by_its_place_or_its_name_and_written_down(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(DIALECTS, encoding="utf-8")
    known = resolve(file=tmp_path / "c.toml", flags={})
    (tmp_path / "again.toml").write_text(tomlkit.dumps(as_table(known)), encoding="utf-8")

    assert known.profile is not None
    assert (known.profile.name, known.profile.n, known.profile.title) == ("ours", False, "vLLM")
    assert (known.profile.temperature, known.profile.send) == (1.5, {"top_k": 5, "min_p": 0.25})
    assert resolve(file=tmp_path / "again.toml", flags={}) == known
    elsewhere = {"base_url": "https://elsewhere.example"}
    assert resolve(file=tmp_path / "c.toml", flags=elsewhere).profile is None
    assert resolve(file=tmp_path / "c.toml", flags={**elsewhere, "dialect": "ours"}).profile == known.profile


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[dialects.ours]\nnn = 1", "dialects.ours: unknown field 'nn'"),
        ("[dialects.ours]\nlike = 'vlm'", "dialects.ours: like names no dialect"),
        ("dialects = 5", "dialects are given as tables"),
        ("[dialects]\nours = 5", "dialects.ours must be a table"),
        ("dialect = 'olama'", "no dialect 'olama'; did you mean 'ollama'"),
        ("dialect = 5", "'dialect' must be text"),
        ("insecure_http = 'yes'", "'insecure_http' must be true or false"),
    ],
)
def test_a_dialect_that_cannot_be_meant_is_refused_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "c.toml").write_text(text, encoding="utf-8")

    with pytest.raises(UserError) as caught:
        resolve(file=tmp_path / "c.toml", flags={})

    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_several_addresses_are_a_list_and_one_in_a_list_is_that_one(tmp_path: Path) -> None:
    urls = ("http://localhost:8000/v1", "http://localhost:8001/v1")
    (tmp_path / "c.toml").write_text(f'model = "openai/m"\nbase_url = {list(urls)}\n', encoding="utf-8")
    known = resolve(file=tmp_path / "c.toml", flags={})
    (tmp_path / "again.toml").write_text(tomlkit.dumps(as_table(known)), encoding="utf-8")

    assert known.base_url == known.base_urls == urls
    assert [str(each) for each in known.endpoints] == list(urls)
    assert resolve(file=tmp_path / "again.toml", flags={}) == known
    assert resolve(file=tmp_path / "c.toml", flags={"base_url": [urls[1]]}).base_url == urls[1]
    (tmp_path / "c.toml").write_text("base_url = [5]", encoding="utf-8")
    with pytest.raises(UserError, match=r"'base_url' must be a name or a list of names \(got \[5\]\)"):
        resolve(file=tmp_path / "c.toml", flags={})


def test_plain_http_beyond_this_machine_has_an_option_of_its_own() -> None:
    far = {"model": "openai/m", "base_url": "http://llm.example.org/v1"}

    with pytest.raises(UserError, match="--insecure-http"):
        _ = Configuration(**far).endpoints  # type: ignore[arg-type]
    assert [str(each) for each in Configuration(**far, insecure_http=True).endpoints] == [far["base_url"]]  # type: ignore[arg-type]
