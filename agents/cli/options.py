"""The options that several commands share, each defined once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

__all__ = [
    "FLEET",
    "FOUND",
    "MAKING",
    "OUTPUT",
    "PACE",
    "STUDENT",
    "TEACHER",
    "AnnealingOption",
    "AnswerThreadsOption",
    "BaseUrlOption",
    "BatchOption",
    "BudgetOption",
    "CatalogueOption",
    "ConcurrencyOption",
    "ConfigOption",
    "DatasetsOption",
    "DeadlineOption",
    "DeviceOption",
    "DialectOption",
    "DocumentsOption",
    "ExamplesOption",
    "FallbackOption",
    "FoundShareOption",
    "GpusOption",
    "HedgeOption",
    "InsecureHttpOption",
    "InstructionLanguageOption",
    "JsonOption",
    "JudgeOption",
    "LicenceOption",
    "ModelOption",
    "OutOption",
    "PresetOption",
    "PriceInOption",
    "PriceOutOption",
    "PromptArgument",
    "QuietOption",
    "RayOption",
    "RowsPerDatasetOption",
    "RpmOption",
    "SeedOption",
    "StudentOption",
    "TestOption",
    "ThreadsOption",
    "TpmOption",
    "TrainSecondsOption",
    "TrialOption",
    "TuneOption",
    "VotesOption",
    "WorkersOption",
    "YesOption",
    "examples",
    "taking",
]

PromptArgument = Annotated[
    str, typer.Argument(metavar="PROMPT", help="A file that holds the prompt, or - to read it from standard input.")
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="PROVIDER/NAME",
        help="Who writes and labels; auto: keys with a budget, local servers, cached models.",
    ),
]
FallbackOption = Annotated[
    list[str] | None,
    typer.Option(metavar="PROVIDER/NAME", help="Who is asked when the model has no credit or is out; may be repeated."),
]
BaseUrlOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="URL", help="Another endpoint in the provider's dialect, with its /v1; several of one model share it."
    ),
]
DialectOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="What stands at the base URL: vllm, ollama, azure, ... (by its address)."),
]
InsecureHttpOption = Annotated[
    bool | None,
    typer.Option("--insecure-http", help="Allow plain http beyond this machine: others can read prompt and key."),
]
BudgetOption = Annotated[str | None, typer.Option(metavar="USD", help="What may be spent at most. Never exceeded.")]
ExamplesOption = Annotated[
    int | None, typer.Option(metavar="N", help="How many rows to make (2000 for labels, 4000 for text).")
]
VotesOption = Annotated[int | None, typer.Option(metavar="K", help="Labels asked for each input, at most (3).")]
CatalogueOption = Annotated[
    str | None,
    typer.Option(
        metavar="PATH", help="A folder of your data sets, or a JSONL file of records: rows are taken from it."
    ),
]
DatasetsOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ID", help="auto, none, or data sets to take rows from (may be repeated); none without a catalogue."
    ),
]
LicenceOption = Annotated[
    list[str] | None,
    typer.Option("--licence", metavar="NAME", help="Take data sets of this licence alone; may be repeated."),
]
RowsPerDatasetOption = Annotated[
    int | None, typer.Option(metavar="N", help="Rows taken from a data set at most (1000).")
]
FoundShareOption = Annotated[
    float | None, typer.Option(metavar="SHARE", help="The part of the rows that data sets may give, 0 to 1 (0.5).")
]
AnnealingOption = Annotated[
    str | None, typer.Option(metavar="SCHEDULE", help="Temperature: feedback, linear, cosine or constant (feedback).")
]
JudgeOption = Annotated[
    bool | None,
    typer.Option(
        "--judge", help="Have labelled rows judged before they are kept, where that proves of use; costs more."
    ),
]
SeedOption = Annotated[int | None, typer.Option(metavar="N", help="Same seed, same replies: same bytes (0).")]
RpmOption = Annotated[int | None, typer.Option(metavar="N", help="Requests a minute; learnt when not told.")]
TpmOption = Annotated[int | None, typer.Option(metavar="N", help="Tokens a minute; learnt when not told.")]
ConcurrencyOption = Annotated[
    int | None, typer.Option(metavar="N", help="Requests in flight, fixed; found when not told.")
]
HedgeOption = Annotated[
    bool | None,
    typer.Option("--hedge", help="Ask stragglers once more beside themselves; both are paid, 3 in 100 at most."),
]
BatchOption = Annotated[
    bool | None,
    typer.Option(
        "--batch",
        help="Ask in batches: for less (half at OpenAI and Anthropic), answers within a day; resume waits for them.",
    ),
]
DeadlineOption = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="Stop asking after so long, as Ctrl-C would; resume goes on.")
]
RayOption = Annotated[
    str | None,
    typer.Option(
        metavar="[HOST:PORT]",
        help="Have the machines of a Ray cluster ask; without an address one is started here. none: this process.",
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(metavar="N", help="Processes that ask with --ray (one a machine; here one a processor but one)."),
]
GpusOption = Annotated[
    float | None,
    typer.Option(metavar="SHARE", help="Of graphics cards for each worker, with --ray and local/NAME: 1, 0.5, 2 (1)."),
]
PriceInOption = Annotated[
    str | None, typer.Option(metavar="USD", help="Price of a million input tokens, when Smelt does not know it.")
]
PriceOutOption = Annotated[str | None, typer.Option(metavar="USD", help="Price of a million output tokens.")]
StudentOption = Annotated[
    str | None,
    typer.Option(metavar="FAMILY", help="auto, linear, tiny, embedding, classifier, seq2seq, causal (auto)."),
]
BaseOption = Annotated[
    str | None, typer.Option(metavar="MODEL", help="What the student starts from: a folder, or a name on the hub.")
]
TrialOption = Annotated[
    int | None,
    typer.Option(metavar="K", help="Try the K best base models and what needs none on slices; train the best in full."),
]
TuneOption = Annotated[
    int | None,
    typer.Option(metavar="N", help="Try N settings of the student's recipe on slices; train the best in full."),
]
PresetOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="own, or paper: AdamW at 5e-5 over 3 passes (own).")
]
DeviceOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="auto, cpu, cuda or mps; auto takes a graphics card if there is one.")
]
TrainSecondsOption = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="How long training may take (150); judging comes on top.")
]
ThreadsOption = Annotated[int | None, typer.Option(metavar="N", help="Threads for training; chosen when not told.")]
AnswerThreadsOption = Annotated[
    int | None,
    typer.Option(
        "--threads", metavar="N", help="CPU threads for answering; as many as cores if not told.", min=1, max=1024
    ),
]
TestOption = Annotated[
    str | None, typer.Option(metavar="FILE", help="Real labelled rows to judge the student by (JSONL, CSV, parquet).")
]
DocumentsOption = Annotated[
    str | None,
    typer.Option(metavar="DIR", help="Your documents: inputs are written from passages of them, shown to the teacher."),
]
InstructionLanguageOption = Annotated[
    str | None,
    typer.Option(metavar="CODE", help="Have the instruction translated for the requests (en, de, ...); labels stay."),
]
OutOption = Annotated[Path | None, typer.Option(metavar="DIR", help="The run folder (runs/NAME).")]
ConfigOption = Annotated[Path | None, typer.Option(metavar="FILE.toml", help="Options from a file; flags win.")]
JsonOption = Annotated[bool, typer.Option("--json", help="The last line of standard output is one JSON object.")]
QuietOption = Annotated[bool, typer.Option("--quiet", help="No live view and no progress lines.")]
PlainOption = Annotated[
    bool,
    typer.Option(
        "--plain", help="Plain lines in place of the live view, as for a screen reader; SMELT_PLAIN=1 does the same."
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask; nothing is asked without a terminal anyway.")]

Group = Mapping[str, object]
"""Options that commands share, by the names of their parameters."""

TEACHER: Group = {
    "model": ModelOption,
    "fallback": FallbackOption,
    "base_url": BaseUrlOption,
    "dialect": DialectOption,
    "insecure_http": InsecureHttpOption,
    "budget": BudgetOption,
}
MAKING: Group = {
    "examples": ExamplesOption,
    "votes": VotesOption,
    "judge": JudgeOption,
    "annealing": AnnealingOption,
    "seed": SeedOption,
    "documents": DocumentsOption,
    "instruction_language": InstructionLanguageOption,
}
FOUND: Group = {
    "catalogue": CatalogueOption,
    "datasets": DatasetsOption,
    "licences": LicenceOption,
    "rows_per_dataset": RowsPerDatasetOption,
    "found_share": FoundShareOption,
}
STUDENT: Group = {
    "student": StudentOption,
    "base": BaseOption,
    "trial": TrialOption,
    "tune": TuneOption,
    "preset": PresetOption,
    "train_seconds": TrainSecondsOption,
    "threads": ThreadsOption,
    "device": DeviceOption,
    "test": TestOption,
}
PACE: Group = {
    "rpm": RpmOption,
    "tpm": TpmOption,
    "concurrency": ConcurrencyOption,
    "hedge": HedgeOption,
    "batch": BatchOption,
    "deadline": DeadlineOption,
    "price_in": PriceInOption,
    "price_out": PriceOutOption,
}
FLEET: Group = {"ray": RayOption, "workers": WorkersOption, "gpus": GpusOption}
OUTPUT: Group = {
    "config": ConfigOption,
    "out": OutOption,
    "json": JsonOption,
    "quiet": QuietOption,
    "plain": PlainOption,
    "yes": YesOption,
}


def examples(*lines: str) -> str:
    """The end of a command's help: lines to copy, each as it is."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def taking(*groups: Group) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a command that takes `**told` the options of these groups, in their order.

    A switch is off and any other option None when it is not said; a name whose annotation allows neither is required.
    """

    def decorate(command: Callable[..., int]) -> Callable[..., int]:
        parameters = [_parameter(name, annotation) for group in groups for name, annotation in group.items()]
        command.__annotations__ = {each.name: each.annotation for each in parameters} | {"return": int}
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # read by typer
        return command

    return decorate


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    kind = get_args(annotation)[0]
    default = False if kind is bool else None if type(None) in get_args(kind) else inspect.Parameter.empty
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
