"""What the Tab key offers: the words that options take, and how a shell comes to ask for them.

Paths are completed by the shell itself. Words are looked up when somebody presses Tab, and never over a network.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from engine.errors import UserError

__all__ = ["VARIABLE", "InstallOption", "ShowOption", "offer_words"]

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_SMELT_COMPLETE"  # set by a shell that wants to know how a line may go on

# zsh reads the script when Tab is pressed first in a terminal, and takes it for the function that it defines: without
# this the first Tab gives nothing.
FIRST_TAB = '\n\nif [[ "$funcstack[1]" == _smelt ]]; then _smelt_completion "$@"; fi\n'

Words = Callable[[str], Iterable[str]]
"""What an option takes, given what was typed of it so far."""


def _install(wanted: bool) -> None:
    if wanted:
        from typer.completion import install  # type: ignore[attr-defined]  # there, and documented nowhere

        shell = _shell()
        _, path = install(shell=shell, prog_name="smelt", complete_var=VARIABLE)
        if shell == "zsh":
            with path.open("a", encoding="utf-8") as script:
                script.write(FIRST_TAB)
        typer.echo(f"{shell} completes smelt from now on, in every new terminal: {path}")
        raise typer.Exit


def _show(wanted: bool) -> None:
    if wanted:
        from typer.completion import get_completion_script  # type: ignore[attr-defined]  # there, and documented nowhere

        shell = _shell()
        script = get_completion_script(prog_name="smelt", complete_var=VARIABLE, shell=shell)
        typer.echo(script + (FIRST_TAB if shell == "zsh" else ""))
        raise typer.Exit


InstallOption = Annotated[
    bool,
    typer.Option(
        "--install-completion", callback=_install, is_eager=True, help="Have Tab complete smelt in bash, zsh or fish."
    ),
]
ShowOption = Annotated[
    bool, typer.Option("--show-completion", callback=_show, is_eager=True, help="Print what the shell needs for that.")
]


def _shell() -> str:
    """The shell that this was typed into, else the user's own. Raises UserError where neither is one of ours."""
    import shellingham

    try:
        typed_into: str = shellingham.detect_shell()[0]
    except (shellingham.ShellDetectionFailure, OSError):  # none among the parents, or no way to look
        typed_into = ""
    users_own = Path(os.environ.get("SHELL", "")).name
    for shell in (typed_into, users_own):
        if shell in SHELLS:
            return shell
    raise UserError(
        f"the shell is none of {', '.join(SHELLS)} (it is {typed_into or users_own or 'not known'}); "
        "name one of them: SHELL=bash smelt --show-completion"
    )


def offer_words(group: Any) -> None:
    """Let the options of a command line offer the words that they take. Only where Tab asks: nobody else waits."""
    from typer.completion import completion_init  # type: ignore[attr-defined]  # there, and documented nowhere

    completion_init()
    for command, has_options in group.commands.items():
        for option in has_options.params:
            for name in option.opts:
                if words := OFFERED.get(f"{command} {name}") or OFFERED.get(name):
                    option.shell_complete = _offering(words)


def _offering(words: Words) -> Callable[[Any, str], list[Any]]:
    def offered(_: object, typed: str) -> list[Any]:
        from typer.completion import shell_completion  # type: ignore[attr-defined]  # there, and documented nowhere

        return [shell_completion.CompletionItem(word) for word in words(typed) if word.startswith(typed)]

    return offered


def _fixed(*words: str) -> Words:
    return lambda _: words


def _models(typed: str) -> Iterable[str]:
    """Providers; behind one of them, the models that are priced, the worlds that are installed, or the services."""
    provider, slash, _ = typed.partition("/")
    if not slash:
        return [f"{name}/" for name in ("openai", "anthropic", "local", "sdk", "simulated")] + ["auto"]
    if provider == "simulated":
        return [f"simulated/{name}" for name in _worlds(typed)]
    if provider == "sdk":
        from engine.providers.sdk import SERVICES

        return [f"sdk/{name}/" for name in SERVICES]
    from engine.prices import listed

    return [f"{provider}/{name}" for name in listed(provider)]


def _worlds(_: str) -> Iterable[str]:
    from engine.providers.resolve import worlds

    return worlds()


def _dialects(_: str) -> Iterable[str]:
    from engine.providers.profile import profiles

    return profiles()


def _languages(_: str) -> Iterable[str]:
    from agents.parsing.language import LANGUAGES

    return sorted(LANGUAGES)


def _families(_: str) -> Iterable[str]:
    from agents.records import StudentFamily

    return ("auto", *get_args(StudentFamily))


def _forms(_: str) -> Iterable[str]:
    from agents.cli.exporting import forms

    return forms()


def _answer_forms(_: str) -> Iterable[str]:
    from agents.students.predictions import FORMS

    return FORMS


def _code(_: str) -> Iterable[str]:
    from agents.filtering.code_check import Kind

    return get_args(Kind)


OFFERED: Mapping[str, Words] = {
    "--model": _models,
    "--fallback": _models,
    "--against": _models,
    "--world": _worlds,
    "--dialect": _dialects,
    "--student": _families,
    "--device": _fixed("auto", "cpu", "cuda", "mps"),
    "--preset": _fixed("own", "paper"),
    "--annealing": _fixed("feedback", "linear", "cosine", "constant"),
    "--datasets": _fixed("auto", "none"),
    "--instruction-language": _languages,
    "--language": _languages,
    "--distinct": _fixed("question", "input"),
    "--code": _code,
    "--example": _fixed("dates", "intents", "extraction"),
    "--part": _fixed("train", "validation", "test", "labelled", "all"),
    "export --format": _forms,
    "predict --format": _answer_forms,
}
"""By the option, or by command and option where commands differ."""
