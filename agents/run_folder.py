"""A run on disk: which files it has, when it is the same run again, and that nothing of it is half written.

Knows paths and bytes; what they mean is for the stages.
"""

from __future__ import annotations

import dataclasses
import fcntl
import itertools
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

import orjson

from agents.checks import check_writable
from agents.config import PACE, Configuration
from agents.config_file import as_table, checked_options
from engine.errors import JournalUnusable, UserError
from engine.fleet.gathering import WORKERS, looked_into
from engine.journal import Counts, Totals, mark_path, name_at, peek, requests
from engine.messages import asked_of
from engine.prices import PICO_PER_USD
from engine.text import meant_path

__all__ = ["Reread", "RunFolder", "free_name", "held", "write_whole"]

_writings = itertools.count()

HALF_WRITTEN = re.compile(r"\..+\.([1-9]\d*)(?:-\d+)?\.new")  # by which process, and which of its writings


@dataclass(frozen=True, slots=True)
class RunFolder:
    """`run.toml` · `prompt.md` · `journal.db` · `spec.json` · `data/` · `student/` · `report.json` · `report.html`."""

    path: Path

    @property
    def manifest(self) -> Path:
        return self.path / "run.toml"

    @property
    def prompt(self) -> Path:
        return self.path / "prompt.md"

    @property
    def journal(self) -> Path:
        return self.path / "journal.db"

    @property
    def workers(self) -> Path:
        return self.path / WORKERS

    @property
    def spec(self) -> Path:
        return self.path / "spec.json"

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def student(self) -> Path:
        return self.path / "student"

    @property
    def trial(self) -> Path:
        return self.path / "trial.json"

    @property
    def tuned(self) -> Path:
        return self.path / "tuned.json"

    @property
    def plan(self) -> Path:
        return self.path / "plan.json"

    @property
    def documents(self) -> Path:
        return self.path / "documents.json"

    @property
    def found(self) -> Path:
        return self.path / "found"

    @property
    def taken(self) -> Path:
        return self.path / "taken.json"

    @property
    def pace(self) -> Path:
        return self.path / "pace.json"

    @property
    def judged(self) -> Path:
        return self.path / "judged.parquet"

    @property
    def report_markdown(self) -> Path:
        return self.path / "report.md"

    @property
    def live(self) -> Path:
        return self.path / "live.json"

    @property
    def report_json(self) -> Path:
        return self.path / "report.json"

    @property
    def report_html(self) -> Path:
        return self.path / "report.html"

    def begin(
        self, *, prompt: str, configuration: Configuration, beside: Mapping[Path, bytes] = MappingProxyType({})
    ) -> None:
        """Make the folder, or enter the one that holds this very run. Raises UserError when it holds another.

        The same run may go on at another pace, which `keep` writes down. What a run is to begin with lies `beside`: it
        is written before the run has begun, or not at all.
        """
        check_writable("the folder of the run", str(self.path.resolve()))
        if not self.manifest.exists():
            self._check_free()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with held(self.path):
                self._enter(prompt=prompt, configuration=configuration, beside=beside)
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written: {error.strerror}; choose another with --out") from error

    def _enter(self, *, prompt: str, configuration: Configuration, beside: Mapping[Path, bytes]) -> None:
        if self.manifest.exists():
            self._check_same(prompt=prompt, configuration=configuration)
            return
        write_whole(self.prompt, prompt.encode("utf-8", "surrogatepass"))
        for path, content in beside.items():
            write_whole(path, content)
        # Last: its existence means that the run has begun.
        write_whole(self.manifest, manifest_text(configuration).encode())

    def _check_free(self) -> None:
        """A folder with nothing in it but what a beginning that was cut off may have left."""
        if self.path.exists() and (not self.path.is_dir() or not all(map(_is_cut_off, self.path.iterdir()))):
            raise UserError(f"{self.path}: is not empty and holds no run; choose another folder with --out")

    def _check_same(self, *, prompt: str, configuration: Configuration) -> None:
        begun = self.configuration()
        at_this_pace = dataclasses.replace(begun, **{name: getattr(configuration, name) for name in PACE})
        if at_this_pace != configuration or self.prompt_text() != prompt:
            raise UserError(
                f"{self.path}: holds another run; choose another folder with --out, "
                f"or continue that one: smelt resume {self.path}"
            )

    def configuration(self) -> Configuration:
        """The configuration that the run was begun with. Raises UserError when the folder holds no run."""
        try:
            return Configuration(**checked_options(self._written()["options"]))  # type: ignore[arg-type]  # checked
        except FileNotFoundError as error:
            near = "" if self.path.exists() else meant_path(self.path)
            raise UserError(f"{self.path}: holds no run (no run.toml in it){near}") from error
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, AttributeError, UserError) as error:
            raise UserError(f"{self.manifest}: is damaged or from another version of Smelt ({error})") from error

    def with_budget(self, budget: str) -> Configuration:
        """The configuration with another cap, which nobody has written down yet. What was spent counts towards it.

        Raises UserError for what is no cap or lies below what is spent.
        """
        configuration = dataclasses.replace(self.configuration(), budget=budget)
        charged = Decimal(self.charged()) / PICO_PER_USD
        if Decimal(budget) < charged:
            raise UserError(
                f"--budget {budget} is below the {charged:f} USD that this run has been charged already; "
                "give the sum of that and what more may be spent"
            )
        return configuration

    def asked(self) -> tuple[str, ...]:
        """The models and endpoints that this run has asked so far, the newest first."""
        if not self.journal.is_file():
            return ()
        return tuple(dict.fromkeys(map(asked_of, requests(self.journal))))

    def keep(self, configuration: Configuration) -> None:
        """Write the configuration down in place of the one it was begun with.

        Only for whoever holds the journal: another process may be carrying the run. What one that was killed has left
        half written goes.
        """
        _clear_left(self.path)
        journal = name_at(self.journal)
        if configuration != self.configuration() or journal != self._named():
            write_whole(self.manifest, manifest_text(configuration, journal=journal).encode())

    def check_journal(self) -> None:
        """Raise UserError when what was paid for is not here any more, so that it would be paid for again.

        Who has deleted the mark beside a journal has said that this one is to be gone on with.
        """
        if (named := self._named()) is None:
            return
        if not self.journal.exists():
            raise UserError(f"{self.journal}: is gone; put it back, or begin anew with another --out")
        if not mark_path(self.journal).exists():
            return
        with suppress(JournalUnusable):  # its opening tells more exactly what is wrong
            if name_at(self.journal) != named:
                raise UserError(
                    f"{self.journal}: is another run's; put its own back, "
                    f"or delete {mark_path(self.journal)} to go on with this one"
                )

    def _named(self) -> str | None:
        """The journal that the run is written down with; None before it had one."""
        name = self._written().get("journal")
        return name if isinstance(name, str) else None

    def _written(self) -> dict[str, object]:
        return tomllib.loads(self.manifest.read_text(encoding="utf-8"))

    def charged(self) -> int:
        """What has been charged so far, in pico-dollars, with what is in flight and what workers have left; else 0."""
        looked_at = self.looked_at()
        charged = sum(totals.spent + totals.assumed for counts in looked_at for totals in counts.by_tag.values())
        return charged + sum(counts.at_stake for counts in looked_at)

    def looked_at(self) -> list[Counts]:
        """The journal in figures, and those that workers have left beside it; none before there is one."""
        return [*([peek(self.journal)] if self.journal.is_file() else []), *looked_into(self.workers)]

    def by_stage(self) -> Mapping[str, Totals]:
        """What each stage that asked was charged so far, as the journal has it; nothing before there is one."""
        return peek(self.journal).by_tag if self.journal.is_file() else {}

    def prompt_text(self) -> str:
        """The prompt that the run was begun with. Raises UserError when it cannot be read any more."""
        try:
            return self.prompt.read_bytes().decode("utf-8", "surrogatepass")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{self.prompt}: is damaged ({error}); put the prompt back, or begin anew") from error

    def write_json(self, path: Path, value: object) -> None:
        write_whole(path, orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


@dataclass(frozen=True, slots=True)
class Reread(RunFolder):
    """A run whose stored replies are read again, for nothing: it may spend what it was charged already, and no more.

    What it may spend otherwise stays written down as it is.
    """

    def configuration(self) -> Configuration:
        """The configuration, with all that was charged so far as its cap. Raises UserError when there is nothing."""
        configuration = RunFolder.configuration(self)
        charged = Decimal(self.charged()) / PICO_PER_USD
        if not charged:
            raise UserError(f"{self.path}: nothing was paid here that could be read again; smelt resume goes on asking")
        return dataclasses.replace(configuration, budget=f"{charged:f}")

    def keep(self, configuration: Configuration) -> None:
        pass


def _is_cut_off(path: Path) -> bool:
    """Whether this may lie in a folder whose run was stopped before it began."""
    begun = ("prompt.md", "spec.json", "plan.json", "documents.json", "taken.json")
    drafts = tuple(f".{name}." for name in (*begun, "run.toml"))
    return path.name in begun or (path.name.startswith(drafts) and path.suffix == ".new")


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Within the block no other process begins a run there. Raises UserError when one is just doing so."""
    entrance = os.open(folder, os.O_RDONLY)
    try:
        _lock(entrance, folder)
        yield
    finally:
        os.close(entrance)


def _lock(entrance: int, folder: Path) -> None:
    try:
        fcntl.flock(entrance, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UserError(f"{folder}: is in use by another process; wait for it, or choose another with --out") from error


def manifest_text(configuration: Configuration, *, journal: str | None = None) -> str:
    """`run.toml`: the options as resolved, the versions that ran them, and which journal is theirs."""
    import tomlkit

    document = tomlkit.document()
    document.add(tomlkit.comment("Written when the run began; `smelt resume` reads it."))
    if journal is not None:
        document["journal"] = journal
    document["versions"] = {name: version(name) for name in ("smelt", "aiohttp", "genai-prices")}
    document["options"] = _sorted(as_table(configuration))
    return tomlkit.dumps(document)


def _sorted(table: Mapping[str, object]) -> dict[str, object]:
    return dict(sorted(table.items()))


def free_name(parent: Path, stem: str) -> Path:
    """`parent/stem`, or `parent/stem-2`, `-3`, ... whichever does not exist yet."""
    candidate, number = parent / stem, 2
    while candidate.exists():
        candidate, number = parent / f"{stem}-{number}", number + 1
    return candidate


def _clear_left(folder: Path) -> None:
    """Take away what writers that run no more have left half written, here and below."""
    for path in folder.rglob(".*.new"):
        told = HALF_WRITTEN.fullmatch(path.name)
        if told is not None and not _runs(int(told[1])):
            path.unlink(missing_ok=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:  # somebody else's
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut or beside another writer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{next(_writings)}.new")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:  # told of the file that somebody wanted; an fsync that fails names none
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)  # what is half written is of no use to anybody
