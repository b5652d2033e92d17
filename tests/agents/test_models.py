"""The models of a run: named by role and in order in the file, by flags, and told in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from agents.config import Configuration
from agents.config_file import as_table, checked_options, models_said, read_config, resolve
from agents.doctor import Finding, examine
from agents.models import models_told, open_engine, targets_told
from agents.prepare import checked
from agents.run_folder import RunFolder
from engine.errors import UnknownPrice, UserError
from engine.events import Events
from engine.prices import FREE
from engine.throttle import Limits

HERE = '{ model = "openai/qwen3", base_url = "http://localhost:8000/v1", price_in = 0, price_out = 0, rpm = 600 }'

BY_ROLE = f"""
budget = 5
rpm = 100
[models]
teacher = ["simulated/dates", {HERE}]
annotator = {HERE}
parser = ["simulated/intents", "simulated/dates"]
"""


@pytest.fixture(autouse=True)
def nothing_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_BASE_URL", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(variable, raising=False)


def read(folder: Path, text: str) -> Configuration:
    path = folder / "smelt.toml"
    path.write_text(text, encoding="utf-8")
    return resolve(file=path, flags={})


def test_a_list_of_teachers_is_a_model_and_its_fallback(tmp_path: Path) -> None:
    configuration = read(tmp_path, BY_ROLE)

    first, second = configuration.order
    assert (first.model, first.rpm) == ("simulated/dates", 100)
    assert (second.model, second.rpm, second.price) == ("openai/qwen3", 600, FREE)
    assert [str(each) for each in second.endpoints] == ["http://localhost:8000/v1"]


def test_each_role_has_its_models_with_what_is_said_of_them_and_nothing_of_the_teachers(tmp_path: Path) -> None:
    by_role = read(tmp_path, BY_ROLE).by_role

    assert {role: [each.model for each in order] for role, order in by_role.items()} == {
        "annotator": ["openai/qwen3"],
        "parser": ["simulated/intents", "simulated/dates"],
    }
    assert by_role["parser"][0].rpm is None


def test_what_was_read_is_written_down_and_read_again_alike(tmp_path: Path) -> None:
    configuration = read(tmp_path, BY_ROLE)

    text = tomlkit.dumps({"options": as_table(configuration)})

    options: dict[str, Any] = checked_options(tomlkit.loads(text).unwrap()["options"])
    assert Configuration(**options) == configuration


def test_a_flag_replaces_the_teacher_and_leaves_the_other_roles(tmp_path: Path) -> None:
    path = tmp_path / "smelt.toml"
    path.write_text(BY_ROLE, encoding="utf-8")
    flags = {"model": "simulated/intents", "fallback": models_said("--fallback", ["simulated/echo", "simulated/dates"])}

    configuration = resolve(file=path, flags=flags)

    assert models_told(configuration) == (
        "simulated/intents, else simulated/echo, else simulated/dates; "
        "annotator: openai/qwen3; parser: simulated/intents, else simulated/dates"
    )


def test_dialects_of_ones_own_are_known_to_every_model(tmp_path: Path) -> None:
    configuration = read(
        tmp_path,
        'fallback = { model = "openai/x", base_url = "https://llm.example.org/v1" }\n'
        '[dialects.ours]\nlike = "vllm"\nat = ["llm.example.org"]\n',
    )

    assert configuration.order[1].profile is not None
    assert configuration.order[1].profile.name == "ours"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        pytest.param("fallback = []", "name at least one model", id="none"),
        pytest.param('fallback = "auto"', "name a model, as in", id="auto"),
        pytest.param("fallback = [3]", "name a model, as in", id="a number"),
        pytest.param("fallback = { rpm = 3 }", "name a model, as in", id="nameless"),
        pytest.param('fallback = { model = "openai/x", seed = 3 }', "'seed' is not said of one model", id="of the run"),
        pytest.param('fallback = { model = "openai/x", rmp = 3 }', "did you mean 'rpm'", id="misspelt"),
        pytest.param('fallback = { model = "openai/x", rpm = 0 }', "fallback: --rpm must be", id="no limit"),
        pytest.param('fallback = { model = "openai/x", rpm = "3" }', "must be a whole number", id="of another type"),
        pytest.param('fallback = { model = "openai/x", base_url = "ftp://x" }', "fallback: the base URL", id="address"),
        pytest.param('models = "openai/x"', "models are given by role", id="no table"),
        pytest.param('[models]\nteachr = "openai/x"', "did you mean 'teacher'", id="a role misspelt"),
        pytest.param('[models]\nwriter = "openai/x"', "teacher, annotator, judge, parser", id="an unknown role"),
        pytest.param('[models]\nannotator = { model = "openai/x", price_in = 1 }', "annotator: --price-in", id="price"),
        pytest.param('model = "openai/x"\n[models]\nteacher = "openai/y"', "'model' is said of the teacher", id="2"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_in_a_line(tmp_path: Path, text: str, part: str) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, text)

    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_model_is_asked_for_its_price_before_anything_is_written(tmp_path: Path) -> None:
    unpriced = read(
        tmp_path, 'model = "simulated/dates"\nfallback = { model = "openai/x", base_url = "http://localhost/v1" }'
    )

    with pytest.raises(UnknownPrice, match=r"no price is known for 'openai/x': name it as a table.* run\.toml"):
        checked(unpriced)


@pytest.mark.parametrize("order", ['["simulated/dates"]', '["simulated/intents", "simulated/intents"]'])
def test_a_model_that_stands_twice_in_one_order_is_refused(tmp_path: Path, order: str) -> None:
    with pytest.raises(UserError, match="stands twice in one fall-back order"):
        checked(read(tmp_path, f'model = "simulated/dates"\nfallback = {order}'))


def test_real_money_anywhere_needs_a_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    free = f"[models]\nteacher = {HERE}\n"

    assert checked(read(tmp_path, free)).budget is None
    assert checked(read(tmp_path, f'{free}parser = "simulated/dates"\n')).budget == "5"
    with pytest.raises(UserError, match=r"openai/gpt-5\.4-mini costs money"):
        checked(read(tmp_path, f'{free}annotator = "openai/gpt-5.4-mini"\n'))


def test_batches_and_fallback_exclude_each_other() -> None:
    with pytest.raises(UserError, match="batches go to one model"):
        checked(Configuration(model="simulated/dates", batch=True, fallback=models_said("", "simulated/intents")))


def test_the_engine_asks_each_role_its_own_models_within_their_own_limits(tmp_path: Path) -> None:
    engine = open_engine(RunFolder(tmp_path / "run"), checked(read(tmp_path, BY_ROLE)), events=Events())

    assert [(each.model, each.endpoint.partition(" ")[0]) for each in engine.statistics().by_model] == [
        ("simulated/dates", "simulated"),
        ("openai/qwen3", "http://localhost:8000/v1"),
        ("openai/qwen3", "http://localhost:8000/v1"),
        ("simulated/intents", "simulated"),
        ("simulated/dates", "simulated"),
    ]
    limits = [branch.admission.pace.limits for branch in engine._routes.branches]
    assert limits == [Limits(rpm=100), Limits(rpm=600), Limits(rpm=600), Limits(), Limits()]


def test_the_first_line_names_everybody_and_says_who_is_not_asked(tmp_path: Path) -> None:
    several = read(tmp_path, f'[models]\nteacher = ["simulated/dates", {HERE}]\njudge = "simulated/intents"\n')

    assert targets_told(several) == (
        "teacher: simulated/dates in this process, "
        "else openai/qwen3 is asked at http://localhost:8000/v1, as vLLM; "
        "judge: simulated/intents in this process (asked with --judge only)"
    )
    assert "judge only" not in str(targets_told(replace(several, judge=True)))
    assert targets_told(Configuration(model="simulated/dates")) is None


def test_the_doctor_says_of_each_model_whether_it_could_be_asked(tmp_path: Path) -> None:
    configuration = read(tmp_path, f'{BY_ROLE}judge = "anthropic/claude-haiku-4-5"\n')

    said = {finding.what: finding for finding in examine(configuration)}

    assert said["teacher"].detail.startswith("simulated/dates, for 0.25 and 2")
    assert said["teacher, else"].detail.startswith("openai/qwen3, for nothing: http://localhost:8000/v1")
    assert said["annotator"].found
    assert said["judge"] == Finding(
        "judge",
        False,
        "model 'anthropic/claude-haiku-4-5' needs a key: set ANTHROPIC_API_KEY, or ask a simulated teacher",
        group="who can be asked",
    )
    assert "teacher" not in {finding.what for finding in examine()}


def test_the_options_on_the_guides_page_can_be_read(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "several-models.md").read_text(encoding="utf-8")
    path = tmp_path / "smelt.toml"
    path.write_text(guide.partition("```\nbudget")[2].join(("budget", "")).partition("```")[0], encoding="utf-8")

    assert set(read_config(path)) == {"budget", "model", "fallback", "models"}
